//! `/process/session` and the routes below it, except for logs.

mod convert;
mod exec;
mod input;
mod signal;

use http::StatusCode;
use sandbox_engine::SessionOptions;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::CreateSessionRequest;

use super::convert::isolation;
use super::resources::limits;
use super::response::{empty, json};
use super::{Call, Responded};
use crate::service::{info, session};

pub(super) use exec::exec;
pub(super) use input::input;
pub(super) use signal::signal;

/// `POST /process/session`.
pub(super) async fn create(mut call: Call) -> Responded {
    let peer = call.peer();
    let request: CreateSessionRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let options = SessionOptions {
        cwd: info::home().filter(|_| peer.starts_at_home()),
        limits: limits(request.limits),
        isolation: isolation(request.isolation)?,
        ..SessionOptions::default()
    };
    session::create(&call.state, call.key(), &request.session_id, options).await?;
    Ok(empty(StatusCode::CREATED))
}

/// `GET /process/session`.
pub(super) async fn list(call: Call) -> Responded {
    let peer = call.peer();
    let sessions = session::list(&call.state.engine);
    let sessions = sessions.iter().map(|found| convert::session(found, &peer));
    Ok(json(StatusCode::OK, &sessions.collect::<Vec<_>>())?)
}

/// `GET /process/session/{id}`.
pub(super) async fn get(call: Call) -> Responded {
    let session = convert::session(&call.session()?, &call.peer());
    Ok(json(StatusCode::OK, &session)?)
}

/// `DELETE /process/session/{id}`.
pub(super) async fn delete(call: Call) -> Responded {
    session::delete(&call.state.engine, call.parameter("id")).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `GET /process/session/{id}/command/{cid}`.
pub(super) async fn command(call: Call) -> Responded {
    let command = convert::command(&call.command()?, &call.peer());
    Ok(json(StatusCode::OK, &command)?)
}
