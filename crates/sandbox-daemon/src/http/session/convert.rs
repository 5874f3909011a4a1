//! Conversions between the engine's sessions and those of the protocol.

use sandbox_engine::{Command, CommandOptions, InputMode, Session};
use sandbox_wire::rest::{self, SessionCommand, SessionExecuteRequest};

use crate::http::convert::{directory, level, time_limit, variables};
use crate::http::peer::Peer;
use crate::http::termination::{exit_code, termination, with_usage};
use crate::service::command::end_of;
use crate::service::session::shell_end;

pub(super) fn session(session: &Session, peer: &Peer) -> rest::Session {
    let commands = session.commands();
    rest::Session {
        session_id: session.id().to_owned(),
        commands: commands.iter().map(|found| command(found, peer)).collect(),
        termination: shell_end(session)
            .filter(|_| peer.takes_extensions())
            .map(|ended| termination(&ended)),
        forgotten_commands: Some(session.forgotten_commands())
            .filter(|forgotten| *forgotten > 0 && peer.takes_extensions()),
        isolation_level: peer.takes_extensions().then(|| level(session.level())),
    }
}

pub(super) fn command(command: &Command, peer: &Peer) -> SessionCommand {
    let ended = end_of(command);
    SessionCommand {
        id: command.id().to_owned(),
        command: command.text().to_owned(),
        exit_code: ended.as_ref().map(exit_code),
        termination: ended
            .as_ref()
            .filter(|_| peer.takes_extensions())
            .map(|ended| with_usage(ended, command.usage())),
    }
}

/// Returns whether a request does not wait for the command's end.
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

    use super::*;

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
