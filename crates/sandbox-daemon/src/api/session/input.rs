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
    if input.bytes.is_empty() && !input.is_end {
        let message = "invalid request body: data is required";
        return Err(ApiError::new(ErrorCode::InvalidRequestBody, message));
    }
    give(&find_command(&call)?, input)?;
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

fn give(command: &Command, input: Input) -> Result<(), ApiError> {
    let length = input.bytes.len();
    if length > 0 {
        command
            .write_input(input.bytes)
            .map_err(|error| refusal(error, length))?;
    }
    if input.is_end {
        command
            .close_input()
            .map_err(|error| refusal(error, length))?;
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
