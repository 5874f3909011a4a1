//! Buffered input of a process.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Buf, Bytes};
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::sync::Notify;

use crate::sync::lock;

/// The input of one process, written as the process reads it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    inner: Arc<Inner>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Notified of every change that the consumer may wait for.
    changed: Notify,
    /// Notified of every change that producers may wait for.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<Bytes>,
    bytes: usize,
    /// The number of pieces in `pending`.
    pieces: usize,
    /// The total number of bytes pushed.
    accepted: u64,
    closed: bool,
    refused: Option<InputError>,
}

/// An error from writing input to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The command has ended.
    #[error("the command has already completed")]
    Ended,
    /// The shell of the command's session has ended, and the command with it.
    #[error("the session has ended")]
    SessionEnded,
    /// The command was started without an input, or its input was closed, by the command or by
    /// [`Command::close_input`](crate::Command::close_input).
    #[error("the command's input is closed")]
    Closed,
    /// The buffer for the command's input is full.
    #[error("{limit} bytes of input wait for the command already")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The offset is beyond the end of the input so far.
    #[error("offset {offset} is beyond the {accepted} bytes of input that were given")]
    Beyond {
        /// The offset that was passed in.
        offset: u64,
        /// The number of bytes accepted so far.
        accepted: u64,
    },
}

impl Input {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Arc::default(),
            limit,
        }
    }

    /// Appends `bytes`, and returns those of them that are new: the ones before `offset`, counted from the beginning of the
    /// input, were pushed before.
    pub(crate) fn push(&self, mut bytes: Bytes, offset: Option<u64>) -> Result<Bytes, InputError> {
        let mut state = self.open()?;
        if let Some(offset) = offset {
            let accepted = state.accepted;
            let known = accepted
                .checked_sub(offset)
                .ok_or(InputError::Beyond { offset, accepted })?;
            bytes.advance(
                usize::try_from(known).map_or(bytes.len(), |known| known.min(bytes.len())),
            );
        }
        if state.cost() + bytes.len() > self.limit {
            return Err(InputError::Full { limit: self.limit });
        }
        if !bytes.is_empty() {
            state.bytes += bytes.len();
            state.pieces += 1;
            state.accepted += bytes.len() as u64;
            state.pending.push_back(bytes.clone());
            self.inner.changed.notify_one();
        }
        Ok(bytes)
    }

    /// Waits until `length` bytes would be accepted, or refused for another reason than a full buffer. Cancel safe.
    pub(crate) async fn room(&self, length: usize) {
        loop {
            let told = self.inner.room.notified();
            let mut told = std::pin::pin!(told);
            // Registered before the check, so that a change after it is noticed.
            told.as_mut().enable();
            match self.open() {
                Ok(state) if length <= self.limit && state.cost() + length > self.limit => {}
                _ => return,
            }
            told.await;
        }
    }

    /// Returns the number of bytes pushed so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.state().accepted
    }

    /// Marks the end of the input after what is buffered.
    pub(crate) fn close(&self) -> Result<(), InputError> {
        self.open()?.closed = true;
        self.inner.changed.notify_one();
        self.inner.room.notify_waiters();
        Ok(())
    }

    /// Fails later pushes with `error`, and discards what is buffered.
    pub(crate) fn end(&self, error: InputError) {
        let mut state = self.state();
        state.refused = Some(error);
        state.pending.clear();
        (state.bytes, state.pieces) = (0, 0);
        self.inner.changed.notify_one();
        self.inner.room.notify_waiters();
    }

    /// Returns the number of bytes that were pushed and are no longer buffered.
    pub(crate) fn taken(&self) -> u64 {
        let state = self.state();
        state.accepted - state.bytes as u64
    }

    /// Waits until `bytes` were pushed and are no longer buffered, as after the end; forever if no more are pushed. Cancel safe.
    pub(crate) async fn taken_up_to(&self, bytes: u64) {
        loop {
            let told = self.inner.room.notified();
            let mut told = std::pin::pin!(told);
            // Registered before the check, so that a change after it is noticed.
            told.as_mut().enable();
            if self.taken() >= bytes {
                return;
            }
            told.await;
        }
    }

    /// Removes and returns the oldest piece, waiting for one if there is none. It counts as buffered until the [`Held`] is
    /// dropped. Returns `None` after the last piece, and when the input has ended.
    ///
    /// For one consumer. Cancel safe.
    pub(crate) async fn next(&self) -> Option<(Bytes, Held)> {
        loop {
            {
                let mut state = self.state();
                if state.refused.is_some() {
                    return None;
                }
                if let Some(bytes) = state.pending.pop_front() {
                    let held = Held {
                        inner: Arc::clone(&self.inner),
                        length: bytes.len(),
                    };
                    return Some((bytes, held));
                }
                if state.closed {
                    return None;
                }
            }
            self.inner.changed.notified().await;
        }
    }

    /// Writes the input to `pipe` as it is read, until the input is closed or ended.
    pub(crate) async fn feed(self, pipe: pipe::Sender) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.pending.pop_front();
                if state.refused.is_some() || (next.is_none() && state.closed) {
                    return;
                }
                next
            };
            let Some(mut bytes) = next else {
                self.inner.changed.notified().await;
                continue;
            };
            while bytes.has_remaining() {
                let ready = tokio::select! {
                    ready = pipe.writable() => ready,
                    // The pipe may never become writable; after the end of the input nothing is to
                    // be written.
                    () = self.inner.changed.notified() => match self.state().refused {
                        Some(_) => return,
                        None => continue,
                    },
                };
                match ready.and_then(|()| pipe.try_write(&bytes)) {
                    Ok(count) => {
                        bytes.advance(count);
                        let mut state = self.state();
                        state.release(count, usize::from(bytes.is_empty()));
                        drop(state);
                        self.inner.room.notify_waiters();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // `EPIPE`: the process has closed its standard input. Rust programs ignore
                    // `SIGPIPE`.
                    Err(_) => return self.end(InputError::Closed),
                }
            }
        }
    }

    /// Returns the state, if the input is open.
    fn open(&self) -> Result<MutexGuard<'_, State>, InputError> {
        let state = self.state();
        match state.refused {
            Some(error) => Err(error),
            None if state.closed => Err(InputError::Closed),
            None => Ok(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state()
    }
}

impl State {
    /// Returns the number of bytes that count against the limit.
    fn cost(&self) -> usize {
        self.bytes + self.pieces * PIECE_COST
    }

    /// Subtracts bytes and pieces; saturating, because the input may have been ended meanwhile.
    fn release(&mut self, bytes: usize, pieces: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.pieces = self.pieces.saturating_sub(pieces);
    }
}

/// The overhead of a piece of input, in bytes.
const PIECE_COST: usize = 64;

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A guard for bytes that were removed and count as buffered until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    inner: Arc<Inner>,
    length: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.release(self.length, 1);
        drop(state);
        self.inner.room.notify_waiters();
    }
}
