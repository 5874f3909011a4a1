//! `POST .../command/{cid}/input`.

use http::{HeaderMap, StatusCode, header};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::SessionSendInputRequest;

use crate::http::response::empty;
use crate::http::{Call, Responded};
use crate::service::command::Input;

pub(in crate::http) async fn input(mut call: Call) -> Responded {
    call.not_on_entrypoint("be given input")?;
    let is_raw = is_raw(&call.parts.headers);
    let input = if is_raw {
        Input {
            bytes: call.collect_body().await?,
            offset: None,
            is_end: call.query("eof").as_deref() == Some("true"),
        }
    } else {
        line(call.read_body(ErrorCode::InvalidRequestBody).await?)
    };
    input.check()?;
    let command = call.command()?;
    if is_raw {
        input.write_when_it_fits(&command).await?;
    } else {
        // Stock clients expect an immediate response.
        input.write_to(&command)?;
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Returns the input of a request. The reference only supports lines, so a newline is added unless the client disables it.
fn line(request: SessionSendInputRequest) -> Input {
    let mut data = request.data;
    let is_line = request.raw != Some(true);
    if is_line && !data.is_empty() && !data.ends_with('\n') {
        data.push('\n');
    }
    Input {
        bytes: data.into(),
        offset: None,
        is_end: request.eof == Some(true),
    }
}

/// Returns whether the body is the input itself.
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
        let read = |data: &str, raw, eof| {
            let input = line(SessionSendInputRequest {
                data: data.to_owned(),
                raw,
                eof,
            });
            (input.bytes, input.is_end)
        };
        assert_eq!(read("a", None, None), ("a\n".into(), false));
        assert_eq!(read("a\n", None, None), ("a\n".into(), false));
        assert_eq!(read("a", Some(true), None), ("a".into(), false));
        assert_eq!(read("a", Some(false), Some(true)), ("a\n".into(), true));
        assert_eq!(read("", None, Some(true)), ("".into(), true));
    }
}
