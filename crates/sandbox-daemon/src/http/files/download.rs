//! `GET /files/download`.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use http::{HeaderValue, header};
use sandbox_files::Reader;

use super::bulk::{Quoted, disposition};
use super::names;
use super::query::path_of;
use crate::http::response::{stream_body, typed};
use crate::http::{Call, Responded};
use crate::service::files::about;

/// `GET /files/download`: the bytes of a file, as they are read.
pub(in crate::http) async fn download(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let failed = |error| about(&names::to_text(&path), error);
    let mut reader = call.state.files.reader(&path).await.map_err(failed)?;
    let length = reader.remaining();
    // An error at the beginning results in a response with its reason.
    let first = reader.next().await.map_err(failed)?;
    let is_empty = first.is_none();
    let mut response = typed(OCTETS, stream_body(pieces(first, reader)));
    let headers = response.headers_mut();
    if let Some(length) = length.or_else(|| is_empty.then_some(0)) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let name = path.file_name().map(std::path::Path::new).unwrap_or(&path);
    let attachment = disposition("attachment", &names::to_text(name), Quoted::Utf8);
    if let Ok(attachment) = HeaderValue::from_bytes(attachment.as_bytes()) {
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    Ok(response)
}

/// Returns the pieces of a file of which the first was read.
fn pieces(
    first: Option<Bytes>,
    reader: Reader,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    try_unfold((first, reader), async |(first, mut reader)| {
        let piece = match first {
            Some(first) => Some(first),
            None => reader.next().await.map_err(io::Error::other)?,
        };
        Ok(piece.map(|piece| (piece, (None, reader))))
    })
}

const OCTETS: &str = "application/octet-stream";
