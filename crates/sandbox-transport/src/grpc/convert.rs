//! Between the contract's types and those of protobuf; nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sandbox_wire::pb::{self, termination::Cause};
use sandbox_wire::rest::{
    InterpreterContext, PtyResizeRequest, PtySessionInfo, Session, SessionCommand, Termination,
    TerminationKind,
};

/// The variables of a request; `null` is the empty text.
pub(super) fn variables(
    envs: Option<BTreeMap<String, Option<String>>>,
) -> BTreeMap<String, String> {
    let envs = envs.unwrap_or_default().into_iter();
    envs.map(|(name, value)| (name, value.unwrap_or_default()))
        .collect()
}

/// The time limit of a request: the finer one if it has both.
pub(super) fn time_limit(
    seconds: Option<u32>,
    millis: Option<u64>,
) -> Option<prost_types::Duration> {
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let limit = millis.map(Duration::from_millis).or(seconds)?;
    limit.try_into().ok()
}

/// How a process ended.
pub(super) fn termination(ended: &pb::Termination) -> Termination {
    let (mut exit_code, mut signal, mut reason) = (None, None, None);
    let kind = match &ended.cause {
        Some(Cause::Exited(exited)) => {
            exit_code = Some(exited.code);
            TerminationKind::Exited
        }
        Some(Cause::Signaled(signaled)) => {
            signal = Some(signaled.signal);
            TerminationKind::Signaled
        }
        Some(Cause::TimedOut(_)) => TerminationKind::TimedOut,
        Some(Cause::OutOfMemory(_)) => TerminationKind::OutOfMemory,
        Some(Cause::SpawnFailed(failed)) => {
            reason = Some(failed.message.clone());
            TerminationKind::SpawnFailed
        }
        Some(Cause::Lost(lost)) => {
            reason = Some(lost.message.clone());
            TerminationKind::Lost
        }
        None => TerminationKind::Unknown,
    };
    Termination {
        kind,
        exit_code,
        signal,
        reason,
    }
}

/// The exit code that an end has: 128 + n after signal n. There is none where the process did not end by itself, and none is
/// invented.
pub(super) fn exit_code(ended: &Termination) -> Option<i32> {
    match ended.kind {
        TerminationKind::Exited => ended.exit_code,
        TerminationKind::Signaled => ended.signal.and_then(|signal| signal.checked_add(128)),
        TerminationKind::OutOfMemory => Some(137),
        TerminationKind::SpawnFailed => Some(-1),
        _ => None,
    }
}

/// The exit code that stands for the end of a session's command, which always has one: 124 for a time limit, -1 where nobody
/// knows.
pub(super) fn command_exit_code(ended: &Termination) -> i32 {
    match ended.kind {
        TerminationKind::TimedOut => 124,
        _ => exit_code(ended).unwrap_or(-1),
    }
}

pub(super) fn session(session: pb::Session) -> Session {
    Session {
        session_id: session.session_id,
        commands: session.commands.into_iter().map(command).collect(),
        termination: session.termination.as_ref().map(termination),
        forgotten_commands: (session.forgotten_commands > 0).then_some(session.forgotten_commands),
    }
}

pub(super) fn command(command: pb::Command) -> SessionCommand {
    let termination = command.termination.as_ref().map(termination);
    SessionCommand {
        id: command.command_id,
        command: command.command,
        exit_code: termination.as_ref().map(command_exit_code),
        termination,
    }
}

pub(super) fn pty(info: pb::PtyInfo) -> PtySessionInfo {
    let size = info.size.unwrap_or_default();
    // A daemon has no larger ones.
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    PtySessionInfo {
        id: info.pty_id,
        cwd: info.cwd,
        envs: info.envs,
        cols: side(size.cols),
        rows: side(size.rows),
        created_at: time(info.created_at),
        active: info.active,
        lazy_start: info.lazy_start,
    }
}

pub(super) fn size(size: PtyResizeRequest) -> pb::TerminalSize {
    pb::TerminalSize {
        cols: size.cols.into(),
        rows: size.rows.into(),
    }
}

pub(super) fn context(context: pb::InterpreterContext) -> InterpreterContext {
    InterpreterContext {
        id: context.context_id,
        cwd: context.cwd,
        created_at: time(context.created_at),
        active: context.active,
        language: context.language,
    }
}

/// A time as JSON has it; empty where there is none.
fn time(at: Option<prost_types::Timestamp>) -> String {
    let at = at.and_then(system_time);
    at.map(|at| humantime::format_rfc3339_nanos(at).to_string())
        .unwrap_or_default()
}

/// A time that a calendar of four digits has, as JSON's form needs.
pub(super) fn system_time(at: prost_types::Timestamp) -> Option<SystemTime> {
    let at: SystemTime = at.try_into().ok()?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since < END_OF_TIME).then_some(at)
}

/// The beginning of the year 10000.
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_800);

#[cfg(test)]
mod tests {
    use sandbox_wire::pb::termination;

    use super::*;

    #[test]
    fn every_end_has_its_codes() {
        let check = |cause, kind, code, of_command| {
            let ended = pb::Termination {
                cause,
                ..pb::Termination::default()
            };
            let ended = termination(&ended);
            assert_eq!(ended.kind, kind);
            assert_eq!(exit_code(&ended), code);
            assert_eq!(command_exit_code(&ended), of_command);
        };
        let exited = termination::Exited { code: 7 };
        check(
            Some(Cause::Exited(exited)),
            TerminationKind::Exited,
            Some(7),
            7,
        );
        let signaled = Cause::Signaled(termination::Signaled {
            signal: 15,
            core_dumped: false,
        });
        check(Some(signaled), TerminationKind::Signaled, Some(143), 143);
        let late = Cause::TimedOut(termination::TimedOut::default());
        check(Some(late), TerminationKind::TimedOut, None, 124);
        let memory = Cause::OutOfMemory(termination::OutOfMemory::default());
        check(Some(memory), TerminationKind::OutOfMemory, Some(137), 137);
        let failed = Cause::SpawnFailed(termination::SpawnFailed::default());
        check(Some(failed), TerminationKind::SpawnFailed, Some(-1), -1);
        let lost = Cause::Lost(termination::Lost::default());
        check(Some(lost), TerminationKind::Lost, None, -1);
        check(None, TerminationKind::Unknown, None, -1);
    }

    #[test]
    fn times_are_written_as_in_json() {
        let at = |seconds| time(Some(prost_types::Timestamp { seconds, nanos: 5 }));
        assert_eq!(at(1), "1970-01-01T00:00:01.000000005Z");
        assert_eq!(at(i64::MAX), "");
        assert_eq!(at(-1), "");
        assert_eq!(time(None), "");
    }

    #[test]
    fn limits_are_told() {
        let limit = |seconds, millis| {
            let limit = time_limit(seconds, millis)?;
            Duration::try_from(limit).ok()
        };
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(Some(2), None), Some(Duration::from_secs(2)));
        assert_eq!(
            limit(Some(2), Some(1500)),
            Some(Duration::from_millis(1500))
        );
        assert!(limit(None, Some(u64::MAX)).is_some());
    }
}
