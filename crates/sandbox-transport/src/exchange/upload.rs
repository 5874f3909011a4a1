//! The content of an upload, as a connection takes it.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::limits::UPLOAD_PIECE_BYTES;
use crate::transfer::{FileContent, Pieces};
use crate::{Delivery, Error, ErrorKind};

/// An upload that a connection reads from, and the operation watches. Clones share their state.
#[derive(Clone)]
pub(crate) struct Upload {
    state: Arc<Mutex<State>>,
    /// The attempt to send it that this is for.
    attempt: u64,
}

struct State {
    /// The latest attempt. A connection of an earlier one may still read, and gets nothing.
    attempt: u64,
    /// The content; `None` after its end, an error, or the end of the operation.
    pieces: Option<Pieces>,
    /// The rest of a piece that is longer than what is sent in one.
    rest: Bytes,
    /// The bytes that are still to come, if their number was declared.
    left: Option<u64>,
    /// Whether any byte of the content has been taken.
    has_begun: bool,
    /// The time since which the peer has not taken anything; `None` while the content makes it wait.
    idle_since: Option<Instant>,
    /// The error by which the content ended.
    failure: Option<io::Error>,
    /// Whether the content has ended with an error.
    #[cfg(feature = "grpc")]
    has_failed: bool,
    /// Whether the operation has ended before the content.
    is_closed: bool,
    /// The connection that waits for the next piece.
    reader: Option<Waker>,
}

impl Upload {
    pub(crate) fn new(content: FileContent) -> Self {
        let state = State {
            attempt: 0,
            pieces: Some(content.pieces),
            rest: Bytes::new(),
            left: content.length,
            has_begun: false,
            idle_since: Some(Instant::now()),
            failure: None,
            #[cfg(feature = "grpc")]
            has_failed: false,
            is_closed: false,
            reader: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            attempt: 0,
        }
    }

    /// Returns the next piece, of at most [`UPLOAD_PIECE_BYTES`], or an error if there will be none. Never a clean end
    /// before the end of the content: what is cut off must not look complete.
    pub(crate) fn poll_piece(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, io::Error>>> {
        let mut state = self.lock();
        if state.attempt != self.attempt {
            return Poll::Ready(Some(Err(io::Error::other("another attempt has begun"))));
        }
        // hyper asks for a piece when it has room for one: from here on, the peer waits for the
        // content.
        state.idle_since = None;
        // Each time: the task that polls may be another one.
        state.reader = Some(context.waker().clone());
        let next = ready!(state.poll_next(context));
        state.idle_since = Some(Instant::now());
        Poll::Ready(match next {
            Ok(piece) => piece.map(Ok),
            Err(error) => {
                // An `io::Error` cannot be cloned. The connection gets the copy, and the caller the
                // original.
                let copy = io::Error::new(error.kind(), error.to_string());
                state.pieces = None;
                state.failure = Some(error);
                #[cfg(feature = "grpc")]
                {
                    state.has_failed = true;
                }
                Some(Err(copy))
            }
        })
    }

    /// Starts an attempt, and returns the upload for it. Fails if an earlier one has taken some of the content.
    pub(crate) fn begin(&self) -> Result<Self, Error> {
        let (has_begun, attempt, reader) = {
            let mut state = self.lock();
            // Once the content has begun, its attempt remains the current one, and this one fails.
            state.attempt += u64::from(!state.has_begun);
            // An earlier attempt may have waited for the content; this one first waits for the peer.
            state.idle_since = Some(Instant::now());
            (state.has_begun, state.attempt, state.reader.take())
        };
        // The connection of an earlier attempt may wait for a piece; woken, it gets an error
        // instead.
        if let Some(reader) = reader {
            reader.wake();
        }
        if has_begun {
            let message = "the content was sent in part, and cannot be sent again";
            Err(Error::new(ErrorKind::Closed, Delivery::Uncertain, message))
        } else {
            Ok(Self {
                state: self.state.clone(),
                attempt,
            })
        }
    }

    /// Waits for a response, but not longer than `limit` without progress of the peer.
    pub(crate) async fn watch<T>(
        &self,
        limit: Duration,
        response: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut response = std::pin::pin!(response);
        let deadline = |since: Option<Instant>| {
            let since = since.unwrap_or_else(Instant::now);
            // No `Instant` can hold the sum with `Duration::MAX`, which a caller may set.
            since.checked_add(limit).unwrap_or_else(far_future)
        };
        loop {
            // The peer may have taken a piece since the last look: then the limit begins anew.
            let since = self.lock().idle_since;
            if let Ok(result) = timeout_at(deadline(since), &mut response).await {
                return result.map_err(|error| self.explain(error));
            }
            let now = self.lock().idle_since;
            // `None` means that the content makes the peer wait, which is no fault of the peer.
            if now.is_some_and(|since| since.elapsed() >= limit) {
                let message = format!("the daemon has accepted nothing for {limit:?}");
                return Err(Error::new(ErrorKind::Timeout, Delivery::Uncertain, message));
            }
        }
    }

    /// Returns the error of the content in place of what it caused, and of a token that was refused after the content
    /// was sent, one that leads to no second attempt.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let mut state = self.lock();
        if let Some(failure) = state.failure.take() {
            let message = "the content of the file could not be read";
            let kind = ErrorKind::Local;
            return Error::new(kind, Delivery::Uncertain, message).with_source(failure);
        }
        match error.status() {
            Some(401) if state.has_begun => {
                let message = "the token was refused, and the content cannot be sent again";
                let kind = ErrorKind::Unauthorized;
                Error::new(kind, Delivery::Rejected, message).with_source(error)
            }
            _ => error,
        }
    }

