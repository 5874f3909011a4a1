//! Uploads: a form with one file, which every version of the daemon accepts.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use uuid::Uuid;

use super::convert;
use super::names::request_bytes;
use crate::exchange::Upload;
use crate::exchange::answer::Answer;
use crate::http::HttpTransport;
use crate::http::body::Outgoing;
use crate::http::call::Call;
use crate::limits::TRANSFER_IDLE;
use crate::model::ArchiveSummary;
use crate::{Delivery, Error, ErrorKind, FileContent};

/// Writes a file. Returns the permissions that it is still to be given, which a stock daemon does not read in an upload.
pub(super) async fn write(
    transport: &HttpTransport,
    path: &Path,
    content: FileContent,
) -> Result<Option<u32>, Error> {
    let path = request_bytes(path);
    if path.is_empty() {
        let message = "the path is empty";
        let kind = ErrorKind::InvalidInput;
        return Err(Error::new(kind, Delivery::NotSent, message));
    }
    let mode = content.mode;
    let form = Form::new(&path, mode);
    // The length is that of the whole form, for `Content-Length`: without it, the body is sent in
    // chunks.
    let length = content.length.and_then(|length| {
        let around = form.head.len() + form.tail.len();
        length.checked_add(around as u64)
    });
    let content_type = HeaderValue::from_str(&form.content_type).map_err(|error| {
        let message = "the boundary of the form cannot be sent";
        Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
    })?;
    let call = Call::post("/files/bulk-upload").header(header::CONTENT_TYPE, content_type);
    let upload = Upload::new(content);
    let body = |content| Outgoing::Upload {
        head: Some(form.head.clone()),
        content,
        tail: Some(form.tail.clone()),
        length,
    };
    let answer = send(transport, &call, &upload, body).await?;
    answer.nothing()?;
    let is_applied = answer.headers.contains_key(MODE_APPLIED);
    Ok(mode.filter(|_| !is_applied))
}

/// Extracts an archive.
pub(super) async fn archive(
    transport: &HttpTransport,
    route: String,
    archive: FileContent,
) -> Result<ArchiveSummary, Error> {
    let content_type = HeaderValue::from_static("application/x-tar");
    let call = Call::post(route).header(header::CONTENT_TYPE, content_type);
    let length = archive.length;
    let upload = Upload::new(archive);
    let body = |content| Outgoing::Upload {
        head: None,
        content,
        tail: None,
        length,
    };
    let answer = send(transport, &call, &upload, body).await?;
    answer.json().map(convert::summary)
}

async fn send(
    transport: &HttpTransport,
    call: &Call,
    upload: &Upload,
    body: impl Fn(Upload) -> Outgoing + Send + Sync,
) -> Result<Answer, Error> {
    // Dropped when the operation ends, also by its caller: an early refusal leaves the connection
    // reading on.
    let _guard = upload.guard();
    let idle = transport.options.deadline.unwrap_or(TRANSFER_IDLE);
    let body = &body;
    let exchange = |token, progress| async move {
        // The head and the tail are made anew for each attempt. Content that was sent in part is an
        // error here, and ends the attempts.
        let body = body(upload.begin()?);
        let answer = transport.exchange(call, body, token, progress);
        upload.watch(idle, answer).await
    };
    transport.attempts(call, NO_DEADLINE).make(exchange).await
}

/// The text around a file in a form (RFC 7578).
struct Form {
    content_type: String,
    head: Bytes,
    tail: Bytes,
}

impl Form {
    fn new(path: &[u8], mode: Option<u32>) -> Self {
        // Random, so that no content has it.
        let boundary = Uuid::new_v4().simple().to_string();
        let mut head = BytesMut::new();
        head.put_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"files[0].path\"\r\n\r\n"
            )
            .as_bytes(),
        );
        // The path and the mode precede the file, since a daemon writes the file while it reads the
        // form.
        head.put_slice(path);
        if let Some(mode) = mode {
            let part = format!(
                "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"files[0].mode\"\r\n\r\n{mode:04o}"
            );
            head.put_slice(part.as_bytes());
        }
        head.put_slice(
            format!(
                "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"files[0].file\"; \
                 filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            )
            .as_bytes(),
        );
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            head: head.freeze(),
            tail: format!("\r\n--{boundary}--\r\n").into(),
        }
    }
}

/// The header of a daemon that has given the file its permissions.
const MODE_APPLIED: HeaderName = HeaderName::from_static("x-sandbox-mode-applied");

/// Transfers have no limit in total.
const NO_DEADLINE: std::time::Duration = std::time::Duration::MAX;
