//! The requests of a call that sends a file or an archive.

use bytes::Bytes;
use sandbox_wire::ErrorCode;
use sandbox_wire::pb::{self, write_archive_request, write_request};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::limits::UPLOAD_STALL;
use crate::service::Error;

/// A request after the first one.
pub(super) trait Piece {
    /// Returns the bytes of the request; `None` if it is of another kind.
    fn data(self) -> Option<Bytes>;
}

impl Piece for pb::WriteRequest {
    fn data(self) -> Option<Bytes> {
        match self.message? {
            write_request::Message::Data(data) => Some(data),
            write_request::Message::Start(_) => None,
        }
    }
}

impl Piece for pb::WriteArchiveRequest {
    fn data(self) -> Option<Bytes> {
        match self.message? {
            write_archive_request::Message::Data(data) => Some(data),
            write_archive_request::Message::Start(_) => None,
        }
    }
}

/// Returns the next bytes; `None` at the end of the requests. Cancel safe.
pub(super) async fn next<T: Piece>(requests: &mut Streaming<T>) -> Result<Option<Bytes>, Status> {
    // Pings show only that the client's host lives. A client that sends no data would hold a file's
    // descriptor and an upload's turn without a limit.
    let Ok(request) = timeout(UPLOAD_STALL, requests.message()).await else {
        let message = format!("no data arrived for {} s", UPLOAD_STALL.as_secs());
        return Err(Error::new(ErrorCode::RequestTimeout, message).into());
    };
    let Some(request) = request? else {
        return Ok(None);
    };
    let data = request.data();
    Ok(Some(
        data.ok_or_else(|| Error::bad("a request without data"))?,
    ))
}
