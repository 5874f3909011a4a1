//! What waits to be read by a process.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::sync::Notify;

/// Input for one process, fed to it as it reads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    inner: Arc<Inner>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Told of every change that the feeding may wait for.
    changed: Notify,
    /// Told of every change that those with more to give may wait for.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<Bytes>,
    bytes: usize,
    /// How many pieces these are.
    pieces: usize,
    /// How many bytes were ever pushed.
    accepted: u64,
    closed: bool,
    refused: Option<InputError>,
}

/// Why a command was not given its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// It has ended.
    #[error("the command has already completed")]
    Ended,
    /// Its session's shell has ended, and took it along.
    #[error("the session has ended")]
    SessionEnded,
    /// It was started without an input, or its input was closed, by it or by
    /// [`Command::close_input`](crate::Command::close_input).
    #[error("the command's input is closed")]
    Closed,
    /// As much as it may have waiting for it waits already.
    #[error("{limit} bytes of input wait for the command already")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The input was to go on behind what was given so far.
    #[error("offset {offset} is beyond the {accepted} bytes of input that were given")]
    Beyond {
        /// Where it was to go on.
        offset: u64,
        /// How many bytes were given.
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

    /// Puts `bytes` behind what waits already, and returns what of them was new: those before `offset`, counted from the
    /// beginning of the input, were pushed before.
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

    /// Resolves when `length` bytes are taken, or are refused for another reason than that too much waits. Cancel safe.
    pub(crate) async fn room(&self, length: usize) {
        loop {
            let told = self.inner.room.notified();
            let mut told = std::pin::pin!(told);
            // From here on, so that what happens behind the look is told.
            told.as_mut().enable();
            match self.open() {
                Ok(state) if length <= self.limit && state.cost() + length > self.limit => {}
                _ => return,
            }
            told.await;
        }
    }

    /// How many bytes were pushed so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.state().accepted
    }

    /// Says that nothing comes behind what waits.
    pub(crate) fn close(&self) -> Result<(), InputError> {
        self.open()?.closed = true;
        self.inner.changed.notify_one();
        self.inner.room.notify_waiters();
        Ok(())
    }

    /// Refuses more with `error`, and forgets what waits.
    pub(crate) fn end(&self, error: InputError) {
        let mut state = self.state();
        state.refused = Some(error);
        state.pending.clear();
        (state.bytes, state.pieces) = (0, 0);
        self.inner.changed.notify_one();
        self.inner.room.notify_waiters();
    }

    /// Returns how many bytes were pushed and wait no more.
    pub(crate) fn taken(&self) -> u64 {
        let state = self.state();
        state.accepted - state.bytes as u64
    }

    /// Resolves when this many bytes were pushed and wait no more, as after the end; never if no more are pushed. Cancel safe.
    pub(crate) async fn taken_up_to(&self, bytes: u64) {
        loop {
            let told = self.inner.room.notified();
            let mut told = std::pin::pin!(told);
            // From here on, so that what happens after the look is noticed.
            told.as_mut().enable();
            if self.taken() >= bytes {
                return;
            }
            told.await;
        }
    }

    /// Takes what was pushed first, and waits for it. It counts as waiting until what it comes with is dropped. Returns `None`
    /// after the last, and when the input has ended.
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

    /// Writes what was pushed as it is read, until it is closed or ended.
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
                    Err(_) => return self.end(InputError::Closed),
                }
            }
        }
    }

    /// The state, if more may be given.
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
    /// Returns what counts against the limit.
    fn cost(&self) -> usize {
        self.bytes + self.pieces * PIECE_COST
    }

    /// Nothing of it waits already, if it was ended meanwhile.
    fn release(&mut self, bytes: usize, pieces: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.pieces = self.pieces.saturating_sub(pieces);
    }
}

/// What a piece of input takes besides its bytes.
const PIECE_COST: usize = 64;

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that were taken and count as waiting until this is dropped.
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
