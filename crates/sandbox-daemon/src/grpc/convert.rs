//! Conversions between the engine's types and those of protobuf.

use std::time::{Duration, SystemTime};

use sandbox_engine::isolation::{Isolation, Level, Network};
use sandbox_engine::resources::Limit;
use sandbox_engine::{Command, OutputMode, PtySize, RunOptions, Signal, SpawnError, Termination};
use sandbox_wire::pb;
use sandbox_wire::pb::termination::{self, Cause, spawn_failed};

use super::resources::{self, with_usage};
use crate::service::isolation::{Asked, Bind};
use crate::service::{Error, chain, command, pty};

pub(super) fn termination(ended: &Termination) -> pb::Termination {
    let cause = match ended {
        Termination::Exited { code } => Some(Cause::Exited(termination::Exited { code: *code })),
        Termination::Signaled {
            signal,
            core_dumped,
        } => Some(Cause::Signaled(termination::Signaled {
            signal: *signal,
            core_dumped: *core_dumped,
        })),
        Termination::TimedOut { limit } => Some(Cause::TimedOut(termination::TimedOut {
            limit: duration(*limit),
        })),
        Termination::OutOfMemory => Some(Cause::OutOfMemory(termination::OutOfMemory::default())),
        // The causes are those that clients know which do not know limits.
        Termination::LimitExceeded {
            limit: Limit::FileSize,
        } => Some(Cause::Signaled(termination::Signaled {
            signal: ended.exit_code().map_or(0, |code| code - 128),
            core_dumped: false,
        })),
        Termination::LimitExceeded { .. } => {
            Some(Cause::OutOfMemory(termination::OutOfMemory::default()))
        }
        Termination::NotStarted { reason } => Some(Cause::SpawnFailed(termination::SpawnFailed {
            message: reason.clone(),
            ..termination::SpawnFailed::default()
        })),
        Termination::Lost { reason } => Some(Cause::Lost(termination::Lost {
            message: reason.clone(),
        })),
        _ => None,
    };
    let limit = match ended {
        Termination::LimitExceeded { limit } => resources::limit(*limit),
        _ => pb::ResourceLimit::Unspecified,
    };
    pb::Termination {
        cause,
        limit: limit.into(),
        ..pb::Termination::default()
    }
}

/// Returns the last message of a stream of output, which ends at this offset.
pub(super) fn ended(termination: pb::Termination, end_offset: u64) -> pb::Ended {
    pb::Ended {
        termination: Some(termination),
        end_offset,
        ..pb::Ended::default()
    }
}

/// Returns how a command ended, if it has ended.
pub(super) fn end_of(command: &Command) -> Option<pb::Termination> {
    let ended = command::end_of(command)?;
    Some(with_usage(termination(&ended), command.usage()))
}

/// Returns the end of a process that never ran.
pub(super) fn not_started(error: &SpawnError) -> pb::Termination {
    use spawn_failed::Reason;
    let (reason, source) = match error {
        SpawnError::WorkDir { source, .. } => (Reason::WorkingDirectory, Some(source)),
        SpawnError::Program { source, .. } => {
            let reason = match source.kind() {
                std::io::ErrorKind::NotFound => Reason::NotFound,
                std::io::ErrorKind::PermissionDenied => Reason::PermissionDenied,
                _ => Reason::NotExecutable,
            };
            (reason, Some(source))
        }
        SpawnError::TooLarge => (Reason::TooLong, None),
        SpawnError::Exhausted(source) => (Reason::Exhausted, Some(source)),
        SpawnError::Os(source) => (Reason::Unspecified, Some(source)),
        _ => (Reason::Unspecified, None),
    };
    let failed = termination::SpawnFailed {
        reason: reason.into(),
        message: chain(error),
        errno: source.and_then(std::io::Error::raw_os_error),
    };
    pb::Termination {
        cause: Some(Cause::SpawnFailed(failed)),
        ..pb::Termination::default()
    }
}

pub(super) fn run_options(
    options: Option<pb::RunOptions>,
    mode: pb::OutputMode,
) -> Result<RunOptions, Error> {
    let options = options.unwrap_or_default();
    Ok(RunOptions {
        cwd: directory(options.cwd),
        env: options.envs.into_iter().collect(),
        isolation: isolation(options.isolation)?,
        timeout: time_limit(options.timeout)?,
        limits: resources::limits(options.limits),
        output: match mode {
            pb::OutputMode::Combined => OutputMode::Merged,
            _ => OutputMode::Split,
        },
        ..RunOptions::default()
    })
}

