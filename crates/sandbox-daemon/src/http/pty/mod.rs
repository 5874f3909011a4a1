//! `/process/pty` and the routes below it.

pub(crate) mod connect;
mod convert;
mod socket;

use http::StatusCode;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    MessageResponse, PtyCreateRequest, PtyCreateResponse, PtyListResponse, PtyResizeRequest,
};

use super::response::json;
use super::{Call, Responded};
use crate::service::pty;

pub(super) use connect::{connect, create_connect};

/// `POST /process/pty`.
pub(super) async fn create(mut call: Call) -> Responded {
    let request: PtyCreateRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let (id, options) = convert::create_request(request)?;
    let pty = pty::create(&call.state, call.key(), &id, options).await?;
    let session_id = pty.id().to_owned();
    Ok(json(
        StatusCode::CREATED,
        &PtyCreateResponse { session_id },
    )?)
}

/// `GET /process/pty`.
pub(super) async fn list(call: Call) -> Responded {
    let sessions = call.state.engine.ptys().list();
    let peer = call.peer();
    let sessions = sessions.iter().map(|pty| convert::info(pty, &peer));
    let sessions = sessions.collect();
    Ok(json(StatusCode::OK, &PtyListResponse { sessions })?)
}

/// `GET /process/pty/{id}`.
pub(super) async fn get(call: Call) -> Responded {
    let pty = pty::open(&call.state.engine, call.parameter("id"))?;
    Ok(json(StatusCode::OK, &convert::info(&pty, &call.peer()))?)
}

/// `DELETE /process/pty/{id}`.
pub(super) async fn delete(call: Call) -> Responded {
    pty::delete(&call.state.engine, call.parameter("id")).await?;
    let message = "the terminal and its processes have ended".to_owned();
    Ok(json(StatusCode::OK, &MessageResponse { message })?)
}

/// `POST /process/pty/{id}/resize`.
pub(super) async fn resize(mut call: Call) -> Responded {
    let request: PtyResizeRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let size = pty::size(request.cols, request.rows)?;
    let pty = pty::resize(&call.state.engine, call.parameter("id"), size).await?;
    Ok(json(StatusCode::OK, &convert::info(&pty, &call.peer()))?)
}
