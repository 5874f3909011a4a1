//! The control plane that subcommands ask for sandboxes.

use std::future::Future;

use sandbox_process::{Process, SandboxState, Sandboxes};

use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::or_interrupted;
use crate::target::runtime;

/// Runs `work` with the control plane that the environment names, or else the one of this machine.
pub(crate) fn with_sandboxes<F>(work: impl FnOnce(Sandboxes) -> F) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    runtime()?.block_on(async {
        let sandboxes = Sandboxes::from_env().map_err(CliError::Control)?;
        or_interrupted(work(sandboxes), |exit| exit).await
    })
}

/// Returns a client of a sandbox that has started.
pub(crate) async fn process(name: &str) -> Result<Process, CliError> {
    let sandboxes = Sandboxes::from_env().map_err(CliError::Control)?;
    let sandbox = sandboxes.get(name).await.map_err(CliError::Control)?;
    match sandbox.state() {
        SandboxState::Started | SandboxState::Unknown => Ok(sandbox.process()),
        state => Err(CliError::NotStarted {
            name: sandbox.name(),
            state,
        }),
    }
}
