//! The bytes of files, on their way to a daemon and from it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::{Error, EventStream};

/// The bytes of a file to write, as a stream of a length that may be unknown.
pub struct FileContent {
    pub(crate) pieces: Pieces,
    pub(crate) length: Option<u64>,
    pub(crate) mode: Option<u32>,
}

pub(crate) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl FileContent {
    /// Creates content of the bytes that `pieces` yields. An error ends the transfer, and nothing is written.
    pub fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            pieces: Box::pin(pieces),
            length: None,
            mode: None,
        }
    }

    /// Returns the declared number of bytes.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Declares the number of bytes, so that the daemon knows it from the beginning. Other than that many bytes are an
    /// error, and nothing is written.
    #[must_use]
    pub fn with_length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Returns the permissions that the file is to have.
    pub fn mode(&self) -> Option<u32> {
        self.mode
    }

    /// Sets the permissions of the file, at most `0o7777`. Default: those of the file that is replaced, or the daemon's for
    /// a new one.
    ///
    /// This project's daemon has set them when the file appears; a stock daemon is asked for them afterwards, in a second request.
    #[must_use]
    pub fn with_mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }
}

impl<T: Into<Bytes>> From<T> for FileContent {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self::stream(futures_util::stream::iter([Ok(bytes)])).with_length(length)
    }
}

/// The pieces of the content, for implementations of [`FilesApi`](crate::FilesApi). The declared length is not checked.
impl Stream for FileContent {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.as_mut().poll_next(context)
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent")
            .field("length", &self.length)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// A file, or an archive, that is received from a daemon in pieces.
///
/// A cut is resumed where it was if the daemon reports an entity tag for the file; a file that changed meanwhile is an
/// error of kind [`Conflict`](crate::ErrorKind::Conflict). What ends without an error is complete. Nothing is read
/// ahead: a slow consumer makes the daemon wait. Dropping the reader ends the transfer.
#[derive(Debug)]
pub struct FileReader {
    size: Option<u64>,
    pieces: EventStream<Bytes>,
}

impl FileReader {
    /// Creates a reader of `pieces`, which are `size` bytes in total.
    pub fn new(
        size: Option<u64>,
        pieces: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    ) -> Self {
        Self {
            size,
            pieces: EventStream::new(pieces),
        }
    }

    /// Returns the length in bytes, or `None` if the daemon does not report it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns the next bytes, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns the error that ended the transfer.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no bytes are lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.pieces.next().await
    }
}

impl Stream for FileReader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.pieces).poll_next(context)
    }
}
