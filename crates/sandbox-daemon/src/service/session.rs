//! Sessions and their commands.

use sandbox_engine::limits::ID_BYTES;
use sandbox_engine::{
    Command, CommandOptions, CreateSessionError, Engine, NoCommand, Session, SessionEnd,
    SessionExecError, SessionOptions, Signal, SpawnError, Termination, UserError,
};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::ENTRYPOINT_SESSION;

use super::repeat::{Done, Found, Operation};
use super::{Error, State, chain, isolation};

/// Starts a session's shell, or returns the session that a request with this key has created; `key` may be empty.
pub(crate) async fn create(
    state: &State,
    key: &str,
    id: &str,
    options: SessionOptions,
) -> Result<Session, Error> {
    if id.is_empty() {
        return Err(Error::incomplete("sessionId is required"));
    }
    if id == ENTRYPOINT_SESSION {
        return Err(Error::bad("the session id 'entrypoint' is reserved"));
    }
    check_id(id)?;
    isolation::check(state, options.isolation.as_ref())?;
    let request = state
        .repeats
        .request(Operation::NewSession, key, (id, &options))?;
    let find = |id: &str| state.engine.sessions().get(id);
    let (engine, id) = (state.engine.clone(), id.to_owned());
    let create = Box::pin(async move {
        let session = engine.sessions().create(&id, options).await?;
        Ok((session, id))
    });
    let created = state.repeats.create(request, find, create).await?;
    created.map_err(create_refusal)
}

/// Returns all sessions except the entrypoint's.
pub(crate) fn list(engine: &Engine) -> Vec<Session> {
    let mut sessions = engine.sessions().list();
    sessions.retain(|session| session.id() != ENTRYPOINT_SESSION);
    sessions
}

/// Returns the session with this id.
pub(crate) fn find(engine: &Engine, id: &str) -> Result<Session, Error> {
    let session = engine.sessions().get(id);
    session.ok_or_else(|| Error::not_found("session"))
}

/// Deletes a session: ends all its processes.
pub(crate) async fn delete(engine: &Engine, id: &str) -> Result<(), Error> {
    not_the_entrypoint(id, "be deleted")?;
    if engine.sessions().delete(id).await {
        Ok(())
    } else {
        Err(Error::not_found("session"))
    }
}

/// Returns how a session's shell ended. A session that is being deleted counts as killed.
pub(crate) fn shell_end(session: &Session) -> Option<Termination> {
    session.ended().map(|end| match end {
        SessionEnd::Shell { termination } => termination,
        _ => Termination::Signaled {
            signal: Signal::KILL.as_raw(),
            core_dumped: false,
        },
    })
}

/// Refuses operations that clients may not do with the entrypoint's session, which belongs to the daemon.
pub(crate) fn not_the_entrypoint(id: &str, what: &str) -> Result<(), Error> {
    if id == ENTRYPOINT_SESSION {
        let message = format!("the entrypoint's session cannot {what}");
        return Err(Error::bad(message));
    }
    Ok(())
}

/// Refuses ids that could not be addressed, or that have a special meaning for a shell, a terminal or a file system.
pub(super) fn check_id(id: &str) -> Result<(), Error> {
    let problem = match id {
        "" => "is empty",
        "." | ".." => "is a directory's",
        _ if id.len() > ID_BYTES => "is longer than 255 bytes",
        _ if id.contains('/') => "has a slash in it",
        _ if id.contains(char::is_control) => "has a control character in it",
        _ => return Ok(()),
    };
    Err(Error::bad(format!("the id {problem}")))
}

/// Returns a command of a session by their ids.
pub(crate) fn command(engine: &Engine, session: &str, id: &str) -> Result<Command, Error> {
    find(engine, session)?.command(id).map_err(no_command)
}

fn no_command(none: NoCommand) -> Error {
    match none {
        // Not 404: the command did exist.
        NoCommand::Forgotten => Error::new(ErrorCode::Gone, none.to_string()),
        _ => Error::not_found("command"),
    }
}

