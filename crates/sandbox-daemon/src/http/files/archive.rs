//! *Extension*: `GET` and `POST` of `/files/archive`: directories as tar archives.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::try_unfold;
use http::StatusCode;
use sandbox_files::{ArchiveReader, ArchiveSummary};
use sandbox_wire::rest;

use super::incoming::Shared;
use super::query::path_of;
use crate::http::response::{json, stream_body, typed};
use crate::http::{Call, Responded};
use crate::service::Error;
use crate::service::files::{about_archive, at};

/// `GET /files/archive`: a directory or a file as an archive, which is created while it is sent.
pub(in crate::http) async fn read_archive(call: Call) -> Responded {
    let path = path_of(&call, "path")?;
    let reader = call.state.files.read_archive(&path).await;
    let mut sending = Sending {
        reader: reader.map_err(at(&path))?,
        path,
        first: None,
    };
    // An error at the beginning results in a response with its reason.
    sending.first = sending.piece().await?;
    let body = stream_body(try_unfold(sending, Sending::next));
    Ok(typed(TAR, body))
}

/// An archive that is being sent.
struct Sending {
    path: PathBuf,
    reader: ArchiveReader,
    first: Option<Bytes>,
}

impl Sending {
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = self.reader.next().await;
        piece.map_err(|error| about_archive(&self.path, &error))
    }

    /// Returns the next bytes. An archive that cannot be completed ends the body there, which the client detects.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let piece = match self.first.take() {
            Some(first) => Some(first),
            None => self.piece().await.map_err(|error| {
                tracing::warn!(error = error.message(), "an archive is incomplete");
                io::Error::other(error.message().to_owned())
            })?,
        };
        Ok(piece.map(|piece| (piece, self)))
    }
}

/// `POST /files/archive`: the body is an archive, which is extracted while it arrives.
pub(in crate::http) async fn write_archive(mut call: Call) -> Responded {
    call.check_encoding().await?;
    let path = match path_of(&call, "path") {
        Ok(path) => path,
        Err(error) => {
            call.discard_body().await;
            return Err(error);
        }
    };
    let shared = Shared::take(&mut call);
    let extracted = extract(&call, &shared, path).await;
    shared.put_back(&mut call);
    // A client may send the whole body before it reads the error.
    call.discard_body().await;
    Ok(json(StatusCode::OK, &summary(extracted?))?)
}

async fn extract(call: &Call, shared: &Shared, path: PathBuf) -> Result<ArchiveSummary, Error> {
    let writer = call.state.files.write_archive(&path).await;
    let mut writer = writer.map_err(at(&path))?;
    let mut frames = shared.frames();
    // If the client leaves, the writer is dropped, which ends the extraction.
    while let Some(bytes) = frames.next().await {
        let bytes = bytes.map_err(|stopped| Error::from(&stopped))?;
        shared.claim();
        if !bytes.is_empty() && !writer.write(bytes).await {
            break;
        }
    }
    let extracted = writer.finish().await;
    extracted.map_err(|error| about_archive(&path, &error))
}

fn summary(summary: ArchiveSummary) -> rest::ArchiveSummary {
    rest::ArchiveSummary {
        files: summary.files,
        directories: summary.dirs,
        links: summary.links,
        bytes: summary.bytes,
    }
}

const TAR: &str = "application/x-tar";
