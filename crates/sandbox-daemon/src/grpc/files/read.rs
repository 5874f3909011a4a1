//! Sends the content of files.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream;
use sandbox_wire::pb;
use sandbox_wire::pb::read_response::Event;
use tonic::{Response, Status};

use super::convert::info;
use crate::grpc::context::Context;
use crate::grpc::stream::Events;
use crate::limits::GRPC_CHUNK_BYTES;
use crate::service::files::Opened;

/// Responds with a file.
pub(super) fn respond(
    path: PathBuf,
    opened: Opened,
    context: Context,
) -> Response<Events<pb::ReadResponse>> {
    let started = pb::ReadStarted {
        file: Some(info(path, opened.metadata())),
        length: opened.length(),
    };
    let sending = Sending {
        started: Some(started),
        opened,
        rest: Bytes::new(),
        context,
    };
    Response::new(Box::pin(stream::try_unfold(sending, Sending::next)))
}

/// A file that is being sent.
struct Sending {
    started: Option<pb::ReadStarted>,
    opened: Opened,
    rest: Bytes,
    context: Context,
}

impl Sending {
    async fn next(mut self) -> Result<Option<(pb::ReadResponse, Self)>, Status> {
        let event = match self.started.take() {
            Some(started) => Event::Started(started),
            None => match self.chunk().await? {
                Some(chunk) => Event::Data(chunk),
                None => return Ok(None),
            },
        };
        let event = Some(event);
        Ok(Some((pb::ReadResponse { event }, self)))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Status> {
        if self.rest.is_empty() {
            match self.context.unless_over(self.opened.next()).await?? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(None),
            }
        }
        Ok(Some(chunk_of(&mut self.rest)))
    }
}

/// Splits off what fits into one message.
pub(super) fn chunk_of(rest: &mut Bytes) -> Bytes {
    rest.split_to(rest.len().min(GRPC_CHUNK_BYTES))
}
