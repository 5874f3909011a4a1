//! `POST /process/session/{id}/exec`.

use http::StatusCode;
use sandbox_engine::{Command, Termination};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{SessionExecuteRequest, SessionExecuteResponse};

use super::convert;
use crate::http::logs::{Shape, Texts};
use crate::http::peer::Peer;
use crate::http::response::json;
use crate::http::termination::{exit_code, with_usage};
use crate::http::texts::Object;
use crate::http::{ApiError, Call, Responded};
use crate::service::session;

/// Runs a command. If the client disconnects, the command runs on: its output and its end can be requested.
pub(in crate::http) async fn exec(mut call: Call) -> Responded {
    call.not_on_entrypoint("be given commands")?;
    let peer = call.peer();
    let request: SessionExecuteRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let text = request.command.clone();
    let is_async = convert::is_async(&request);
    let options = convert::options(request);
    let (id, key) = (call.parameter("id"), call.key());
    let begun = session::execute(&call.state, id, key, &text, options).await?;
    let (session, command) = begun.result;
    if is_async {
        let response = SessionExecuteResponse {
            cmd_id: command.id().to_owned(),
            ..SessionExecuteResponse::default()
        };
        return Ok(json(StatusCode::ACCEPTED, &response)?);
    }
    let ended = session::end_of(&session, &command).await?;
    let session_ended = session.ended().is_some() && peer.takes_extensions();
    response(&command, &ended, &peer, session_ended.then_some(true)).await
}

async fn response(
    command: &Command,
    ended: &Termination,
    peer: &Peer,
    session_ended: Option<bool>,
) -> Responded {
    let is_extended = peer.takes_extensions();
    let shape = Shape {
        form: peer.log_form(),
        is_json: true,
        takes_extensions: is_extended,
    };
    // A record always contains its beginning.
    let texts = Texts::of(command.record(), 0, shape).await;
    let texts = texts.map_err(ApiError::internal)?;
    let response = SessionExecuteResponse {
        cmd_id: command.id().to_owned(),
        exit_code: Some(exit_code(ended)),
        termination: is_extended.then(|| with_usage(ended, command.usage())),
        truncation: texts.truncation().filter(|_| is_extended),
        session_ended,
        ..SessionExecuteResponse::default()
    };
    Ok(Object::new(&response, texts.into_members())?.into_response(StatusCode::OK))
}
