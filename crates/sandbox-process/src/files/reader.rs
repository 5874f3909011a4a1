//! A file that is read in pieces.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sandbox_transport::{Error, ErrorKind};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::client::Client;

/// A reader of a file in a sandbox; made by [`Files::reader`](crate::Files::reader).
///
/// It is an [`AsyncRead`] and an [`AsyncBufRead`], and a [`Stream`] of bytes. The end is the end of the file: a transfer that
/// is cut, or a file that became shorter while it was read, is an error. Nothing is read ahead. Dropping the reader ends the
/// transfer.
///
/// An [`io::Error`] of this reader contains the [`Error`]: [`io::Error::get_ref`] returns it.
pub struct FileReader {
    pieces: sandbox_transport::FileReader,
    piece: Bytes,
    /// An embedded daemon lives as long as this.
    #[expect(dead_code, reason = "it is dropped with this")]
    client: Client,
}

impl FileReader {
    pub(super) fn new(pieces: sandbox_transport::FileReader, client: Client) -> Self {
        Self {
            pieces,
            piece: Bytes::new(),
            client,
        }
    }

    /// Returns the length of the file in bytes when it was opened, or `None` if the daemon does not report it.
    pub fn size(&self) -> Option<u64> {
        self.pieces.size()
    }
}

/// The pieces of the file, as they arrive.
impl Stream for FileReader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.piece.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.piece))));
        }
        Pin::new(&mut self.pieces).poll_next(context)
    }
}

impl AsyncBufRead for FileReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.piece.is_empty() {
            match ready!(Pin::new(&mut this.pieces).poll_next(context)) {
                Some(piece) => this.piece = piece.map_err(io_error)?,
                None => break,
            }
        }
        Poll::Ready(Ok(&this.piece))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.piece.advance(amount);
    }
}

impl AsyncRead for FileReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// Returns an error as one of I/O, of the nearest kind.
pub(super) fn io_error(error: Error) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::Unauthorized => io::ErrorKind::PermissionDenied,
        ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        ErrorKind::Timeout => io::ErrorKind::TimedOut,
        ErrorKind::Closed => io::ErrorKind::ConnectionAborted,
        ErrorKind::Connect => io::ErrorKind::NotConnected,
        ErrorKind::Protocol => io::ErrorKind::InvalidData,
        ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
