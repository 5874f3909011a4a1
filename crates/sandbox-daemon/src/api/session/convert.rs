//! Between the engine's sessions and the wire's.

use sandbox_engine::{
    Command, CommandOptions, CommandState, InputMode, Session, SessionEnd, Signal,
};
use sandbox_wire::rest::{self, SessionCommand, SessionExecuteRequest};

use crate::api::Peer;
use crate::api::convert::{directory, termination, time_limit, variables};

pub(super) fn session(session: &Session, peer: &Peer) -> rest::Session {
    let commands = session.commands();
    rest::Session {
        session_id: session.id().to_owned(),
        commands: commands.iter().map(|found| command(found, peer)).collect(),
        termination: session
            .ended()
            .filter(|_| peer.takes_extensions())
            .map(|end| termination(&shell_end(end))),
        forgotten_commands: Some(session.forgotten_commands())
            .filter(|forgotten| *forgotten > 0 && peer.takes_extensions()),
    }
}

/// Returns how a session's shell ended. One that is being deleted is killed.
pub(crate) fn shell_end(end: SessionEnd) -> sandbox_engine::Termination {
    match end {
        SessionEnd::Shell { termination } => termination,
        _ => sandbox_engine::Termination::Signaled {
            signal: Signal::KILL.as_raw(),
            core_dumped: false,
        },
    }
}

pub(super) fn command(command: &Command, peer: &Peer) -> SessionCommand {
    let ended = match command.state() {
        CommandState::Ended(ended) => Some(ended),
        CommandState::Queued | CommandState::Running => None,
    };
    SessionCommand {
        id: command.id().to_owned(),
        command: command.text().to_owned(),
        exit_code: ended.as_ref().map(exit_code),
        termination: ended
            .as_ref()
            .filter(|_| peer.takes_extensions())
            .map(termination),
    }
}

/// The exit code that stands for an end. The field tells that a command has ended, so there is always one: 124 for a time
/// limit, as of timeout(1), and -1 where nobody knows.
pub(super) fn exit_code(ended: &sandbox_engine::Termination) -> i32 {
    match ended {
        sandbox_engine::Termination::TimedOut { .. } => 124,
        ended => ended.exit_code().unwrap_or(-1),
    }
}

/// Whether a request asks not to wait for the command's end.
pub(super) fn is_async(request: &SessionExecuteRequest) -> bool {
    request.run_async == Some(true) || request.deprecated_async == Some(true)
}

pub(super) fn options(request: SessionExecuteRequest) -> CommandOptions {
    let input = match (is_async(&request), request.suppress_input_echo) {
        (false, _) => InputMode::Empty,
        (true, Some(true)) => InputMode::Silent,
        (true, _) => InputMode::Echoed,
    };
    CommandOptions {
        id: request.command_id,
        input,
        cwd: directory(request.cwd),
        env: variables(request.envs),
        user: request.user.filter(|user| !user.is_empty()),
        timeout: time_limit(request.timeout, request.timeout_millis),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sandbox_engine::Termination;

    use super::*;

    #[test]
    fn every_end_has_an_exit_code() {
        let check = |ended, expect| assert_eq!(exit_code(&ended), expect, "{ended:?}");
        let reason = String::new;
        check(Termination::Exited { code: 7 }, 7);
        check(
            Termination::Signaled {
                signal: 15,
                core_dumped: false,
            },
            143,
        );
        check(Termination::OutOfMemory, 137);
        check(
            Termination::TimedOut {
                limit: Duration::ZERO,
            },
            124,
        );
        check(Termination::NotStarted { reason: reason() }, -1);
        check(Termination::Lost { reason: reason() }, -1);
    }

    #[test]
    fn requests_are_read() {
        let read = |json: &str| options(serde_json::from_str(json).unwrap());
        assert_eq!(read(r#"{"command":"a"}"#).input, InputMode::Empty);
        let silent = r#"{"command":"a","suppressInputEcho":true}"#;
        assert_eq!(read(silent).input, InputMode::Empty);
        let both = r#"{"command":"a","runAsync":false,"async":true}"#;
        assert_eq!(read(both).input, InputMode::Echoed);
        let all = r#"{"command":"a","runAsync":true,"suppressInputEcho":true,"cwd":"x","envs":{"A":null},"timeout":3,
            "timeoutMillis":1,"commandId":"c","user":"u"}"#;
        let all = read(all);
        assert_eq!(all.input, InputMode::Silent);
        assert_eq!(all.id.as_deref(), Some("c"));
        assert_eq!(all.user.as_deref(), Some("u"));
        assert_eq!(all.cwd, Some("x".into()));
        assert_eq!(all.env, [("A".to_owned(), String::new())]);
        assert_eq!(all.timeout, Some(Duration::from_millis(1)));
        assert_eq!(
            read(r#"{"command":"a","timeout":0,"cwd":""}"#).timeout,
            None
        );
    }
}
