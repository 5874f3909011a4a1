//! Completions in the shells: a script per shell asks this program, which knows the names of the sandboxes.

use std::ffi::{OsStr, OsString};

use clap_complete::engine::{PathCompleter, ValueCompleter};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate, Shell};
use sandbox_cli::limits::COMPLETION;
use sandbox_process::Sandboxes;
use tokio::time::timeout;

use crate::error::CliError;
use crate::target::runtime;

/// Prints candidates instead of anything else if a shell's script asks for them. Returns whether one did.
///
/// To be called before a thread is started.
///
/// # Errors
///
/// Returns [`CliError::Write`] if the shell does not read them.
pub(crate) fn respond(command: fn() -> clap::Command) -> Result<bool, CliError> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref())
        .map_err(|error| CliError::Write(std::io::Error::other(error)))
}

/// Returns the script for a shell.
pub(crate) fn script(shell: Shell) -> Result<Vec<u8>, CliError> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let found = shells.completer(&shell.to_string());
    let found = found.ok_or(CliError::Usage("there are no completions for this shell"))?;
    found
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(CliError::Write)?;
    Ok(script)
}

/// Returns the names of the sandboxes; none if no control plane responds in time, since a shell waits for it.
pub(crate) fn names() -> Vec<CompletionCandidate> {
    let listed = listed().into_iter();
    let described =
        listed.map(|(name, state)| CompletionCandidate::new(name).help(Some(state.into())));
    described.collect()
}

/// Returns the paths of this machine that begin so, and the names of the sandboxes, each with its colon.
pub(crate) fn places(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = listed().into_iter().filter_map(|(name, state)| {
        let place = OsString::from(format!("{name}:"));
        let is_begun = place
            .as_encoded_bytes()
            .starts_with(current.as_encoded_bytes());
        is_begun.then(|| CompletionCandidate::new(place).help(Some(state.into())))
    });
    names
        .chain(PathCompleter::any().complete(current))
        .collect()
}

/// Returns the names of the sandboxes that can be typed, with their states.
fn listed() -> Vec<(String, String)> {
    let list = async {
        let sandboxes = Sandboxes::from_env().ok()?;
        timeout(COMPLETION, sandboxes.list()).await.ok()?.ok()
    };
    let listed = runtime().ok().and_then(|runtime| runtime.block_on(list));
    let infos = listed.unwrap_or_default().into_iter().map(|one| one.info());
    let shown = infos.filter(|info| !info.name.contains(char::is_control));
    let mut names: Vec<_> = shown
        .map(|info| (info.name.clone(), info.state.to_string()))
        .collect();
    names.sort_unstable();
    names
}

/// The name by which the scripts find this program.
const NAME: &str = "sandbox";

/// The variable by which the scripts ask.
const VARIABLE: &str = "SANDBOX_COMPLETE";
