//! `POST .../command/{cid}/signal`, an extension.

use http::{Response, StatusCode};
use sandbox_engine::{Command, Signal, SignalError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{SessionSignalRequest, SignalSpec};

use super::{Call, find_command, not_on_entrypoint};
use crate::api::response::empty;
use crate::api::{Answer, ApiError, Body};

pub(in crate::api) fn signal(call: Call) -> Answer {
    Box::pin(send(call))
}

async fn send(mut call: Call) -> Result<Response<Body>, ApiError> {
    not_on_entrypoint(&call, "be signaled")?;
    let request: SessionSignalRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let signal = read(&request.signal).ok_or_else(no_such)?;
    give(&find_command(&call)?, signal).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// There is no such signal.
pub(crate) fn no_such() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "there is no such signal")
}

/// Signals all processes of a command.
pub(crate) async fn give(command: &Command, signal: Signal) -> Result<(), ApiError> {
    command.signal(signal).await.map_err(|error| {
        let code = match error {
            SignalError::Ended => ErrorCode::CommandAlreadyCompleted,
            SignalError::Queued => ErrorCode::Conflict,
            error => return ApiError::internal(error),
        };
        ApiError::new(code, error.to_string())
    })
}

pub(in crate::api) fn read(spec: &SignalSpec) -> Option<Signal> {
    spec.number().and_then(Signal::from_named_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read() {
        let named = |name: &str| read(&SignalSpec::Name(name.to_owned()));
        for name in ["INT", "sigint", "SigInt"] {
            assert_eq!(named(name), Some(Signal::INT), "{name}");
        }
        for name in ["", "SIG", "2", "SIGSIGINT", "NOPE"] {
            assert_eq!(named(name), None, "{name}");
        }
        assert_eq!(read(&SignalSpec::Number(9)), Some(Signal::KILL));
        for number in [0, -1, 65, i32::MAX] {
            assert_eq!(read(&SignalSpec::Number(number)), None, "{number}");
        }
        for (name, signal) in [
            ("HUP", Signal::HUP),
            ("TERM", Signal::TERM),
            ("SYS", Signal::SYS),
        ] {
            assert_eq!(named(name), Some(signal), "{name}");
        }
    }
}
