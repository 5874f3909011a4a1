//! `sandbox mkdir`: creates directories in a sandbox.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{exit, output, place, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct MkdirArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// The directories; those above them are created as well, and those that exist are left as they are
    #[arg(required = true, value_name = "PATH", value_parser = place::path())]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(args: MkdirArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    target::with_process(args.target, token, None, async move |process| {
        for path in &args.paths {
            process.files().create_dir_all(path).await?;
        }
        let paths = args.paths.iter().map(|path| path.to_string_lossy());
        let created = json!({ "created": paths.collect::<Vec<_>>() });
        output::done(args.format.json, &created)?;
        Ok(Exit::SUCCESS)
    })
}
