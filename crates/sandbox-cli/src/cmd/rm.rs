//! `sandbox rm`: removes files and directories of a sandbox.

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
pub(crate) struct RmArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Remove directories with everything in them
    #[arg(long, short)]
    recursive: bool,

    /// The files; links are not followed
    #[arg(required = true, value_name = "PATH", value_parser = place::path())]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(args: RmArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    target::with_process(args.target, token, None, async move |process| {
        let files = process.files();
        for path in &args.paths {
            match args.recursive {
                true => files.remove_dir_all(path).await?,
                false => files.remove_file(path).await?,
            }
        }
        let paths = args.paths.iter().map(|path| path.to_string_lossy());
        let removed = json!({ "removed": paths.collect::<Vec<_>>() });
        output::done(args.format.json, &removed)?;
        Ok(Exit::SUCCESS)
    })
}
