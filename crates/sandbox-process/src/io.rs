//! Output and input of what runs in a sandbox, as [`AsyncRead`] and [`AsyncWrite`].

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sandbox_transport::{ApiFuture, Error, LogEvent, LogStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

/// A reader of the output of a command or a terminal, both channels together.
///
/// A [`LogStream`] becomes one by [`From`]. Bytes that the daemon no longer has are an error of one read, of kind
/// [`InvalidData`](io::ErrorKind::InvalidData); the next read continues after them. A connection that is cut is an error, never
/// the end of the output.
#[derive(Default)]
pub struct OutputReader {
    /// `None` after its end.
    pieces: Option<BoxedPieces>,
    piece: Bytes,
}

type BoxedPieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl OutputReader {
    /// Reads the bytes that `of` finds in events; events in which it finds none are left out.
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

impl From<LogStream> for OutputReader {
    fn from(log: LogStream) -> Self {
        Self::new(log, |event| match event {
            LogEvent::Output { bytes, .. } => Some(Ok(bytes)),
            LogEvent::Gap { length, .. } => Some(Err(gap(length))),
            _ => None,
        })
    }
}

/// Returns the error of bytes that the daemon no longer has.
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

impl AsyncRead for OutputReader {
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

impl fmt::Debug for OutputReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputReader").finish_non_exhaustive()
    }
}

/// A writer of the standard input of a command, or of what is typed into a terminal.
///
/// What was written is on its way after a flush; a write returns earlier. Bytes arrive in order.
///
/// A shutdown ends the input of a command, after what was written; so does dropping the writer, in the background of the current
/// tokio runtime. Neither ends a terminal.
pub struct InputWriter {
    send: Box<Sender>,
    /// What is being sent; one piece at a time, so that the pieces retain their order.
    sending: Option<ApiFuture<'static, ()>>,
    /// What a shutdown sends after them.
    end: Option<ApiFuture<'static, ()>>,
}

type Sender = dyn FnMut(Bytes) -> ApiFuture<'static, ()> + Send;

/// What one write takes at most.
const PIECE_BYTES: usize = 64 * 1024;

impl InputWriter {
    pub(crate) fn new(send: impl FnMut(Bytes) -> ApiFuture<'static, ()> + Send + 'static) -> Self {
        Self {
            send: Box::new(send),
            sending: None,
            end: None,
        }
    }

    /// Sends this when it is shut down or dropped.
    pub(crate) fn ending_with(self, end: ApiFuture<'static, ()>) -> Self {
        // No `..self`: what has a destructor cannot be taken apart.
        let mut this = self;
        this.end = Some(end);
        this
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

impl AsyncWrite for InputWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(context))?;
        let bytes = &bytes[..bytes.len().min(PIECE_BYTES)];
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

impl Drop for InputWriter {
    fn drop(&mut self) {
        let (sending, end) = (self.sending.take(), self.end.take());
        if let Ok(runtime) = Handle::try_current()
            && (sending.is_some() || end.is_some())
        {
            runtime.spawn(async {
                for request in [sending, end].into_iter().flatten() {
                    // No caller is left to report an error to; the end of the command shows it.
                    if request.await.is_err() {
                        return;
                    }
                }
            });
        }
    }
}

impl fmt::Debug for InputWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputWriter").finish_non_exhaustive()
    }
}
