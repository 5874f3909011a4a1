//! Reads bodies, and parses those that are JSON.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use sandbox_wire::ErrorCode;
use serde::de::DeserializeOwned;

use super::object;
use super::outline::Outline;
use super::surrogates::mend_surrogates;
use crate::http::ApiError;
use crate::limits::{REQUEST_BODY, REQUEST_BODY_BYTES};
use crate::service::Error;

/// The body of a request: incoming, or complete.
pub(crate) type RequestBody = Either<Incoming, Full<Bytes>>;

/// Reads a JSON object; `code` is the code of the error for an invalid one.
///
/// The `Content-Type` is ignored, and so is text after the object; the last value of a repeated key is used;
/// invalid UTF-8 and lone surrogates become U+FFFD. A body that no handler accepts is refused as soon as that is detected.
pub(in crate::http) async fn read<T>(body: &mut RequestBody, code: ErrorCode) -> Result<T, Error>
where
    T: DeserializeOwned + Send + 'static,
{
    let bytes = collect_object(body, code).await?;
    parse_apart(bytes, code).await
}

/// Parses a JSON object that has been received, as [`read`] does; a large one on a blocking thread.
pub(in crate::http) async fn parse_apart<T>(bytes: Bytes, code: ErrorCode) -> Result<T, Error>
where
    T: DeserializeOwned + Send + 'static,
{
    if bytes.len() < LARGE {
        return parse(&bytes, code);
    }
    let parsed = tokio::task::spawn_blocking(move || parse(&bytes, code)).await;
    parsed.map_err(Error::internal)?
}

/// Parses a JSON object that has been received.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], code: ErrorCode) -> Result<T, Error> {
    // Before a value is built: many small ones take much more memory than their text.
    let outline = Outline::default().feed(bytes);
    outline.map_err(|refusal| refusal.into_error(code))?;
    // serde_json refuses invalid UTF-8 and lone surrogates. Go's encoding/json, the reference's,
    // replaces both by U+FFFD.
    let text = String::from_utf8_lossy(bytes);
    let text = mend_surrogates(&text);
    // U+FFFD is longer than the byte that it replaces.
    if text.len() > REQUEST_BODY_BYTES {
        return Err(too_large());
    }
    object::from_str(&text).map_err(|error| {
        let reason = if text.trim_ascii().is_empty() {
            "it is empty".to_owned()
        } else {
            error.to_string()
        };
        Error::new(code, format!("invalid request body: {reason}"))
    })
}

/// Checks that a body is not encoded, since no encoding is decoded.
///
/// # Errors
///
/// Returns 415, with the encodings that are accepted.
pub(in crate::http) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let mut encodings = encodings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_identity = |name: &[u8]| {
        let name = name.trim_ascii();
        name.is_empty() || name.eq_ignore_ascii_case(b"identity")
    };
    if encodings.all(is_identity) {
        Ok(())
    } else {
        let message = "the request body is encoded; send it without Content-Encoding";
        let error = ApiError::new(ErrorCode::UnsupportedMediaType, message);
        let accepted = HeaderValue::from_static("identity");
        Err(error.header(header::ACCEPT_ENCODING, accepted))
    }
}

/// Reads a body to its end, or to the bounds of [`collect`], and discards it.
pub(in crate::http) async fn discard(body: &mut RequestBody) {
    let read = async {
        let mut left = REQUEST_BODY_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // A longer transfer is cut off, as it would be by the route.
    let _ = tokio::time::timeout(REQUEST_BODY, read).await;
}

/// Reads a body to its end.
pub(in crate::http) async fn collect(body: &mut RequestBody) -> Result<Bytes, Error> {
    within(gather(body, |_| Ok(()))).await
}

/// Reads a body to its end, and refuses it without retaining it as soon as no handler would accept it.
async fn collect_object(body: &mut RequestBody, code: ErrorCode) -> Result<Bytes, Error> {
    let mut outline = Outline::default();
    let looked = |bytes: &[u8]| {
        outline
            .feed(bytes)
            .map_err(|refusal| refusal.into_error(code))
    };
    within(gather(body, looked)).await
}

/// Reads a body to its end as long as `look` accepts it. After a refusal the rest is read and dropped, since a client
/// that is still sending may not see a response before it has finished.
async fn gather(
    body: &mut RequestBody,
    mut look: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Bytes, Error> {
    // A large buffer grows by remapping pages, not by copying.
    let mut whole = Vec::new();
    let mut refused = None;
    let mut body = Limited::new(body, REQUEST_BODY_BYTES);
    while let Some(frame) = body.frame().await {
        let bytes = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_trailers)) => continue,
            // The rest is not read: it may be of any length, and the connection is closed with it.
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
            Err(error) => {
                return Err(refused.unwrap_or_else(|| {
                    Error::bad(format!("the request body did not arrive: {error}"))
                }));
            }
        };
        if refused.is_some() {
            continue;
        }
        // A body of one piece is not copied.
        if whole.is_empty() && body.is_end_stream() {
            look(&bytes)?;
            return Ok(bytes);
        }
        match look(&bytes) {
            Ok(()) => whole.extend_from_slice(&bytes),
            Err(error) => {
                refused = Some(error);
                // Frees what was received, which `clear` would retain until the end of the body.
                whole = Vec::new();
            }
        }
    }
    match refused {
        Some(error) => Err(error),
        None => Ok(whole.into()),
    }
}

