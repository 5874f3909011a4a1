//! A file that is written in pieces.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_core::Stream;
use sandbox_transport::{ApiFuture, Delivery, Error, ErrorKind, FileContent, FilesApi};
use tokio::io::AsyncWrite;

use super::reader::io_error;
use crate::client::Client;

/// A writer of a file in a sandbox; made by [`Files::writer`](crate::Files::writer).
///
/// It is an [`AsyncWrite`]. [`finish`](Self::finish), or a shutdown, puts the file in its place and reports whether that
/// succeeded. A writer that is dropped before leaves the file as it was. (A stock daemon may leave a part of the file.)
///
/// What the daemon refuses is the error of a later write, or of `finish`. An [`io::Error`] of this writer contains the
/// [`Error`]: [`io::Error::get_ref`] returns it.
pub struct FileWriter {
    slot: Arc<Slot>,
    upload: Upload,
    /// An embedded daemon lives as long as this.
    #[expect(dead_code, reason = "it is dropped with this")]
    client: Client,
}

/// The operation that sends what is written.
enum Upload {
    Running(ApiFuture<'static, ()>),
    /// The file is in its place.
    Done,
    /// The error was returned.
    Failed,
}

impl FileWriter {
    pub(super) fn new(files: Arc<dyn FilesApi>, path: &Path, client: Client) -> Self {
        let slot = Arc::new(Slot::default());
        let content = FileContent::stream(Pieces(slot.clone()));
        let path = path.to_owned();
        let upload = async move { files.write(&path, content).await };
        Self {
            slot,
            upload: Upload::Running(Box::pin(upload)),
            client,
        }
    }

    /// Puts the file in its place, after what was written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file is in its place or remains as it was.
    ///
    /// # Errors
    ///
    /// Those of [`Files::write`](crate::Files::write).
    ///
    /// # Examples
    ///
    /// See [`Files::writer`](crate::Files::writer).
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|context| self.poll_finish(context)).await
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.slot.finish();
        self.poll_upload(context)
    }

    /// Lets the upload make progress. Ready when it has ended.
    fn poll_upload(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let uploaded = match &mut self.upload {
            Upload::Running(upload) => ready!(upload.as_mut().poll(context)),
            Upload::Done => Ok(()),
            Upload::Failed => Err(ended()),
        };
        self.upload = match &uploaded {
            Ok(()) => Upload::Done,
            Err(_) => Upload::Failed,
        };
        Poll::Ready(uploaded)
    }

    /// Lets the upload make progress. Fails if it has ended.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.poll_upload(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => Err(io_error(ended())),
            Poll::Ready(Err(error)) => Err(io_error(error)),
        }
    }
}

fn ended() -> Error {
    let message = "the upload has ended";
    Error::new(ErrorKind::Closed, Delivery::NotSent, message)
}

impl AsyncWrite for FileWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.slot.poll_free(context));
        let bytes = &bytes[..bytes.len().min(PIECE_BYTES)];
        self.slot.put(Bytes::copy_from_slice(bytes));
        // The upload may be polled by this task alone.
        self.check(context)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.slot.poll_free(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.check(context)?;
        self.slot.poll_free(context).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_finish(context).map_err(io_error)
    }
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter").finish_non_exhaustive()
    }
}

/// A place for one piece, between the writer and its upload.
#[derive(Default)]
struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    is_finished: bool,
    /// The upload, which waits for a piece.
    reader: Option<Waker>,
    /// The writer, which waits for room.
    writer: Option<Waker>,
}

impl Slot {
    fn poll_free(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.piece.is_none() {
            return Poll::Ready(());
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn put(&self, piece: Bytes) {
        let mut state = self.lock();
        state.piece = Some(piece);
        wake(state.reader.take(), state);
    }

    fn finish(&self) {
        let mut state = self.lock();
        state.is_finished = true;
        wake(state.reader.take(), state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a task outside of the lock.
fn wake(waker: Option<Waker>, state: MutexGuard<'_, State>) {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The pieces of a slot, up to the end that the writer declares.
struct Pieces(Arc<Slot>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        if let Some(piece) = state.piece.take() {
            wake(state.writer.take(), state);
            return Poll::Ready(Some(Ok(piece)));
        }
        if state.is_finished {
            return Poll::Ready(None);
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

/// What one write takes at most.
const PIECE_BYTES: usize = 64 * 1024;
