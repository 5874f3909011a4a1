//! `/process/session` and what is below it, but for the logs.

pub(crate) mod convert;
pub(crate) mod exec;
pub(crate) mod input;
pub(crate) mod signal;

use http::StatusCode;
use sandbox_engine::limits::ID_BYTES;
use sandbox_engine::{
    Command, CreateSessionError, Engine, NoCommand, Session, SessionOptions, SpawnError,
};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{CreateSessionRequest, ENTRYPOINT_SESSION};

use super::error::chain;
use super::response::{empty, json};
use super::{Answer, ApiError, Call, info};

pub(super) use exec::exec;
pub(super) use input::input;
pub(super) use signal::{read as read_signal, signal};

/// `POST /process/session`.
pub(super) fn create(mut call: Call) -> Answer {
    Box::pin(async move {
        let peer = call.peer();
        let request: CreateSessionRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let options = SessionOptions {
            cwd: info::home().filter(|_| peer.starts_at_home()),
            ..SessionOptions::default()
        };
        make(&call.state.engine, &request.session_id, options).await?;
        Ok(empty(StatusCode::CREATED))
    })
}

/// Starts a session's shell.
pub(crate) async fn make(
    engine: &Engine,
    id: &str,
    options: SessionOptions,
) -> Result<Session, ApiError> {
    if id.is_empty() {
        let message = "invalid request body: sessionId is required";
        return Err(ApiError::new(ErrorCode::InvalidRequestBody, message));
    }
    if id == ENTRYPOINT_SESSION {
        let message = "the session id 'entrypoint' is reserved";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    check_id(id)?;
    let made = engine.sessions().create(id, options).await;
    made.map_err(refusal)
}

/// `GET /process/session`.
pub(super) fn list(call: Call) -> Answer {
    Box::pin(async move {
        let peer = call.peer();
        let sessions = call.state.engine.sessions().list();
        let listed: Vec<_> = sessions
            .iter()
            .filter(|session| session.id() != ENTRYPOINT_SESSION)
            .map(|session| convert::session(session, &peer))
            .collect();
        json(StatusCode::OK, &listed)
    })
}

/// `GET /process/session/{id}`.
pub(super) fn get(call: Call) -> Answer {
    Box::pin(async move {
        let session = find_session(&call)?;
        json(StatusCode::OK, &convert::session(&session, &call.peer()))
    })
}

/// `DELETE /process/session/{id}`.
pub(super) fn delete(call: Call) -> Answer {
    Box::pin(async move {
        end(&call.state.engine, call.parameter("id")).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    })
}

/// Ends a session with all its processes.
pub(crate) async fn end(engine: &Engine, id: &str) -> Result<(), ApiError> {
    not_the_entrypoint(id, "be deleted")?;
    match engine.sessions().delete(id).await {
        true => Ok(()),
        false => Err(ApiError::process_not_found("session")),
    }
}

/// `GET /process/session/{id}/command/{cid}`.
pub(super) fn command(call: Call) -> Answer {
    Box::pin(async move {
        let command = find_command(&call)?;
        json(StatusCode::OK, &convert::command(&command, &call.peer()))
    })
}

/// The session of a request's path.
pub(super) fn find_session(call: &Call) -> Result<Session, ApiError> {
    session_of(&call.state.engine, call.parameter("id"))
}

/// The command of a request's path.
pub(super) fn find_command(call: &Call) -> Result<Command, ApiError> {
    command_of(
        &call.state.engine,
        call.parameter("id"),
        call.parameter("cid"),
    )
}

/// The session with this id.
pub(crate) fn session_of(engine: &Engine, id: &str) -> Result<Session, ApiError> {
    engine
        .sessions()
        .get(id)
        .ok_or_else(|| ApiError::process_not_found("session"))
}

/// The command with this id, of the session with that one.
pub(crate) fn command_of(engine: &Engine, id: &str, command: &str) -> Result<Command, ApiError> {
    session_of(engine, id)?.command(command).map_err(no_command)
}

fn no_command(none: NoCommand) -> ApiError {
    match none {
        // Not 404: there was one.
        NoCommand::Forgotten => ApiError::new(ErrorCode::Gone, none.to_string()),
        _ => ApiError::process_not_found("command"),
    }
}

/// The entrypoint's session is the daemon's, whatever the request's body says.
fn not_on_entrypoint(call: &Call, what: &str) -> Result<(), ApiError> {
    not_the_entrypoint(call.parameter("id"), what)
}

pub(crate) fn not_the_entrypoint(id: &str, what: &str) -> Result<(), ApiError> {
    if id == ENTRYPOINT_SESSION {
        let message = format!("the entrypoint's session cannot {what}");
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    Ok(())
}

/// Refuses ids that could not be addressed, or that would mean something else to a shell, a terminal or a file system.
pub(super) fn check_id(id: &str) -> Result<(), ApiError> {
    let problem = match id {
        "" => "is empty",
        "." | ".." => "is a directory's",
        _ if id.len() > ID_BYTES => "is longer than 255 bytes",
        _ if id.contains('/') => "has a slash in it",
        _ if id.contains(char::is_control) => "has a control character in it",
        _ => return Ok(()),
    };
    let message = format!("the id {problem}");
    Err(ApiError::new(ErrorCode::BadRequest, message))
}

fn refusal(error: CreateSessionError) -> ApiError {
    let code = match error {
        CreateSessionError::Exists { .. } => ErrorCode::Conflict,
        CreateSessionError::Id { .. } | CreateSessionError::Variable(_) => ErrorCode::BadRequest,
        CreateSessionError::TooMany { .. } => ErrorCode::TooManyRequests,
        // A directory of the daemon's, but the client can make it anew.
        CreateSessionError::Spawn(error @ SpawnError::WorkDir { .. }) => {
            let what = "the session's shell";
            return ApiError::not_started(what, &error, ErrorCode::BadRequest);
        }
        error => return ApiError::internal(error),
    };
    ApiError::new(code, chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        let long = "v".repeat(255);
        for good in [
            "a",
            " ",
            "a b",
            "vec-'\"q",
            "é漢",
            "a?b=c",
            "...",
            long.as_str(),
        ] {
            assert!(check_id(good).is_ok(), "{good}");
        }
        let longer = "v".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\nb",
            "\0",
            "a\u{7f}",
            "\u{9b}",
            longer.as_str(),
        ] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
