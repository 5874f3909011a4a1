//! `POST /process/session/{id}/exec`.

use http::{Response, StatusCode};
use sandbox_engine::{
    Command, CommandOptions, Engine, NoCommand, Session, SessionEnd, SessionExecError, Termination,
    UserError,
};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{SessionExecuteRequest, SessionExecuteResponse};

use super::{Call, check_id, convert, no_command, not_on_entrypoint, session_of};
use crate::api::convert::termination;
use crate::api::error::chain;
use crate::api::logs::{Shape, Texts};
use crate::api::response::{json, object};
use crate::api::{Answer, ApiError, Body, Peer, State};

/// A client that goes away leaves its command running: what it wrote and how it ended can be asked for.
pub(in crate::api) fn exec(call: Call) -> Answer {
    Box::pin(execute(call))
}

async fn execute(mut call: Call) -> Result<Response<Body>, ApiError> {
    not_on_entrypoint(&call, "be given commands")?;
    let peer = call.peer();
    let request: SessionExecuteRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let text = request.command.clone();
    let is_async = convert::is_async(&request);
    let options = convert::options(request);
    let Begun {
        session, command, ..
    } = begin(
        &call.state,
        call.parameter("id"),
        call.key(),
        &text,
        options,
    )
    .await?;
    if is_async {
        let response = SessionExecuteResponse {
            cmd_id: command.id().to_owned(),
            ..SessionExecuteResponse::default()
        };
        return json(StatusCode::ACCEPTED, &response);
    }
    let ended = end_of(&session, &command).await?;
    let session_ended = session.ended().is_some() && peer.takes_extensions();
    response(&command, &ended, &peer, session_ended.then_some(true)).await
}

/// A command of a session, and whether an earlier request with the same key has started it.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) command: Command,
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a field of gRPC's"))]
    pub(crate) resumed: bool,
}

/// Gives a session a command, or finds the one that was started by a request with this key, which may be empty.
pub(crate) async fn begin(
    state: &State,
    id: &str,
    key: &str,
    text: &str,
    options: CommandOptions,
) -> Result<Begun, ApiError> {
    let CommandOptions {
        id: command_id,
        input,
        cwd,
        env,
        user,
        timeout,
    } = &options;
    let request = (text, command_id, *input as u8, cwd, env, user, timeout);
    let mut turn = state.keys.turn(id, key, request).await;
    if let Some(known) = turn.command_id() {
        let session = session_of(&state.engine, id)?;
        match session.command(known) {
            Ok(command) => {
                turn.check()?;
                return Ok(Begun {
                    session,
                    command,
                    resumed: true,
                });
            }
            // It has run, and must not run again.
            Err(none @ NoCommand::Forgotten) => {
                turn.check()?;
                return Err(no_command(none));
            }
            // The session was deleted, and its id is another one's now.
            Err(_) => {}
        }
    }
    let begun = begin_anew(&state.engine, id, text, options)?;
    turn.fill(begun.command.id());
    Ok(begun)
}

fn begin_anew(
    engine: &Engine,
    id: &str,
    text: &str,
    options: CommandOptions,
) -> Result<Begun, ApiError> {
    if text.trim().is_empty() {
        let message = "the command cannot be empty or only white space";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    if let Some(id) = &options.id {
        check_id(id)?;
    }
    // The rest comes first, as with the reference: a bad request is refused on a session that does not exist, too.
    let session = session_of(engine, id)?;
    let command = session.execute(text, options).map_err(refusal)?;
    Ok(Begun {
        session,
        command,
        resumed: false,
    })
}

/// Returns how a command ended.
///
/// # Errors
///
/// [`SessionEnded`](ErrorCode::SessionEnded) if the command was not run because its session had ended, or was killed with
/// its session.
pub(crate) async fn end_of(session: &Session, command: &Command) -> Result<Termination, ApiError> {
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
    Err(ApiError::new(ErrorCode::SessionEnded, message))
}

async fn response(
    command: &Command,
    ended: &Termination,
    peer: &Peer,
    session_ended: Option<bool>,
) -> Result<Response<Body>, ApiError> {
    let is_extended = peer.takes_extensions();
    let shape = Shape {
        form: peer.log_form(),
        is_json: true,
        takes_extensions: is_extended,
    };
    // Every record reaches its beginning.
    let texts = Texts::of(command.record(), 0, shape).await;
    let texts = texts.map_err(ApiError::internal)?;
    let response = SessionExecuteResponse {
        cmd_id: command.id().to_owned(),
        exit_code: Some(convert::exit_code(ended)),
        termination: is_extended.then(|| termination(ended)),
        truncation: texts.truncation().filter(|_| is_extended),
        session_ended,
        ..SessionExecuteResponse::default()
    };
    object(StatusCode::OK, &response, texts.into_members())
}

fn refusal(error: SessionExecError) -> ApiError {
    let code = match error {
        SessionExecError::Ended { .. } => ErrorCode::SessionEnded,
        SessionExecError::Exists { .. } => ErrorCode::Conflict,
        SessionExecError::TooMany { .. } | SessionExecError::TooLong { .. } => {
            ErrorCode::TooManyRequests
        }
        SessionExecError::User(UserError::NotAllowed { .. }) => ErrorCode::Forbidden,
        SessionExecError::User(UserError::Unknown { .. } | UserError::NoProgram) => {
            ErrorCode::BadRequest
        }
        SessionExecError::Blank
        | SessionExecError::Id { .. }
        | SessionExecError::Variable(_)
        | SessionExecError::WorkDir { .. } => ErrorCode::BadRequest,
        error => return ApiError::internal(error),
    };
    ApiError::new(code, chain(&error))
}
