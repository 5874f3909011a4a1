//! `sandbox start`, `stop` and `delete`: the life of sandboxes.

use clap::Args;
use clap_complete::ArgValueCandidates;
use sandbox_process::Sandbox;
use serde_json::json;

use super::background;
use super::each::each;
use crate::args::FormatArgs;
use crate::control::with_sandboxes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{complete, exit, output};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct SandboxesArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// The sandboxes, by their names or ids
    #[arg(required = true, value_name = "NAME", add = ArgValueCandidates::new(complete::names))]
    names: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Kill the processes, without asking them to end first
    #[arg(long, short, requires = "names")]
    force: bool,

    /// The sandboxes, by their names or ids
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::names))]
    names: Vec<String>,
}

pub(crate) fn start(args: SandboxesArgs) -> Result<Exit, CliError> {
    change_each(args.names, "started", args.format.json, async |sandbox| {
        sandbox.start().await
    })
}

pub(crate) fn stop(args: StopArgs) -> Result<Exit, CliError> {
    let StopArgs {
        format,
        force,
        names,
    } = args;
    if names.is_empty() {
        return background::stop(format.json);
    }
    change_each(names, "stopped", format.json, async |sandbox| {
        if force {
            sandbox.kill().await
        } else {
            sandbox.stop().await
        }
    })
}

pub(crate) fn delete(args: SandboxesArgs) -> Result<Exit, CliError> {
    change_each(args.names, "deleted", args.format.json, async |sandbox| {
        sandbox.delete().await
    })
}

/// Changes sandboxes one after another.
fn change_each(
    names: Vec<String>,
    done: &str,
    is_json: bool,
    change: impl AsyncFn(&Sandbox) -> Result<(), sandbox_process::Error>,
) -> Result<Exit, CliError> {
    with_sandboxes(async |sandboxes| {
        let changed = each(&names, is_json, async |name| {
            let name = name.to_string_lossy();
            let changed = async { change(&sandboxes.get(&name).await?).await };
            changed.await.map_err(CliError::Control)
        });
        let (changed, exit) = changed.await?;
        output::done(is_json, &json!({ done: changed }))?;
        Ok(exit)
    })
}
