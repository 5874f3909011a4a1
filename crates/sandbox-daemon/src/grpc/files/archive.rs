//! Sends and receives archives.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream;
use sandbox_files::{ArchiveReader, Files};
use sandbox_wire::pb;
use sandbox_wire::pb::read_archive_response::Event;
use sandbox_wire::pb::write_archive_request::Message;
use tonic::{Response, Status, Streaming};

use super::convert::{path_of, summary};
use super::incoming::next;
use super::read::chunk_of;
use crate::grpc::context::Context;
use crate::grpc::stream::{Events, first_request, unless_unread};
use crate::service::Error;
use crate::service::files::{about_archive, at};

/// Responds with an archive.
pub(super) fn respond(
    path: PathBuf,
    reader: ArchiveReader,
    context: Context,
) -> Response<Events<pb::ReadArchiveResponse>> {
    let sending = Sending {
        path,
        reader,
        rest: Bytes::new(),
        has_ended: false,
        context,
    };
    // There are few archives at a time.
    Response::new(unless_unread(stream::try_unfold(sending, Sending::next)))
}

/// An archive that is being sent.
struct Sending {
    path: PathBuf,
    reader: ArchiveReader,
    rest: Bytes,
    has_ended: bool,
    context: Context,
}

impl Sending {
    async fn next(mut self) -> Result<Option<(pb::ReadArchiveResponse, Self)>, Status> {
        if self.has_ended {
            return Ok(None);
        }
        if self.rest.is_empty() {
            let next = self.context.unless_over(self.reader.next()).await?;
            match next.map_err(|error| about_archive(&self.path, &error))? {
                Some(bytes) => self.rest = bytes,
                None => self.has_ended = true,
            }
        }
        let event = if self.has_ended {
            Event::Summary(summary(self.reader.summary().cloned().unwrap_or_default()))
        } else {
            Event::Data(chunk_of(&mut self.rest))
        };
        let event = Some(event);
        Ok(Some((pb::ReadArchiveResponse { event }, self)))
    }
}

/// Extracts the archive of a call.
pub(super) async fn receive(
    files: &Files,
    mut requests: Streaming<pb::WriteArchiveRequest>,
    mut context: Context,
) -> Result<pb::ArchiveSummary, Status> {
    let first = first_request(&mut requests).await?;
    let Some(Message::Start(start)) = first.and_then(|first| first.message) else {
        return Err(Error::bad("the first request is not start").into());
    };
    let path = path_of(start.path);
    let mut writer = files.write_archive(&path).await.map_err(at(&path))?;
    // If the call ends early, the writer is dropped, which ends the extraction.
    while let Some(data) = context.unless_over(next(&mut requests)).await?? {
        // The extraction has ended early, with an error that `finish` returns.
        if !data.is_empty() && !writer.write(data).await {
            break;
        }
    }
    let extracted = writer.finish().await;
    let extracted = extracted.map_err(|error| about_archive(&path, &error))?;
    Ok(summary(extracted))
}
