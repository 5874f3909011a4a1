//! Files and archives that are received.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sandbox_wire::pb;
use sandbox_wire::pb::{read_archive_response, read_response};
use tokio::time::timeout;
use tonic::Streaming;

use super::convert::bytes;
use crate::exchange::timed_out;
use crate::grpc::call::{self, Call, Failed};
use crate::grpc::{GrpcTransport, status};
use crate::limits::TRANSFER_IDLE;
use crate::resume::{Pieces, Reopen, Resumed};
use crate::source::{Source, event_stream};
use crate::{Delivery, Effect, Error, FileReader};

/// Starts to read a file.
pub(super) async fn file(transport: &GrpcTransport, path: &Path) -> Result<FileReader, Error> {
    let mut request = pb::ReadRequest {
        path: bytes(path),
        ..pb::ReadRequest::default()
    };
    let (started, stream) = open(transport, &request).await?;
    // Only now: the first call accepts any content, the next ones only the same.
    request.if_match = started.file.map(|file| file.entity_tag).unwrap_or_default();
    let download = Download {
        idle: transport.options.deadline.unwrap_or(TRANSFER_IDLE),
        transport: transport.clone(),
        request,
        stream,
    };
    let download = event_stream(Resumed::new(download));
    Ok(FileReader::new(started.length, download))
}

/// Makes the call, and returns its first message with the rest of the stream.
async fn open(
    transport: &GrpcTransport,
    request: &pb::ReadRequest,
) -> Result<(pb::ReadStarted, Streaming<pb::ReadResponse>), Error> {
    let read = |wire| {
        let request = request.clone();
        async move {
            let mut stream = call::files(wire).read(request).await?.into_inner();
            match stream.message().await?.and_then(|message| message.event) {
                Some(read_response::Event::Started(started)) => Ok((started, stream)),
                _ => Err(Failed::Error(status::incomplete("beginning"))),
            }
        }
    };
    transport.call(Call::new(Effect::None), read).await
}

struct Download {
    transport: GrpcTransport,
    /// The request for the rest of the file.
    request: pb::ReadRequest,
    /// The longest wait for a piece.
    idle: Duration,
    stream: Streaming<pb::ReadResponse>,
}

impl Pieces for Download {
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = within(self.idle, piece(&mut self.stream)).await?;
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.request.offset += length as u64;
        Ok(piece)
    }

    fn can_reopen(&self) -> bool {
        // Without a tag, another file could be continued.
        !self.request.if_match.is_empty()
    }
}

impl Reopen for Download {
    async fn reopen(&mut self) -> Result<(), Error> {
        self.stream = open(&self.transport, &self.request).await?.1;
        Ok(())
    }
}

/// Returns the next piece of a file; `None` after the last one.
async fn piece(stream: &mut Streaming<pb::ReadResponse>) -> Result<Option<Bytes>, Error> {
    loop {
        let Some(message) = stream.message().await.map_err(status::error)? else {
            // The trailers, which have arrived already, distinguish the end from a cut.
            let trailers = stream.trailers().await.map_err(status::error)?;
            return trailers.map(|_| None).ok_or_else(status::cut);
        };
        match message.event {
            Some(read_response::Event::Data(data)) if !data.is_empty() => return Ok(Some(data)),
            _ => {}
        }
    }
}

/// Starts to read a directory as an archive.
pub(super) async fn archive(transport: &GrpcTransport, path: &Path) -> Result<FileReader, Error> {
    let request = pb::ReadArchiveRequest { path: bytes(path) };
    let read = |wire| {
        let request = request.clone();
        async move {
            let mut stream = call::files(wire).read_archive(request).await?.into_inner();
            // An error at the beginning is that of the operation.
            let first = stream.message().await?.and_then(|message| message.event);
            Ok((first, stream))
        }
    };
    let (first, stream) = transport.call(Call::new(Effect::None), read).await?;
    // Not resumed: an archive is written while it is sent, and has neither a tag nor offsets.
    let archive = Archive {
        idle: transport.options.deadline.unwrap_or(TRANSFER_IDLE),
        first,
        stream,
    };
    Ok(FileReader::new(None, event_stream(archive)))
}

struct Archive {
    idle: Duration,
    first: Option<read_archive_response::Event>,
    stream: Streaming<pb::ReadArchiveResponse>,
}

impl Source<Bytes> for Archive {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let event = match self.first.take() {
                Some(first) => Some(first),
                None => {
                    let message = async {
                        let message = self.stream.message().await.map_err(status::error)?;
                        message.ok_or_else(status::cut)
                    };
                    within(self.idle, message).await?.event
                }
            };
            match event {
                Some(read_archive_response::Event::Data(data)) if !data.is_empty() => {
                    return Ok(Some(data));
                }
                Some(read_archive_response::Event::Summary(_)) => return Ok(None),
                _ => {}
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let done = timeout(limit, work).await;
    done.map_err(|_| timed_out(limit, Delivery::Uncertain))?
}
