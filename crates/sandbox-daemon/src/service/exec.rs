//! Commands of their own.

use std::ffi::OsString;
use std::sync::Arc;

use sandbox_engine::{ExecError, RunError, RunOptions, SpawnError};

pub(crate) use super::execs::Started;
use super::session::BLANK;
use super::{Error, Run, State, chain};

/// What is to be started.
#[derive(Debug, Hash)]
pub(crate) enum Program {
    /// A text for the shell.
    Command(String),
    /// The arguments of a program, its path first.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "gRPC's alone"))]
    Argv(Vec<OsString>),
}

/// A command, and whether an earlier request with the same key has started it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) exec: Arc<Started>,
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a field of gRPC's"))]
    pub(crate) resumed: bool,
}

/// Starts a command, or finds the one that a request with this key has started; `key` may be empty.
///
/// # Errors
///
/// Returns an error if the key belongs to another request; inside, why the command was not started.
pub(crate) async fn start(
    state: &State,
    key: &str,
    program: Program,
    options: RunOptions,
    detached: bool,
) -> Result<Result<Found, ExecError>, Error> {
    let RunOptions {
        cwd,
        env,
        timeout,
        output,
        input,
    } = &options;
    let request = (&program, cwd, env, timeout, *output as u8, *input as u8);
    let mut turn = state.keys.turn("", key, request).await;
    if let Some(exec) = turn.command_id().and_then(|id| state.execs.find(id).ok()) {
        turn.check()?;
        return Ok(Ok(Found {
            exec,
            resumed: true,
        }));
    }
    let output = options.output;
    let started = match program {
        Program::Command(text) => state.engine.start(&text, options).await,
        Program::Argv(argv) => state.engine.start_program(argv, options).await,
    };
    Ok(started.map(|command| {
        turn.fill(command.id());
        Found {
            exec: state.execs.add(Started {
                command,
                output,
                detached,
            }),
            resumed: false,
        }
    }))
}

/// Returns why a command was not started whose failure to start is a result.
///
/// # Errors
///
/// Returns the refusal of a command that could not be started at all, and of one that would start a moment later.
pub(crate) fn not_started(error: ExecError) -> Result<SpawnError, Error> {
    match error {
        ExecError::Run(RunError::Spawn(error)) => Error::unless_result(error),
        ExecError::Blank => Err(Error::bad(BLANK)),
        error @ ExecError::Variable(_) => Err(Error::bad(chain(&error))),
        error => Err(Error::internal(error)),
    }
}

/// Runs a command to its end; inside, why it was not started, which is a result. One whose request has a key can be found by
/// that and by its id, while it runs and after that.
pub(crate) async fn run(
    state: &State,
    key: &str,
    command: String,
    options: RunOptions,
) -> Result<Result<Run, SpawnError>, Error> {
    let run = if key.is_empty() {
        let run = state.engine.exec_recorded(&command, options).await;
        run.map(Run::from)
    } else {
        match start(state, key, Program::Command(command), options, true).await? {
            Ok(Found { exec, .. }) => Ok(Run {
                termination: exec.command.ended().await,
                record: exec.command.record().clone(),
                output: exec.output,
                artifacts: Vec::new(),
                artifacts_dropped: 0,
            }),
            Err(error) => Err(error),
        }
    };
    match run {
        Ok(run) => Ok(Ok(run)),
        Err(error) => not_started(error).map(Err),
    }
}
