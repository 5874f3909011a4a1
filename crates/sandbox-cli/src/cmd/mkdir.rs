//! `sandbox mkdir`: creates directories in a sandbox.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::each::each;
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
        let is_json = args.format.json;
        let files = process.files();
        let create = async |path: &Path| Ok(files.create_dir_all(path).await?);
        let (created, exit) = each(&args.paths, is_json, create).await?;
        output::done(is_json, &json!({ "created": created }))?;
        Ok(exit)
    })
}
