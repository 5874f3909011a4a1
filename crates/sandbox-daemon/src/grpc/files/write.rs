//! Receives files.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Buf;
use sandbox_files::{Files, WriteOptions};
use sandbox_wire::pb;
use sandbox_wire::pb::write_request::Message;
use tokio::sync::oneshot;
use tonic::{Status, Streaming};

use super::convert::{info, mode_of, path_of};
use super::incoming::next;
use super::uploads::{Held, Turn, Uploads};
use crate::grpc::context::Context;
use crate::grpc::stream::first_request;
use crate::limits::REQUEST_KEY_BYTES;
use crate::service::Error;
use crate::service::files::at;

type Requests = Streaming<pb::WriteRequest>;

/// Writes the file of a call.
pub(super) async fn write(
    files: &Files,
    uploads: &Arc<Uploads>,
    mut requests: Requests,
    mut context: Context,
) -> Result<pb::FileInfo, Status> {
    let first = first_request(&mut requests).await?;
    let Some(Message::Start(start)) = first.and_then(|first| first.message) else {
        return Err(Error::bad("the first request is not start").into());
    };
    let file = File {
        path: path_of(start.path),
        options: WriteOptions {
            mode: mode_of(start.mode)?,
            create_dirs: start.create_directories,
            sync: start.sync,
        },
        files: files.clone(),
    };
    if start.upload_id.is_empty() {
        if start.offset > 0 {
            return Err(Error::bad("an offset is for an upload with an id").into());
        }
        // Without an id no call can continue the file, so that dropping the future in the middle is
        // right.
        return context.unless_over(file.receive(requests)).await?;
    }
    if start.upload_id.len() > REQUEST_KEY_BYTES {
        let message = format!("the id of an upload has at most {REQUEST_KEY_BYTES} bytes");
        return Err(Error::bad(message).into());
    }
    let absolute = files.absolute(&file.path).map_err(Error::from)?;
    let turn = uploads.claim(&start.upload_id, &absolute)?;
    // A task of its own ends between two writes: a write that is dropped in the middle could not be continued.
    let (_guard, left) = oneshot::channel();
    let receiving = tokio::spawn(file.resume(requests, turn, start.offset, left));
    let received = context.unless_over(receiving).await?;
    received.map_err(|_| Status::internal("the upload failed"))?
}

/// The file that a call writes.
struct File {
    files: Files,
    path: PathBuf,
    options: WriteOptions,
}

impl File {
    /// Writes a file of which nothing remains if the future is dropped.
    async fn receive(self, mut requests: Requests) -> Result<pb::FileInfo, Status> {
        let writer = self.files.writer(&self.path, self.options).await;
        let mut writer = writer.map_err(at(&self.path))?;
        while let Some(data) = next(&mut requests).await? {
            writer.write(data).await.map_err(at(&self.path))?;
        }
        let metadata = writer.finish().await.map_err(at(&self.path))?;
        let path = self.files.absolute(&self.path).map_err(Error::from)?;
        Ok(info(path, &metadata))
    }

    /// Writes a file, or continues one. What was received remains in the upload if the call ends.
    async fn resume(
        self,
        mut requests: Requests,
        mut turn: Turn,
        offset: u64,
        mut left: oneshot::Receiver<()>,
    ) -> Result<pb::FileInfo, Status> {
        let path = self.files.absolute(&self.path).map_err(Error::from)?;
        let mut held = turn.start().await?;
        if let Held::Nothing = *held {
            let writer = self.files.writer(&self.path, self.options).await;
            *held = Held::Part(Box::new(writer.map_err(at(&self.path))?));
        }
        let mut skipped = held.received().checked_sub(offset).ok_or_else(|| {
            let message = format!("only {} bytes of the upload were received", held.received());
            Error::new(sandbox_wire::ErrorCode::RangeNotSatisfiable, message)
        })?;
        loop {
            let data = tokio::select! {
                data = next(&mut requests) => data?,
                // Only between two pieces: the writer then has whole pieces, and the next call can
                // continue it.
                () = turn.taken() => return Err(Turn::lost().into()),
                // The call has ended.
                _ = &mut left => return Err(Status::cancelled("the call has ended")),
            };
            let Some(mut data) = data else {
                break;
            };
            let known = skipped.min(data.len() as u64);
            skipped -= known;
            // A client that does not know how much arrived may send again what was received
            // already.
            data.advance(usize::try_from(known).unwrap_or(data.len()));
            if let Held::Part(writer) = &mut *held {
                let written = writer.write(data).await;
                // Also after an error, which may have come after some bytes.
                turn.report(writer.written());
                if let Err(error) = written {
                    *held = Held::Nothing;
                    turn.report(0);
                    return Err(at(&self.path)(error).into());
                }
            } else if !data.is_empty() {
                return Err(Error::bad("the file is longer than the complete upload").into());
            }
        }
        if skipped > 0 && !matches!(*held, Held::Complete(_)) {
            return Err(Error::bad("the file ends before what was received of it").into());
        }
        // If `finish` fails or is dropped, `Nothing` stays, and the next call starts again.
        let metadata = match std::mem::take(&mut *held) {
            Held::Part(writer) => {
                let finished = writer.finish().await;
                // The bytes cannot be written a second time.
                let forget = |_: &_| turn.report(0);
                finished.inspect_err(forget).map_err(at(&self.path))?
            }
            Held::Complete(metadata) => metadata,
            Held::Nothing => return Err(Turn::lost().into()),
        };
        *held = Held::Complete(metadata);
        turn.complete();
        Ok(info(path, &metadata))
    }
}
