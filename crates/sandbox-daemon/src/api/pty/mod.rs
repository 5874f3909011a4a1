//! `/process/pty` and what is below it.

pub(crate) mod connect;
pub(crate) mod convert;
mod socket;

use http::StatusCode;
use sandbox_engine::{
    CreatePtyError, Engine, Pty, PtyOptions, PtyState, ResizePtyError, SpawnError,
};
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
        let pty = make(&call.state.engine, &id, options).await?;
        let answer = PtyCreateResponse {
            session_id: pty.id().to_owned(),
        };
        json(StatusCode::CREATED, &answer)
    })
}

/// `GET /process/pty`.
pub(super) fn list(call: Call) -> Answer {
    Box::pin(async move {
        let sessions = call.state.engine.ptys().list();
        let sessions = sessions.iter().map(convert::info).collect();
        json(StatusCode::OK, &PtyListResponse { sessions })
    })
}

/// `GET /process/pty/{id}`.
pub(super) fn get(call: Call) -> Answer {
    Box::pin(async move {
        let pty = open(&call.state.engine, call.parameter("id"))?;
        json(StatusCode::OK, &convert::info(&pty))
    })
}

/// The terminal with this id, whose shell has not ended.
pub(crate) fn open(engine: &Engine, id: &str) -> Result<Pty, ApiError> {
    let pty = engine.ptys().get(id).filter(is_open);
    pty.ok_or_else(|| ApiError::process_not_found(WHAT))
}

/// `DELETE /process/pty/{id}`.
pub(super) fn delete(call: Call) -> Answer {
    Box::pin(async move {
        end(&call.state.engine, call.parameter("id")).await?;
        let message = "the terminal and its processes have ended".to_owned();
        json(StatusCode::OK, &MessageResponse { message })
    })
}

/// Ends a terminal with all its processes.
pub(crate) async fn end(engine: &Engine, id: &str) -> Result<(), ApiError> {
    match engine.ptys().delete(id).await {
        true => Ok(()),
        false => Err(ApiError::process_not_found(WHAT)),
    }
}

/// `POST /process/pty/{id}/resize`.
pub(super) fn resize(mut call: Call) -> Answer {
    Box::pin(async move {
        let request: PtyResizeRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
        let engine = &call.state.engine;
        let pty = set_size(engine, call.parameter("id"), request.cols, request.rows).await?;
        json(StatusCode::OK, &convert::info(&pty))
    })
}

/// Sets the size of a terminal.
pub(crate) async fn set_size(
    engine: &Engine,
    id: &str,
    cols: u16,
    rows: u16,
) -> Result<Pty, ApiError> {
    let size = convert::size(cols, rows)?;
    // The reference does not tell one that has ended from one that never was.
    let gone = || ApiError::new(ErrorCode::SessionEnded, "no such terminal, or it has ended");
    let pty = engine.ptys().get(id).ok_or_else(gone)?;
    match pty.resize(size).await {
        Ok(()) => Ok(pty),
        Err(ResizePtyError::Ended) => Err(gone()),
        Err(error) => Err(ApiError::internal(error)),
    }
}

/// The terminal with this id, which may have ended.
pub(crate) fn find(engine: &Engine, id: &str) -> Result<Pty, ApiError> {
    let pty = engine.ptys().get(id);
    pty.ok_or_else(|| ApiError::process_not_found(WHAT))
}

fn is_open(pty: &Pty) -> bool {
    !matches!(pty.state(), PtyState::Ended(_))
}

/// Makes a terminal.
pub(crate) async fn make(engine: &Engine, id: &str, options: PtyOptions) -> Result<Pty, ApiError> {
    if id.is_empty() {
        return Err(bad_request("the terminal's id is required"));
    }
    check_id(id)?;
    if id == RESERVED {
        return Err(bad_request("this id is the name of a route"));
    }
    let made = engine.ptys().create(id, options).await;
    made.map_err(|error| match error {
        CreatePtyError::Spawn(error) => not_started(&error),
        CreatePtyError::Exists { .. } => ApiError::new(ErrorCode::Conflict, chain(&error)),
        CreatePtyError::TooMany { .. } => ApiError::new(ErrorCode::TooManyRequests, chain(&error)),
        error => bad_request(&chain(&error)),
    })
}

/// Apart from a shortage, the clients know only 500 for this.
pub(crate) fn not_started(error: &SpawnError) -> ApiError {
    ApiError::not_started(
        "the terminal's shell",
        error,
        ErrorCode::InternalServerError,
    )
}

fn bad_request(message: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

const WHAT: &str = "terminal";

/// A terminal of this id could not be addressed.
const RESERVED: &str = "create-connect";
