//! `POST /files/bulk-download`.

use std::io;
use std::vec::IntoIter;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::{HeaderValue, Response, header};
use sandbox_files::Files;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{FilesDownloadRequest, SOURCE_DAEMON};
use serde_json::json;
use uuid::Uuid;

use crate::http::response::stream_body;
use crate::http::{ApiError, Call, Responded};
use crate::service::Error;
use crate::service::files::{Opened, Range, names};

/// `POST /files/bulk-download`: a form with a part for each path, `file` or `error`, created while it is sent.
pub(in crate::http) async fn bulk_download(mut call: Call) -> Responded {
    let request: FilesDownloadRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    if request.paths.is_empty() {
        return Err(Error::incomplete("there are no paths").into());
    }
    let boundary = Uuid::new_v4().simple().to_string();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let content_type = HeaderValue::from_str(&content_type).map_err(ApiError::internal)?;
    let parts = Parts {
        files: call.state.files.clone(),
        paths: request.paths.into_iter(),
        boundary,
        quoted: if call.peer().decodes_names_twice() {
            Quoted::Utf8Twice
        } else {
            Quoted::Utf8
        },
        state: Next::Path,
    };
    let body = stream_body(try_unfold(parts, Parts::next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// The rest of a form that is being sent.
struct Parts {
    files: Files,
    paths: IntoIter<String>,
    boundary: String,
    quoted: Quoted,
    state: Next,
}

enum Next {
    /// The part of the next path, or the end.
    Path,
    /// A piece of this file.
    Piece(Box<Opened>),
    Nothing,
}

impl Parts {
    /// Returns the next bytes. A file that cannot be read to its end ends the body there, which the client detects.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, io::Error> {
        // A file's piece puts itself back; at its end the next path follows.
        let bytes = match std::mem::replace(&mut self.state, Next::Path) {
            Next::Nothing => return Ok(None),
            Next::Path => match self.paths.next() {
                Some(path) => self.start(path).await,
                None => {
                    self.state = Next::Nothing;
                    format!("--{}--\r\n", self.boundary).into()
                }
            },
            Next::Piece(mut file) => match piece(&mut file).await? {
                Some(piece) => {
                    self.state = Next::Piece(file);
                    piece
                }
                None => Bytes::from_static(b"\r\n"),
            },
        };
        Ok(Some((bytes, self)))
    }

    /// Returns the head of a file's part, or the whole part of an error.
    async fn start(&mut self, path: String) -> Bytes {
        let boundary = &self.boundary;
        let whole = Range::default();
        match Opened::new(&self.files, &names::to_path(path.as_bytes()), &whole).await {
            Ok(file) => {
                let disposition = disposition("form-data; name=\"file\"", &path, self.quoted);
                // The length of a file of /proc is not known before it is read.
                let length = file.length();
                let length = length.map(|length| format!("Content-Length: {length}\r\n"));
                let length = length.unwrap_or_default();
                self.state = Next::Piece(Box::new(file));
                format!(
                    "--{boundary}\r\nContent-Disposition: {disposition}\r\n\
                     Content-Type: application/octet-stream\r\n{length}\r\n"
                )
                .into()
            }
            Err(error) => {
                let disposition = disposition("form-data; name=\"error\"", &path, self.quoted);
                // The response has begun, so that an error of one file can only be a part of it.
                let error = json!({
                    "message": error.message(),
                    "statusCode": error.code().http_status(),
                    "code": error.code().name(),
                    "source": SOURCE_DAEMON,
                });
                format!(
                    "--{boundary}\r\nContent-Disposition: {disposition}\r\n\
                     Content-Type: application/json\r\n\r\n{error}\r\n"
                )
                .into()
            }
        }
    }
}

/// Returns the next piece of a file; `None` at the end.
pub(super) async fn piece(file: &mut Opened) -> io::Result<Option<Bytes>> {
    let piece = file.next().await;
    piece.map_err(|error| io::Error::other(error.message().to_owned()))
}

/// The encoding of a quoted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoted {
    Utf8,
    /// UTF-8 of the characters whose numbers are the bytes of UTF-8.
    Utf8Twice,
}

/// Returns a `Content-Disposition` with a file name: as a quoted text, and where clients differ in its interpretation, as an
/// extended parameter as well (RFC 8187).
///
/// Forms must not have extended parameters (RFC 7578). So browsers and Python SDKs before 0.226 ignore it; the other SDKs prefer it.
pub(super) fn disposition(kind: &str, name: &str, encoding: Quoted) -> String {
    let mut quoted = String::new();
    for character in name.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // A line break would end the header, and let a file's name add headers of its own.
            '\0'..' ' | '\x7f' => quoted.push('_'),
            _ if encoding == Quoted::Utf8 => quoted.push(character),
            _ => {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes).bytes();
                quoted.extend(bytes.map(char::from));
            }
        }
    }
    if quoted == name && name.is_ascii() {
        return format!("{kind}; filename=\"{quoted}\"");
    }
    let mut extended = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            extended.push(char::from(byte))
        } else {
            extended.extend(format!("%{byte:02X}").chars())
        }
    }
    format!("{kind}; filename=\"{quoted}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_escaped() {
        let check = |name, expect| {
            assert_eq!(disposition("x", name, Quoted::Utf8), expect);
        };
        check("/a b/c;d%41.txt", r#"x; filename="/a b/c;d%41.txt""#);
        check(
            "a/\u{e9}",
            "x; filename=\"a/\u{e9}\"; filename*=UTF-8''a%2F%C3%A9",
        );
        check(
            "a\"\r\n\\",
            r#"x; filename="a\"__\\"; filename*=UTF-8''a%22%0D%0A%5C"#,
        );
        let twice = disposition("x", "\u{e9}", Quoted::Utf8Twice);
        assert_eq!(
            twice,
            "x; filename=\"\u{c3}\u{a9}\"; filename*=UTF-8''%C3%A9"
        );
    }
}