/// Starts a command in a session, or returns the one that a request with this key has started; the key may be empty.
pub(crate) async fn execute(
    state: &State,
    id: &str,
    key: &str,
    text: &str,
    options: CommandOptions,
) -> Result<Found<(Session, Command)>, Error> {
    if text.trim().is_empty() {
        return Err(Error::bad(BLANK));
    }
    if let Some(id) = &options.id {
        check_id(id)?;
    }
    // The other checks come first, as in the reference: a bad request is refused on a session that does not exist, too.
    let session = find(&state.engine, id)?;
    let operation = Operation::Session(id);
    let request = state.repeats.request(operation, key, (text, &options))?;
    let find = |done| match done {
        Done::Started(id) => match session.command(&id) {
            // The session was deleted, and its id belongs to another one now.
            Err(NoCommand::Unknown) => None,
            // A command that was removed from the list has run, and must not run again.
            found => Some(found),
        },
        Done::Created(_) | Done::Ran(_) => None,
    };
    let (text, own) = (text.to_owned(), session.clone());
    let operation = async move {
        if let Some(cwd) = &options.cwd {
            // Before the command is queued, so that a directory that does not exist is an error of
            // the request.
            own.check_cwd(cwd).await?;
        }
        let command = own.execute(&text, options)?;
        let id = command.id().to_owned();
        Ok((Ok(command), Done::Started(id)))
    };
    let found = state.repeats.once(request, false, find, operation).await?;
    let Found { result, resumed } = found.map_err(refusal)?;
    Ok(Found {
        result: (session, result.map_err(no_command)?),
        resumed,
    })
}

/// The message for a command that is empty or white space.
pub(super) const BLANK: &str = "the command cannot be empty or only white space";

/// Returns how a command ended.
///
/// # Errors
///
/// Returns [`SessionEnded`](ErrorCode::SessionEnded) if the command was not run because its session had ended, or was killed
/// with its session.
pub(crate) async fn end_of(session: &Session, command: &Command) -> Result<Termination, Error> {
    let ended = command.ended().await;
    let id = session.id();
    let message = match (&ended, session.ended()) {
        (Termination::NotStarted { .. }, Some(end)) => {
            format!(
                "the session '{id}' ended before the command's turn: {end}; create a new session"
            )
        }
        (Termination::Signaled { .. } | Termination::Lost { .. }, Some(SessionEnd::Deleted)) => {
            format!("the session '{id}' was deleted while the command ran")
        }
        _ => return Ok(ended),
    };
    Err(Error::new(ErrorCode::SessionEnded, message))
}

fn create_refusal(error: CreateSessionError) -> Error {
    let code = match error {
        CreateSessionError::Exists { .. } => ErrorCode::Conflict,
        CreateSessionError::Id { .. } | CreateSessionError::Variable(_) => ErrorCode::BadRequest,
        CreateSessionError::TooMany { .. } => ErrorCode::TooManyRequests,
        CreateSessionError::Spawn(SpawnError::Limit(error)) => return Error::of_limit(&error),
        // The work directory of the daemon, but the client can create it again.
        CreateSessionError::Spawn(error @ SpawnError::WorkDir { .. }) => {
            let what = "the session's shell";
            return Error::not_started(what, &error, ErrorCode::BadRequest);
        }
        CreateSessionError::Spawn(SpawnError::Isolation(error)) => {
            return isolation::refusal(&error);
        }
        error => return Error::internal(error),
    };
    Error::new(code, chain(&error))
}

fn refusal(error: SessionExecError) -> Error {
    let code = match error {
        SessionExecError::Ended { .. } => ErrorCode::SessionEnded,
        SessionExecError::Exists { .. } => ErrorCode::Conflict,
        SessionExecError::TooMany { .. } | SessionExecError::TooLong { .. } => {
            ErrorCode::TooManyRequests
        }
        SessionExecError::User(UserError::NotAllowed { .. } | UserError::Isolated { .. }) => {
            ErrorCode::Forbidden
        }
        SessionExecError::User(UserError::Unknown { .. } | UserError::NoProgram)
        | SessionExecError::Blank
        | SessionExecError::Id { .. }
        | SessionExecError::Variable(_)
        | SessionExecError::WorkDir { .. } => ErrorCode::BadRequest,
        error => return Error::internal(error),
    };
    Error::new(code, chain(&error))
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
