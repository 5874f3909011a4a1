//! Commands outside of sessions.

use std::ffi::OsString;
use std::sync::Arc;

use sandbox_engine::{ExecError, Recorded, RunError, RunOptions, SpawnError};

pub(crate) use super::execs::Started;
use super::repeat::{Done, Found, Operation};
use super::session::BLANK;
use super::{Error, State, chain, isolation};

/// A command or a program that is to be started.
#[derive(Debug, Hash)]
pub(crate) enum Program {
    /// The text of a command for the shell.
    Command(String),
    /// The arguments of a program, its path first.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "gRPC's alone"))]
    Argv(Vec<OsString>),
}

/// Starts a command, or returns the one that a request with this key has started; `key` may be empty.
///
/// # Errors
///
/// Returns an error if the key belongs to another request; the inner error is why the command was not started.
pub(crate) async fn start(
    state: &State,
    key: &str,
    program: Program,
    mut options: RunOptions,
    detached: bool,
) -> Result<Result<Found<Arc<Started>>, ExecError>, Error> {
    isolation::check(state, options.isolation.as_ref())?;
    options.output = options.output_mode();
    let request = state
        .repeats
        .request(Operation::Exec, key, (&program, &options))?;
    let find = |done| match done {
        Done::Started(id) => state.execs.find(&id).ok(),
        Done::Created(_) | Done::Ran(_) => None,
    };
    let (engine, execs) = (state.engine.clone(), state.execs.clone());
    let operation = async move {
        let output = options.output;
        let command = match program {
            Program::Command(text) => engine.start(&text, options).await,
            Program::Argv(argv) => engine.start_program(argv, options).await,
        }?;
        let id = command.id().to_owned();
        let started = execs.add(Started {
            command,
            output,
            detached,
        });
        Ok((started, Done::Started(id)))
    };
    state.repeats.once(request, find, operation).await
}

/// Returns the reason why a command was not started, if that is a result and not an error.
///
/// # Errors
///
/// Returns an error if the command could not be run at all, or if it could start a moment later.
pub(crate) fn not_started(error: ExecError) -> Result<SpawnError, Error> {
    match error {
        ExecError::Run(RunError::Spawn(error)) => Error::unless_result(error),
        ExecError::Blank => Err(Error::bad(BLANK)),
        error @ ExecError::Variable(_) => Err(Error::bad(chain(&error))),
        error => Err(Error::internal(error)),
    }
}

/// Runs a command to its end; the inner error is why it was not started, which is a result. A command whose request has a
/// key can be found by that and by its id, while it runs and after that.
pub(crate) async fn run(
    state: &State,
    key: &str,
    command: String,
    options: RunOptions,
) -> Result<Result<Recorded, SpawnError>, Error> {
    isolation::check(state, options.isolation.as_ref())?;
    let run = if key.is_empty() {
        state.engine.exec_recorded(&command, options).await
    } else {
        let program = Program::Command(command);
        match start(state, key, program, options, true).await? {
            Ok(Found { result, .. }) => Ok(Recorded::of(&result.command, result.output).await),
            Err(error) => Err(error),
        }
    };
    match run {
        Ok(run) => Ok(Ok(run)),
        Err(error) => not_started(error).map(Err),
    }
}
