//! Request bodies, read as liberally as the reference reads them.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sandbox_wire::ErrorCode;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

use super::{ApiError, RequestBody};
use crate::limits::{REQUEST_BODY, REQUEST_BODY_BYTES};

/// Parses a JSON object; `code` is what a body that is none is answered with.
///
/// The `Content-Type` is not looked at; what follows the object is ignored; of a repeated key the last one counts;
/// invalid UTF-8 and lone surrogates become U+FFFD.
pub(super) fn parse_or<T: DeserializeOwned>(bytes: &[u8], code: ErrorCode) -> Result<T, ApiError> {
    parse(bytes).map_err(|reason| ApiError::new(code, format!("invalid request body: {reason}")))
}

/// Checks that a body comes as it is: no encoding is decoded.
///
/// # Errors
///
/// 415, with the encodings that are accepted.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let mut encodings = encodings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_identity = |name: &[u8]| {
        let name = name.trim_ascii();
        name.is_empty() || name.eq_ignore_ascii_case(b"identity")
    };
    match encodings.all(is_identity) {
        true => Ok(()),
        false => {
            let message = "the request body is encoded; send it without Content-Encoding";
            let error = ApiError::new(ErrorCode::UnsupportedMediaType, message);
            let accepted = HeaderValue::from_static("identity");
            Err(error.header(header::ACCEPT_ENCODING, accepted))
        }
    }
}

/// Reads a body to its end, or to the bounds of [`collect`], and discards it.
pub(super) async fn discard(body: &mut RequestBody) {
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
    // One that takes longer is cut off, as it would be by the route.
    let _ = tokio::time::timeout(REQUEST_BODY, read).await;
}

/// Reads a body to its end.
pub(super) async fn collect(body: &mut RequestBody) -> Result<Bytes, ApiError> {
    let collected = Limited::new(body, REQUEST_BODY_BYTES).collect();
    match tokio::time::timeout(REQUEST_BODY, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
            ErrorCode::PayloadTooLarge,
            format!("the request body is larger than {REQUEST_BODY_BYTES} bytes"),
        )),
        Ok(Err(error)) => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("the request body did not arrive: {error}"),
        )),
        Err(_) => Err(ApiError::new(
            ErrorCode::RequestTimeout,
            format!(
                "the request body did not arrive within {} s",
                REQUEST_BODY.as_secs()
            ),
        )),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    // Through a `Value`: deserializing the type itself would refuse a repeated key and accept an array.
    match value(bytes)? {
        value @ Value::Object(_) => {
            serde_json::from_value(value).map_err(|error| error.to_string())
        }
        _ => Err("it is not an object".to_owned()),
    }
}

/// The JSON value that `bytes` begin with.
pub(super) fn value(bytes: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = mend_surrogates(&text);
    match Deserializer::from_str(&text).into_iter::<Value>().next() {
        None => Err("it is empty".to_owned()),
        Some(value) => value.map_err(|error| error.to_string()),
    }
}

/// Writes U+FFFD for every `\uD800`..`\uDFFF` that is not half of a pair, which JSON parsers refuse.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        let start = at + found;
        at = start + 2; // past the escape: both its characters are ASCII where it is valid
        match surrogate(&text[start..]) {
            Some(0xD800..=0xDBFF)
                if matches!(
                    text.get(start + 6..).and_then(surrogate),
                    Some(0xDC00..=0xDFFF)
                ) =>
            {
                at = start + 12;
            }
            Some(_) => {
                mended.push_str(&text[copied..start]);
                mended.push_str("\\ufffd");
                at = start + 6;
                copied = at;
            }
            None => {}
        }
        if !text.is_char_boundary(at) || at > text.len() {
            break; // not JSON: the parser says so
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// The surrogate that an escape at the beginning of `text` stands for.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}

#[cfg(test)]
mod tests {
    use sandbox_wire::rest::ExecuteRequest;

    use super::*;

    fn command(body: &[u8]) -> Result<String, String> {
        parse::<ExecuteRequest>(body).map(|request| request.command)
    }

    #[test]
    fn reads_liberally() {
        let check = |body: &[u8], expect: &str| assert_eq!(command(body).unwrap(), expect);
        check(br#"{"command":"a"} x"#, "a");
        check(br#"{"command":"a","command":"b","zzz":1}"#, "b");
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
    fn refuses_what_is_no_request() {
        let bodies: [&[u8]; 16] = [
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
        ];
        for body in bodies {
            assert!(command(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        for cut in ["\\", "\\u", "\\ud8", "\\é", "\\ud800\\", "\\ud83d\\ud"] {
            assert!(command(cut.as_bytes()).is_err(), "{cut}");
        }
    }
}