    /// Returns whether the content has failed, or the operation or this attempt has ended: then nothing more of it is
    /// sent, and what carries it must not end as if it were complete.
    #[cfg(feature = "grpc")]
    pub(crate) fn is_cut(&self) -> bool {
        let state = self.lock();
        state.is_closed || state.has_failed || state.attempt != self.attempt
    }

    /// Returns a guard that ends the upload when it is dropped: nothing is read from the content any more.
    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.is_closed {
            return Poll::Ready(Err(io::Error::other("the upload has ended")));
        }
        while self.rest.is_empty() {
            let Some(pieces) = &mut self.pieces else {
                return Poll::Ready(Ok(None));
            };
            match ready!(pieces.as_mut().poll_next(context)) {
                Some(piece) => self.rest = piece?,
                None => {
                    self.pieces = None;
                    return Poll::Ready(match self.left {
                        None | Some(0) => Ok(None),
                        Some(left) => Err(wrong_length(&format!("{left} bytes are missing"))),
                    });
                }
            }
        }
        // Set before the piece is known to arrive: what hyper has taken may be sent.
        self.has_begun = true;
        let length = self.rest.len().min(UPLOAD_PIECE_BYTES);
        let piece = self.rest.split_to(length);
        if let Some(left) = &mut self.left {
            let Some(rest) = left.checked_sub(piece.len() as u64) else {
                return Poll::Ready(Err(wrong_length("there are more bytes")));
            };
            *left = rest;
        }
        Poll::Ready(Ok(Some(piece)))
    }
}

fn wrong_length(what: &str) -> io::Error {
    let message = format!("the content has not the declared length: {what}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(365 * 24 * 60 * 60)
}

/// Ends an upload when the operation has ended, since a connection goes on sending after an early response.
#[derive(Debug)]
pub(crate) struct Guard(Upload);

impl Drop for Guard {
    fn drop(&mut self) {
        let (pieces, reader) = {
            let mut state = self.0.lock();
            // Content that was sent completely must end without an error when the connection asks
            // for more.
            let has_more = state.pieces.is_some() || !state.rest.is_empty();
            state.is_closed |= has_more;
            (state.pieces.take(), state.reader.take())
        };
        // Outside the lock: both run code of others.
        drop(pieces);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

/// An upload as a stream.
#[cfg(feature = "grpc")]
impl futures_core::Stream for Upload {
    type Item = io::Result<Bytes>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.poll_piece(context)
    }
}
