//! Commands outside of sessions.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use sandbox_engine::{Command, ExecError, Recorded, RunError, RunOptions, SpawnError};
use sandbox_wire::ErrorCode;
use tokio::time::timeout;

pub(crate) use super::execs::Started;
use super::repeat::{Done, Found, Operation};
use super::session::BLANK;
use super::{Error, State, chain, isolation};
use crate::limits::BACKGROUND_EXECS;

/// A command or a program that is to be started.
#[derive(Debug, Hash)]
pub(crate) enum Program {
    /// The text of a command for the shell.
    Command(String),
    /// The arguments of a program, its path first.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "gRPC's alone"))]
    Argv(Vec<OsString>),
}

/// A command that is to be started, and how it is waited for.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) program: Program,
    pub(crate) options: RunOptions,
    /// Whether it runs on without the request that started it.
    pub(crate) detached: bool,
    /// The time after which the request no longer waits for its end.
    pub(crate) soft_timeout: Option<Duration>,
}

/// Why nothing was started.
enum NotStarted {
    /// Too many commands with a soft limit run.
    Full,
    Exec(ExecError),
}

impl Start {
    /// Refuses a soft limit that has no effect, or that leaves nothing running.
    fn check(&self) -> Result<(), Error> {
        let Some(soft) = self.soft_timeout else {
            return Ok(());
        };
        if self.options.timeout.is_some_and(|hard| hard <= soft) {
            return Err(Error::bad(
                "the soft limit must be shorter than the time limit",
            ));
        }
        if self.detached {
            Ok(())
        } else {
            Err(Error::bad(
                "a command with a soft limit must be detached: it runs on after that",
            ))
        }
    }
}

/// Starts a command, or returns the one that a request with this key has started; `key` may be empty.
///
/// # Errors
///
/// Returns an error if the key belongs to another request or its command is no longer retained, for a soft limit that cannot be, and if too many commands with one
/// run; the inner error is why the command was not started.
pub(crate) async fn start(
    state: &State,
    key: &str,
    mut start: Start,
) -> Result<Result<Found<Arc<Started>>, ExecError>, Error> {
    start.check()?;
    isolation::check(state, start.options.isolation.as_ref())?;
    // As it takes effect: on a terminal, requests that differ in it alone are the same.
    start.options.output = start.options.output_mode();
    let what = (&start.program, &start.options, start.soft_timeout);
    let request = state.repeats.request(Operation::Exec, key, what)?;
    let find = |done| match done {
        // One that was forgotten has run, and must not run again.
        Done::Started(id) => Some(state.execs.find(&id).map_err(|_| forgotten())),
        Done::Created(_) | Done::Ran(_) => None,
    };
    let (engine, execs) = (state.engine.clone(), state.execs.clone());
    // Otherwise it would run on without its place and its id.
    let must_end = start.soft_timeout.is_some();
    let operation = async move {
        let place = match start.soft_timeout {
            Some(_) => Some(execs.background_place().ok_or(NotStarted::Full)?),
            None => None,
        };
        let (options, output) = (start.options.clone(), start.options.output);
        let command = match start.program {
            Program::Command(text) => engine.start(&text, options).await,
            Program::Argv(argv) => engine.start_program(argv, options).await,
        };
        let command = command.map_err(NotStarted::Exec)?;
        if let Some(place) = place {
            let command = command.clone();
            // The place is the command's, and outlives the request.
            tokio::spawn(async move {
                command.ended().await;
                drop(place);
            });
        }
        let id = command.id().to_owned();
        let started = execs.add(Started {
            command,
            output,
            detached: start.detached,
        });
        Ok((Ok(started), Done::Started(id)))
    };
    let done = state.repeats.once(request, must_end, find, operation);
    match done.await? {
        Ok(Found { result, resumed }) => Ok(Ok(Found {
            result: result?,
            resumed,
        })),
        Err(NotStarted::Exec(error)) => Ok(Err(error)),
        Err(NotStarted::Full) => Err(Error::new(
            ErrorCode::TooManyRequests,
            format!("{BACKGROUND_EXECS} commands with a soft limit run already"),
        )),
    }
}

fn forgotten() -> Error {
    let message = "the command of the request with this key has ended, and is no longer retained";
    Error::new(ErrorCode::Gone, message)
}

/// Returns the command without a session that has this id.
pub(crate) fn command(state: &State, id: &str) -> Result<Command, Error> {
    Ok(state.execs.find(id)?.command.clone())
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

/// A command that was waited for.
pub(crate) enum Ran {
    /// It has ended.
    Ended(Recorded),
    /// Its soft limit has passed.
    StillRunning(Arc<Started>),
}

/// Runs a command to its end, or to its soft limit; the inner error is why it was not started, which is a result. A command whose
/// request has a key or a soft limit can be found by its id, while it runs and after that.
pub(crate) async fn run(
    state: &State,
    key: &str,
    command: String,
    options: RunOptions,
    soft_timeout: Option<Duration>,
) -> Result<Result<Ran, SpawnError>, Error> {
    isolation::check(state, options.isolation.as_ref())?;
    let run = if key.is_empty() && soft_timeout.is_none() {
        let recorded = state.engine.exec_recorded(&command, options).await;
        recorded.map(Ran::Ended)
    } else {
        let asked = Start {
            program: Program::Command(command),
            options,
            detached: true,
            soft_timeout,
        };
        match start(state, key, asked).await? {
            Ok(Found { result, .. }) => Ok(wait(result, soft_timeout).await),
            Err(error) => Err(error),
        }
    };
    match run {
        Ok(run) => Ok(Ok(run)),
        Err(error) => not_started(error).map(Err),
    }
}

/// Waits for a command's end, or for its soft limit.
async fn wait(started: Arc<Started>, soft_timeout: Option<Duration>) -> Ran {
    let ended = Recorded::of(&started.command, started.output);
    let Some(soft) = soft_timeout else {
        return Ran::Ended(ended.await);
    };
    match timeout(soft, ended).await {
        Ok(recorded) => Ran::Ended(recorded),
        Err(_) => Ran::StillRunning(started),
    }
}
