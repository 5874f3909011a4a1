//! Files and archives that are sent.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use sandbox_wire::pb;
use sandbox_wire::pb::{write_archive_request, write_request};
use tonic::{Code, Response, Status};

use super::convert::{self, bytes};
use crate::exchange::Upload;
use crate::grpc::call::{self, Call, Failed};
use crate::grpc::wire::Wire;
use crate::grpc::{GrpcTransport, status};
use crate::limits::TRANSFER_IDLE;
use crate::model::ArchiveSummary;
use crate::{CallOptions, Effect, Error, FileContent};

/// Writes a file.
pub(super) async fn file(
    transport: &GrpcTransport,
    path: &Path,
    content: FileContent,
) -> Result<(), Error> {
    let start = pb::WriteStart {
        path: bytes(path),
        mode: content.mode,
        create_directories: true,
        ..pb::WriteStart::default()
    };
    let message = |message| pb::WriteRequest {
        message: Some(message),
    };
    let write = |wire, upload| {
        let first = message(write_request::Message::Start(start.clone()));
        let rest = move |data| message(write_request::Message::Data(data));
        async move { call::files(wire).write(messages(first, upload, rest)).await }
    };
    Box::pin(send(transport, content, write)).await.map(drop)
}

/// Extracts an archive.
pub(super) async fn archive(
    transport: &GrpcTransport,
    path: &Path,
    archive: FileContent,
) -> Result<ArchiveSummary, Error> {
    let start = pb::WriteArchiveStart { path: bytes(path) };
    let message = |message| pb::WriteArchiveRequest {
        message: Some(message),
    };
    let write = |wire, upload| {
        let first = message(write_archive_request::Message::Start(start.clone()));
        let rest = move |data| message(write_archive_request::Message::Data(data));
        async move {
            let requests = messages(first, upload, rest);
            call::files(wire).write_archive(requests).await
        }
    };
    let received = Box::pin(send(transport, archive, write)).await?;
    let summary = received
        .summary
        .ok_or_else(|| status::incomplete("summary"))?;
    Ok(convert::summary(summary))
}

/// Returns the messages of an upload. Content that fails never ends them: the body that contains them is cut off, see
/// [`Wire::with_upload`].
fn messages<M: Send + 'static>(
    first: M,
    upload: Upload,
    data: impl Fn(Bytes) -> M + Send + 'static,
) -> impl Stream<Item = M> + Send + 'static {
    let rest = upload.filter_map(move |piece| {
        let message = piece.ok().map(&data);
        async move {
            match message {
                Some(message) => Some(message),
                None => std::future::pending().await,
            }
        }
    });
    stream::iter([first]).chain(rest)
}

async fn send<A, F>(
    transport: &GrpcTransport,
    content: FileContent,
    write: impl Fn(Wire, Upload) -> F + Send + Sync,
) -> Result<A, Error>
where
    F: Future<Output = Result<Response<A>, Status>> + Send,
{
    let upload = Upload::new(content);
    let _guard = upload.guard();
    let idle = transport.options.deadline.unwrap_or(TRANSFER_IDLE);
    // A transfer has no limit in total.
    let transport = GrpcTransport {
        inner: transport.inner.clone(),
        options: CallOptions {
            deadline: None,
            ..transport.options.clone()
        },
    };
    let attempt = |wire: Wire| {
        let begun = upload.begin();
        let written = begun.map(|begun| write(wire.with_upload(begun.clone()), begun));
        let upload = &upload;
        async move {
            match written?.await {
                Ok(answer) => Ok(answer.into_inner()),
                // Explained inside of the attempt: a bare 401 would lead to a second one with a
                // fresh token, which has no content to send.
                Err(status) if status.code() == Code::Unauthenticated => {
                    Err(Failed::Error(upload.explain(status::error(status))))
                }
                Err(status) => Err(Failed::Status(status)),
            }
        }
    };
    let call = Call::new(Effect::Once).deadline(Duration::MAX);
    upload.watch(idle, transport.call(call, attempt)).await
}
