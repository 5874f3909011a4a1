//! Streams of a sandbox as readers and writers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sandbox_transport::{ApiFuture, Error, LogEvent, LogStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads what comes of a sandbox. A [`LogStream`] becomes one by [`From`]: both outputs together; bytes that the daemon no
/// longer has are an error of one read, and the next one goes on behind them.
#[derive(Default)]
pub struct Output {
    /// Gone at its end.
    pieces: Option<BoxedPieces>,
    piece: Bytes,
}

type BoxedPieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Output {
    /// Reads the bytes that `of` finds in events; those in which it finds none are left out.
    pub(crate) fn new<T>(
        events: impl Stream<Item = Result<T, Error>> + Send + Unpin + 'static,
        of: impl Fn(T) -> Option<io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self {
            pieces: Some(Box::pin(Pieces { events, of })),
            piece: Bytes::new(),
        }
    }
}

impl From<LogStream> for Output {
    fn from(log: LogStream) -> Self {
        Self::new(log, |event| match event {
            LogEvent::Output { bytes, .. } => Some(Ok(bytes)),
            LogEvent::Gap { length, .. } => Some(Err(gap(length))),
            _ => None,
        })
    }
}

/// Bytes that the daemon no longer has.
pub(crate) fn gap(length: u64) -> io::Error {
    let message = format!("the daemon no longer has {length} bytes that belong here");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

struct Pieces<S, F> {
    events: S,
    of: F,
}

// Only the stream is ever polled.
impl<S: Unpin, F> Unpin for Pieces<S, F> {}

impl<T, S, F> Stream for Pieces<S, F>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
    F: Fn(T) -> Option<io::Result<Bytes>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            return Poll::Ready(
                match ready!(Pin::new(&mut this.events).poll_next(context)) {
                    Some(Ok(event)) => match (this.of)(event) {
                        Some(piece) => Some(piece),
                        None => continue,
                    },
                    Some(Err(error)) => Some(Err(io::Error::other(error))),
                    None => None,
                },
            );
        }
    }
}

impl AsyncRead for Output {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.piece.is_empty() {
            let Some(pieces) = &mut this.pieces else {
                return Poll::Ready(Ok(()));
            };
            match ready!(pieces.as_mut().poll_next(context)) {
                Some(Ok(piece)) => this.piece = piece,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => this.pieces = None,
            }
        }
        let count = this.piece.len().min(buffer.remaining());
        buffer.put_slice(&this.piece[..count]);
        this.piece.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

/// Writes into a sandbox. What was written is on its way once it is flushed; a shutdown ends the input of a command, and does
/// nothing to a terminal. Dropping it does neither.
pub struct Input {
    send: Box<Sender>,
    /// What is being sent; one piece at a time, so that they keep their order.
    sending: Option<ApiFuture<'static, ()>>,
    /// What a shutdown sends behind them.
    end: Option<ApiFuture<'static, ()>>,
}

type Sender = dyn FnMut(Bytes) -> ApiFuture<'static, ()> + Send;

impl Input {
    pub(crate) fn new(send: impl FnMut(Bytes) -> ApiFuture<'static, ()> + Send + 'static) -> Self {
        Self {
            send: Box::new(send),
            sending: None,
            end: None,
        }
    }

    /// Sends this when it is shut down.
    pub(crate) fn ending_with(self, end: ApiFuture<'static, ()>) -> Self {
        Self {
            end: Some(end),
            ..self
        }
    }

    fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(sending) = &mut self.sending {
            let sent = ready!(sending.as_mut().poll(context));
            self.sending = None;
            sent.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(context))?;
        if !bytes.is_empty() {
            let sending = (self.send)(Bytes::copy_from_slice(bytes));
            self.sending = Some(sending);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(context))?;
        self.sending = self.end.take();
        self.poll_sent(context)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}
