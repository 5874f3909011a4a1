//! `/process/pty` and what is below it.

mod connect;
mod convert;
mod socket;

use http::StatusCode;
use sandbox_engine::{CreatePtyError, Pty, PtyOptions, PtyState, ResizePtyError, SpawnError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    MessageResponse, PtyCreateRequest, PtyCreateResponse, PtyListResponse, PtyResizeRequest,
};

use super::error::chain;
use super::response::json;
use super::session::check_id;
use super::{Answer, ApiError, Call};

pub(super) use connect::{connect, create_connect};

/// `POST /process/pty`.
pub(super) fn create(mut call: Call) -> Answer {
    Box::pin(async move {
        let request: PtyCreateRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let (id, options) = convert::create_request(request)?;
        let pty = make(&call, &id, options).await?;
        let answer = PtyCreateResponse {
            session_id: pty.id().to_owned(),
        };
        json(StatusCode::CREATED, &answer)
    })
}

/// `GET /process/pty`.
pub(super) fn list(call: Call) -> Answer {
    Box::pin(async move {
        let sessions = call.state.engine.ptys();
        let sessions = sessions.iter().map(convert::info).collect();
        json(StatusCode::OK, &PtyListResponse { sessions })
    })
}

/// `GET /process/pty/{id}`.
pub(super) fn get(call: Call) -> Answer {
    Box::pin(async move {
        let pty = find(&call)
            .filter(is_open)
            .ok_or_else(|| ApiError::process_not_found(WHAT))?;
        json(StatusCode::OK, &convert::info(&pty))
    })
}

/// `DELETE /process/pty/{id}`.
pub(super) fn delete(call: Call) -> Answer {
    Box::pin(async move {
        match call.state.engine.delete_pty(call.parameter("id")).await {
            true => json(
                StatusCode::OK,
                &MessageResponse {
                    message: "the terminal and its processes have ended".to_owned(),
                },
            ),
            false => Err(ApiError::process_not_found(WHAT)),
        }
    })
}

/// `POST /process/pty/{id}/resize`.
pub(super) fn resize(mut call: Call) -> Answer {
    Box::pin(async move {
        let request: PtyResizeRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let size = convert::size(request.cols, request.rows)?;
        // The reference does not tell one that has ended from one that never was.
        let gone = || ApiError::new(ErrorCode::SessionEnded, "no such terminal, or it has ended");
        let pty = find(&call).ok_or_else(gone)?;
        match pty.resize(size).await {
            Ok(()) => json(StatusCode::OK, &convert::info(&pty)),
            Err(ResizePtyError::Ended) => Err(gone()),
            Err(error) => Err(ApiError::internal(error)),
        }
    })
}

/// The terminal of a request's path, which may have ended.
fn find(call: &Call) -> Option<Pty> {
    call.state.engine.pty(call.parameter("id"))
}

fn is_open(pty: &Pty) -> bool {
    !matches!(pty.state(), PtyState::Ended(_))
}

async fn make(call: &Call, id: &str, options: PtyOptions) -> Result<Pty, ApiError> {
    if id.is_empty() {
        return Err(bad_request("the terminal's id is required"));
    }
    check_id(id)?;
    if id == RESERVED {
        return Err(bad_request("this id is the name of a route"));
    }
    let made = call.state.engine.create_pty(id, options).await;
    made.map_err(|error| match error {
        CreatePtyError::Spawn(error) => not_started(&error),
        CreatePtyError::Exists { .. } => ApiError::new(ErrorCode::Conflict, chain(&error)),
        CreatePtyError::TooMany { .. } => ApiError::new(ErrorCode::TooManyRequests, chain(&error)),
        error => bad_request(&chain(&error)),
    })
}

/// The clients know only 500 for this.
fn not_started(error: &SpawnError) -> ApiError {
    let message = format!("the terminal's shell was not started: {}", chain(error));
    ApiError::new(ErrorCode::InternalServerError, message)
}

fn bad_request(message: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

const WHAT: &str = "terminal";

/// A terminal of this id could not be addressed.
const RESERVED: &str = "create-connect";
