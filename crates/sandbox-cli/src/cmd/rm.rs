//! `sandbox rm`: removes files and directories of a sandbox.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use sandbox_process::{ErrorKind, Files};
use serde_json::json;

use super::each::each;
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
        let remove = async |path: &Path| {
            if args.recursive {
                Ok(files.remove_dir_all(path).await?)
            } else {
                remove_file(&files, path).await
            }
        };
        let is_json = args.format.json;
        let (removed, exit) = each(&args.paths, is_json, remove).await?;
        output::done(is_json, &json!({ "removed": removed }))?;
        Ok(exit)
    })
}

async fn remove_file(files: &Files, path: &Path) -> Result<(), CliError> {
    let Err(error) = files.remove_file(path).await else {
        return Ok(());
    };
    // A daemon has a hint for its own clients; here there is an option.
    if error.kind() == ErrorKind::InvalidInput
        && files.metadata(path).await.is_ok_and(|info| info.is_dir())
    {
        return Err(CliError::IsDirectory { path: path.into() });
    }
    Err(error.into())
}
