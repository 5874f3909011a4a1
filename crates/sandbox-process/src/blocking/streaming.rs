//! Streams, readers and writers whose users wait.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::waiting::Waiter;

/// A stream, reader or writer whose users wait; made by [`Process::streaming`](super::Process::streaming).
///
/// It is an [`Iterator`] over a stream such as [`ExecStream`](crate::ExecStream), [`Read`] over [`Output`](crate::Output) and
/// [`Write`] over [`Input`](crate::Input).
#[derive(Debug)]
pub struct Streaming<T> {
    stream: T,
    waiter: Arc<Waiter>,
}

impl<T> Streaming<T> {
    pub(super) fn new(stream: T, waiter: Arc<Waiter>) -> Self {
        Self { stream, waiter }
    }

    /// What is waited for, as to signal the command that it is.
    pub fn get_ref(&self) -> &T {
        &self.stream
    }

    /// Takes it back.
    pub fn into_inner(self) -> T {
        self.stream
    }
}

impl<W: AsyncWrite + Unpin> Streaming<W> {
    /// Ends a command's input, behind what was written.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.waiter.block_on(self.stream.shutdown())
    }
}

impl<S: Stream + Unpin> Iterator for Streaming<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let stream = &mut self.stream;
        let next = poll_fn(|context| Pin::new(&mut *stream).poll_next(context));
        self.waiter.block_on(next)
    }
}

impl<R: AsyncRead + Unpin> Read for Streaming<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.waiter.block_on(self.stream.read(buffer))
    }
}

impl<W: AsyncWrite + Unpin> Write for Streaming<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiter.block_on(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waiter.block_on(self.stream.flush())
    }
}
