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
        if state.bytes + bytes.len() > self.limit {
            return Err(InputError::Full { limit: self.limit });
        }
        if !bytes.is_empty() {
            state.bytes += bytes.len();
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
                Ok(state) if length <= self.limit && state.bytes + length > self.limit => {}
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
        state.bytes = 0;
        self.inner.changed.notify_one();
        self.inner.room.notify_waiters();
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
                        // 0 already, if it was ended meanwhile.
                        state.bytes = state.bytes.saturating_sub(count);
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
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
