//! Streams, readers and writers whose users wait.

use std::io::{self, Read, Write};
use std::sync::Arc;

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::waiting::Waiter;
use crate::next::next;

/// A stream, reader or writer whose users wait.
///
/// It is an [`Iterator`] over a stream such as [`LogStream`](crate::LogStream), [`Read`] over an
/// [`OutputReader`](crate::OutputReader) and [`Write`] over an [`InputWriter`](crate::InputWriter).
#[derive(Debug)]
pub struct Streaming<T> {
    /// `None` while it is dropped.
    stream: Option<T>,
    waiter: Arc<Waiter>,
}

impl<T> Streaming<T> {
    pub(super) fn new(stream: T, waiter: Arc<Waiter>) -> Self {
        Self {
            stream: Some(stream),
            waiter,
        }
    }

    fn parts(&mut self) -> (&mut T, &Waiter) {
        (self.stream.as_mut().expect(PRESENT), &self.waiter)
    }
}

const PRESENT: &str = "present until it is dropped";

/// Within the runtime: a writer ends the input in its background.
impl<T> Drop for Streaming<T> {
    fn drop(&mut self) {
        let stream = self.stream.take();
        self.waiter.enter(|| drop(stream));
    }
}

impl<W: AsyncWrite + Unpin> Streaming<W> {
    /// Ends a command's input, after what was written.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn shutdown(&mut self) -> io::Result<()> {
        let (writer, waiter) = self.parts();
        waiter.block_on(writer.shutdown())
    }
}

impl<S: Stream + Unpin> Iterator for Streaming<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let (stream, waiter) = self.parts();
        waiter.block_on(next(stream))
    }
}

impl<R: AsyncRead + Unpin> Read for Streaming<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (stream, waiter) = self.parts();
        waiter.block_on(stream.read(buffer))
    }
}

impl<W: AsyncWrite + Unpin> Write for Streaming<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (stream, waiter) = self.parts();
        waiter.block_on(stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        let (stream, waiter) = self.parts();
        waiter.block_on(stream.flush())
    }
}
