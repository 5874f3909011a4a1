//! `sandbox cat`: prints files of a sandbox.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::cp::to_stdout;
use super::each::each;
use crate::args::TargetArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{exit, place, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// The files
    #[arg(required = true, value_name = "PATH", value_parser = place::path())]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(args: CatArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    target::with_process(args.target, token, None, async move |process| {
        let files = process.files();
        let print = async |path: &Path| to_stdout(&files, path).await.map(drop);
        let (_, exit) = each(&args.paths, false, print).await?;
        Ok(exit)
    })
}