async fn within(collected: impl Future<Output = Result<Bytes, Error>>) -> Result<Bytes, Error> {
    let collected = tokio::time::timeout(REQUEST_BODY, collected).await;
    collected.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorCode::RequestTimeout,
            format!(
                "the request body did not arrive within {} s",
                REQUEST_BODY.as_secs()
            ),
        ))
    })
}

fn too_large() -> Error {
    Error::new(
        ErrorCode::PayloadTooLarge,
        format!("the request body is larger than {REQUEST_BODY_BYTES} bytes"),
    )
}

/// Size in bytes above which parsing would block a thread of the runtime for too long.
const LARGE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use sandbox_wire::rest::ExecuteRequest;

    use super::*;

    fn command(body: &[u8]) -> Result<String, Error> {
        parse::<ExecuteRequest>(body, ErrorCode::BadRequest).map(|request| request.command)
    }

    #[test]
    fn reads_liberally() {
        let check = |body: &[u8], expect: &str| assert_eq!(command(body).unwrap(), expect);
        check(br#"{"command":"a"} x"#, "a");
        check(br#"{"command":"a","command":"b","zzz":1}"#, "b");
        check(
            br#"{"command":7,"zzz":[{}],"comm\u0061nd":"b","envs":{"A":"1","A":null},"envs":{}}"#,
            "b",
        );
        check(b"{\"command\":\"a\xffb\"}", "a\u{fffd}b");
        check(br#"{"command":"\ud800x"}"#, "\u{fffd}x");
        check(
            br#"{"command":"\udc00\ud83d\ude00\ud83d"}"#,
            "\u{fffd}😀\u{fffd}",
        );
        check(
            br#"{"command":"\\ud800 \ud800\ud800"}"#,
            "\\ud800 \u{fffd}\u{fffd}",
        );
        check(
            br#"{"command":"a","envs":null,"cwd":null,"timeout":null}"#,
            "a",
        );
    }

    #[test]
    fn mending_does_not_make_a_body_larger_than_it_may_be() {
        let body = [
            b"{\"command\":\"",
            &vec![0xff; REQUEST_BODY_BYTES / 2][..],
            b"\"}",
        ]
        .concat();
        let refusal = format!("{:?}", command(&body).unwrap_err());
        assert!(refusal.contains("PayloadTooLarge"), "{refusal}");
    }

    #[test]
    fn deep_bodies_are_refused() {
        for open in [
            "[",
            "{\"a\":",
            "{\"command\":[",
            "{\"command\":\"a\",\"b\":",
        ] {
            for levels in [200, 1_000_000] {
                let body = open.repeat(levels);
                assert!(command(body.as_bytes()).is_err(), "{open} {levels}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_request() {
        let bodies: [&[u8]; 17] = [
            b"",
            b"{",
            b"null",
            b"[]",
            br#"["echo hi"]"#,
            b"{}",
            br#"{"command":5}"#,
            br#"{"command":null}"#,
            b"\xef\xbb\xbf{\"command\":\"x\"}",
            br#"{"command":"a","timeout":-1}"#,
            br#"{"command":"a","timeout":1.0}"#,
            br#"{"command":"a","timeout":1e1}"#,
            br#"{"command":"a","timeout":"1"}"#,
            br#"{"command":"a","timeout":4294967296}"#,
            br#"{"command":"a","envs":{"A":1}}"#,
            br#"{"command":"\u"#,
            br#"{"command":"a","zzz":nope}"#,
        ];
        for body in bodies {
            assert!(command(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        for cut in ["\\", "\\u", "\\ud8", "\\é", "\\ud800\\", "\\ud83d\\ud"] {
            assert!(command(cut.as_bytes()).is_err(), "{cut}");
        }
    }
}
