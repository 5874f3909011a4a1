//! `GET` and `HEAD` of `/files/download`.

use std::path::Path;

use futures_util::stream::try_unfold;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use sandbox_files::Metadata;
use sandbox_wire::ErrorCode;

use super::bulk::{Quoted, disposition, piece};
use super::query::path_of;
use super::range::{Requested, requested};
use crate::http::response::{Body, empty_body, stream_body, typed};
use crate::http::{ApiError, Call, Responded};
use crate::service::files::{Opened, Range, at, names};

/// `GET /files/download`: the bytes of a file, or of a range of it, as they are read. `HEAD` returns the same headers.
pub(in crate::http) async fn download(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let reader = call.state.files.reader(&path).await.map_err(at(&path))?;
    let metadata = *reader.metadata();
    // Those of `/proc` do not know their length, and have no ranges.
    let size = reader.remaining();
    let tag = format!("\"{}\"", metadata.entity_tag());
    let requested = match size {
        Some(size) => requested(&call.parts.headers, &tag, size),
        None => Requested::Whole,
    };
    let range = match requested {
        Requested::Whole => Range::default(),
        Requested::Part { offset, length } => Range {
            offset,
            length: Some(length),
            ..Range::default()
        },
        Requested::Beyond => return Err(beyond(&path, metadata.size)),
    };
    // An error at the beginning results in a response with its reason.
    let file = Opened::of(&path, reader, &range).await?;
    let length = file.length();
    let body = if call.parts.method == Method::HEAD {
        empty_body()
    } else {
        stream_body(try_unfold(file, async |mut file| {
            Ok(piece(&mut file).await?.map(|piece| (piece, file)))
        }))
    };
    let mut response = typed(OCTETS, body);
    describe(response.headers_mut(), &path, &tag, length);
    if let Some(length) = range.length {
        partial(&mut response, &metadata, range.offset, length)?;
    }
    Ok(response)
}

/// Adds the headers of a file of which this many bytes are sent.
fn describe(headers: &mut HeaderMap, path: &Path, tag: &str, length: Option<u64>) {
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let name = path.file_name().map(Path::new).unwrap_or(path);
    let attachment = disposition("attachment", &names::to_text(name), Quoted::Utf8);
    if let Ok(attachment) = HeaderValue::from_bytes(attachment.as_bytes()) {
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

/// Marks a response as that to a range.
fn partial(
    response: &mut Response<Body>,
    metadata: &Metadata,
    offset: u64,
    length: u64,
) -> Result<(), ApiError> {
    // A part has at least one byte.
    let last = offset + length - 1;
    let range = format!("bytes {offset}-{last}/{}", metadata.size);
    let range = HeaderValue::from_str(&range).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::CONTENT_RANGE, range);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    Ok(())
}

/// Returns the error for a range that has no byte of the file.
fn beyond(path: &Path, size: u64) -> ApiError {
    let path = names::to_text(path);
    let message = format!("{path}: the range is beyond the end at {size}");
    let error = ApiError::new(ErrorCode::RangeNotSatisfiable, message);
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(range) => error.header(header::CONTENT_RANGE, range),
        Err(_) => error,
    }
}

const OCTETS: &str = "application/octet-stream";
