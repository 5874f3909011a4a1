//! What waits to be read by a process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use tokio::net::unix::pipe;
use tokio::sync::Notify;

use crate::command::InputError;

/// Input for one process, fed to it as it reads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    inner: Arc<(Mutex<State>, Notify)>,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<Bytes>,
    bytes: usize,
    closed: bool,
    refused: Option<InputError>,
}

impl Input {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Arc::default(),
            limit,
        }
    }

    pub(crate) fn push(&self, bytes: Bytes) -> Result<(), InputError> {
        let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.refused {
            return Err(error);
        }
        if state.closed {
            return Err(InputError::Closed);
        }
        if state.bytes + bytes.len() > self.limit {
            return Err(InputError::Full { limit: self.limit });
        }
        state.bytes += bytes.len();
        state.pending.push_back(bytes);
        self.inner.1.notify_one();
        Ok(())
    }

    pub(crate) fn close(&self) -> Result<(), InputError> {
        let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.refused {
            return Err(error);
        }
        if std::mem::replace(&mut state.closed, true) {
            return Err(InputError::Closed);
        }
        self.inner.1.notify_one();
        Ok(())
    }

    pub(crate) fn end(&self, error: InputError) {
        let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused = Some(error);
        state.pending.clear();
        state.bytes = 0;
        self.inner.1.notify_one();
    }

    pub(crate) async fn feed(self, pipe: pipe::Sender) {
        loop {
            let next = {
                let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
                if state.refused.is_some() {
                    return;
                }
                match state.pending.pop_front() {
                    Some(bytes) => Some(bytes),
                    None if state.closed => return,
                    None => None,
                }
            };
            let Some(mut bytes) = next else {
                self.inner.1.notified().await;
                continue;
            };
            while bytes.has_remaining() {
                tokio::select! {
                    ready = pipe.writable() => if ready.is_err() { return self.end(InputError::Closed) },
                    () = self.inner.1.notified() => {
                        let state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
                        if state.refused.is_some() { return; }
                        continue;
                    }
                }
                match pipe.try_write(&bytes) {
                    Ok(count) => {
                        bytes.advance(count);
                        self.inner
                            .0
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .bytes -= count;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => return self.end(InputError::Closed),
                }
            }
        }
    }
}
