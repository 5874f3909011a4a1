//! `GET /files/download`.

use std::io;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::{HeaderValue, header};

use super::bulk::{Quoted, disposition};
use super::names;
use super::opened::Opened;
use super::query::path_of;
use crate::http::response::{stream_body, typed};
use crate::http::{Call, Responded};
use crate::service::files::about;

/// `GET /files/download`: the bytes of a file, as they are read.
pub(in crate::http) async fn download(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let failed = |error| about(&names::to_text(&path), error);
    let file = Opened::new(&call.state.files, &path).await;
    let file = file.map_err(failed)?;
    let length = file.length();
    // An error at the beginning results in a response with its reason.
    let mut response = typed(OCTETS, stream_body(try_unfold(file, piece)));
    let headers = response.headers_mut();
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let name = path.file_name().map(std::path::Path::new).unwrap_or(&path);
    let attachment = disposition("attachment", &names::to_text(name), Quoted::Utf8);
    if let Ok(attachment) = HeaderValue::from_bytes(attachment.as_bytes()) {
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    Ok(response)
}

async fn piece(mut file: Opened) -> io::Result<Option<(Bytes, Opened)>> {
    let piece = file.next().await?;
    Ok(piece.map(|piece| (piece, file)))
}

const OCTETS: &str = "application/octet-stream";