/// Returns the isolation that a request describes.
pub(super) fn isolation(asked: Option<pb::Isolation>) -> Result<Option<Isolation>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let network = pb::IsolationNetwork::try_from(asked.network);
    let network = network.map_err(|_| Error::bad("the network of the isolation is unknown"))?;
    let bind = |bind: pb::isolation::Bind| Bind {
        source: Some(bind.source).filter(|source| !source.is_empty()),
        path: bind.path,
        is_writable: bind.writable,
    };
    let level = pb::IsolationLevel::try_from(asked.level);
    let level = level.map_err(|_| Error::bad("the level of the isolation is unknown"))?;
    let asked = Asked {
        level: match level {
            pb::IsolationLevel::None => Level::None,
            pb::IsolationLevel::Landlock => Level::Landlock,
            pb::IsolationLevel::Bwrap => Level::Bwrap,
            pb::IsolationLevel::Namespaces | pb::IsolationLevel::Unspecified => Level::Namespaces,
        },
        network: match network {
            pb::IsolationNetwork::Unspecified | pb::IsolationNetwork::None => Network::None,
            pb::IsolationNetwork::User => Network::User,
            pb::IsolationNetwork::Host => Network::Host,
        },
        binds: asked.binds.into_iter().map(bind).collect(),
        hidden: asked.hidden,
        scratch: asked.scratch,
        scratch_bytes: Some(asked.scratch_bytes).filter(|bytes| *bytes > 0),
    };
    asked.build().map(Some)
}

/// Returns how strongly something is isolated.
pub(super) fn level(level: Level) -> i32 {
    let level = match level {
        Level::None => pb::IsolationLevel::None,
        Level::Landlock => pb::IsolationLevel::Landlock,
        Level::Bwrap => pb::IsolationLevel::Bwrap,
        Level::Namespaces => pb::IsolationLevel::Namespaces,
        _ => pb::IsolationLevel::Unspecified,
    };
    level.into()
}

/// Returns the directory; the empty text means none.
pub(super) fn directory(cwd: String) -> Option<std::path::PathBuf> {
    (!cwd.is_empty()).then(|| cwd.into())
}

/// Returns the time limit; absent and 0 mean none.
pub(super) fn time_limit(limit: Option<prost_types::Duration>) -> Result<Option<Duration>, Error> {
    let limit = limit.map(Duration::try_from).transpose();
    let limit = limit.map_err(|_| Error::bad("the time limit is negative"))?;
    Ok(limit.filter(|limit| !limit.is_zero()))
}

/// Returns a terminal's size, or an error if it is out of range.
pub(super) fn size(wanted: pb::TerminalSize) -> Result<PtySize, Error> {
    // Values larger than 16 bits are out of range in any case.
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    pty::size(side(wanted.cols), side(wanted.rows))
}

pub(super) fn terminal_size(size: PtySize) -> pb::TerminalSize {
    pb::TerminalSize {
        cols: size.cols().into(),
        rows: size.rows().into(),
    }
}

/// Returns the signal, which is always sent to all processes of its target.
pub(super) fn signal_of(wanted: Option<pb::Signal>) -> Result<Signal, Error> {
    command::signal_of(wanted.map(|wanted| wanted.number))
}

/// Returns the input of a command.
pub(super) fn input(given: pb::Input) -> command::Input {
    command::Input {
        bytes: given.data,
        offset: given.offset,
        is_end: given.eof,
    }
}

/// Returns the input of a unary call, which must not be empty.
pub(super) fn checked_input(given: Option<pb::Input>) -> Result<command::Input, Error> {
    let input = input(given.ok_or_else(|| missing("an input"))?);
    input.check()?;
    Ok(input)
}

pub(super) fn timestamp(time: SystemTime) -> Option<prost_types::Timestamp> {
    Some(time.into())
}

pub(super) fn missing(what: &str) -> Error {
    Error::bad(format!("{what} is required"))
}

pub(super) fn duration(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}
