//! `POST .../command/{cid}/input`.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use sandbox_engine::{Command, InputError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::SessionSendInputRequest;

use super::{Call, find_command, not_on_entrypoint};
use crate::api::response::empty;
use crate::api::{Answer, ApiError, Body};

pub(in crate::api) fn input(call: Call) -> Answer {
    Box::pin(send(call))
}

/// What a request gives to a command.
#[derive(Debug, PartialEq, Eq)]
struct Input {
    bytes: Bytes,
    /// Whether it is the last.
    is_end: bool,
}

async fn send(mut call: Call) -> Result<Response<Body>, ApiError> {
    not_on_entrypoint(&call, "be given input")?;
    let input = if is_raw(&call.parts.headers) {
        Input {
            bytes: call.collect_body().await?,
            is_end: call.query("eof").as_deref() == Some("true"),
        }
    } else {
        Input::line(call.read_body(ErrorCode::InvalidRequestBody).await?)
    };
    check(&input.bytes, input.is_end)?;
    give(&find_command(&call)?, None, input.bytes, input.is_end)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

impl Input {
    /// The reference only knows lines, so a newline is added unless the client says otherwise.
    fn line(request: SessionSendInputRequest) -> Self {
        let mut data = request.data;
        let is_line = request.raw != Some(true);
        if is_line && !data.is_empty() && !data.ends_with('\n') {
            data.push('\n');
        }
        Self {
            bytes: data.into(),
            is_end: request.eof == Some(true),
        }
    }
}

/// Refuses what is no input.
pub(crate) fn check(bytes: &Bytes, is_end: bool) -> Result<(), ApiError> {
    if bytes.is_empty() && !is_end {
        let message = "invalid request body: data is required";
        return Err(ApiError::new(ErrorCode::InvalidRequestBody, message));
    }
    Ok(())
}

/// Gives a command input, which begins at `offset` or behind what it was given before, and ends its input behind that.
pub(crate) fn give(
    command: &Command,
    offset: Option<u64>,
    bytes: Bytes,
    is_end: bool,
) -> Result<(), ApiError> {
    let length = bytes.len();
    let given = match (offset, length) {
        (Some(offset), _) => command.write_input_at(offset, bytes),
        (None, 0) => Ok(()),
        (None, _) => command.write_input(bytes),
    };
    given.map_err(|error| refusal(error, length))?;
    if is_end {
        let closed = command.close_input();
        closed.map_err(|error| refusal(error, length))?;
    }
    Ok(())
}

fn refusal(error: InputError, length: usize) -> ApiError {
    let code = match error {
        InputError::Ended => ErrorCode::CommandAlreadyCompleted,
        InputError::SessionEnded => ErrorCode::SessionEnded,
        InputError::Closed => ErrorCode::Conflict,
        // What could never be taken is not to be tried again.
        InputError::Full { limit } if length > limit => ErrorCode::PayloadTooLarge,
        InputError::Full { .. } => ErrorCode::TooManyRequests,
        InputError::Beyond { .. } => ErrorCode::RangeNotSatisfiable,
        error => return ApiError::internal(error),
    };
    ApiError::new(code, error.to_string())
}

/// Whether the body is the input itself.
fn is_raw(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    content_type.is_some_and(|essence| {
        essence
            .trim()
            .eq_ignore_ascii_case("application/octet-stream")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_their_newline() {
        let line = |data: &str, raw, eof| {
            let input = Input::line(SessionSendInputRequest {
                data: data.to_owned(),
                raw,
                eof,
            });
            (input.bytes, input.is_end)
        };
        assert_eq!(line("a", None, None), ("a\n".into(), false));
        assert_eq!(line("a\n", None, None), ("a\n".into(), false));
        assert_eq!(line("a", Some(true), None), ("a".into(), false));
        assert_eq!(line("a", Some(false), Some(true)), ("a\n".into(), true));
        assert_eq!(line("", None, Some(true)), ("".into(), true));
    }

    #[test]
    fn refusals_have_their_codes() {
        let check = |error, length, status| {
            let text = format!("{:?}", refusal(error, length));
            assert!(text.contains(status), "{text}");
        };
        check(InputError::Ended, 1, "CommandAlreadyCompleted");
        check(InputError::SessionEnded, 1, "SessionEnded");
        check(InputError::Closed, 1, "Conflict");
        check(InputError::Full { limit: 5 }, 5, "TooManyRequests");
        check(InputError::Full { limit: 5 }, 6, "PayloadTooLarge");
    }
}
