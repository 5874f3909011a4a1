//! Between the engine's types and those of protobuf; nothing else.

use std::time::{Duration, SystemTime};

use sandbox_engine::{OutputMode, RunOptions, Signal, SpawnError, Termination};
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use sandbox_wire::pb::termination::{self, Cause, spawn_failed};

use crate::api::session::signal;
use crate::error::{ApiError, chain, is_shortage};

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
        Termination::NotStarted { reason } => Some(Cause::SpawnFailed(termination::SpawnFailed {
            message: reason.clone(),
            ..termination::SpawnFailed::default()
        })),
        Termination::Lost { reason } => Some(Cause::Lost(termination::Lost {
            message: reason.clone(),
        })),
        _ => None,
    };
    pb::Termination {
        cause,
        ..pb::Termination::default()
    }
}

/// The end of what never ran, which is a result unless it would run a moment later.
pub(super) fn not_started(error: &SpawnError) -> Result<pb::Termination, ApiError> {
    use spawn_failed::Reason;
    if is_shortage(error) {
        let code = ErrorCode::ServiceUnavailable;
        return Err(ApiError::not_started("the process", error, code));
    }
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
    Ok(pb::Termination {
        cause: Some(Cause::SpawnFailed(failed)),
        ..pb::Termination::default()
    })
}

pub(super) fn run_options(
    options: Option<pb::RunOptions>,
    mode: pb::OutputMode,
) -> Result<RunOptions, ApiError> {
    let options = options.unwrap_or_default();
    Ok(RunOptions {
        cwd: directory(options.cwd),
        env: options.envs.into_iter().collect(),
        timeout: time_limit(options.timeout)?,
        output: match mode {
            pb::OutputMode::Combined => OutputMode::Merged,
            _ => OutputMode::Split,
        },
        ..RunOptions::default()
    })
}

/// The empty text is none.
pub(super) fn directory(cwd: String) -> Option<std::path::PathBuf> {
    (!cwd.is_empty()).then(|| cwd.into())
}

/// Absent and 0 are none.
pub(super) fn time_limit(
    limit: Option<prost_types::Duration>,
) -> Result<Option<Duration>, ApiError> {
    let limit = limit.map(Duration::try_from).transpose();
    let limit = limit.map_err(|_| bad("the time limit is negative"))?;
    Ok(limit.filter(|limit| !limit.is_zero()))
}

/// A signal, whose target is always all processes of what gets it.
pub(super) fn signal_of(wanted: Option<pb::Signal>) -> Result<Signal, ApiError> {
    wanted
        .and_then(|wanted| Signal::from_named_raw(wanted.number))
        .ok_or_else(signal::no_such)
}

pub(super) fn timestamp(time: SystemTime) -> Option<prost_types::Timestamp> {
    Some(time.into())
}

pub(super) fn bad(message: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

pub(super) fn missing(what: &str) -> ApiError {
    bad(&format!("{what} is required"))
}

fn duration(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}
