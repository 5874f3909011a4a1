//! A client that types into a terminal.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};

use super::shared::Request;
use crate::limits::PTY_INPUT_BYTES;
use crate::terminal::Typed;

/// A client that types into a terminal.
///
/// The input of one client stays in order; that of several clients is interleaved as it arrives.
#[derive(Debug)]
pub struct PtyInput {
    requests: mpsc::Sender<Request>,
    /// The remaining allowance, in units of cost.
    allowance: Arc<Semaphore>,
}

/// The error of typing after the shell of a terminal has ended; no process reads the input then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the terminal's shell has ended")]
pub struct PtyEnded;

impl PtyInput {
    pub(super) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self {
            requests,
            allowance: Arc::new(Semaphore::new(PTY_INPUT_BYTES)),
        }
    }

    /// Types `bytes`; those of one call are not interleaved with others.
    ///
    /// Resolves when the bytes are queued, not when they were read. Waits while [`PTY_INPUT_BYTES`] of this client are
    /// queued already; other clients do not wait for that.
    ///
    /// A character that interrupts (as `^C` usually does) takes effect even if the program reads nothing: unread input
    /// before it is discarded, as the kernel does when it reaches such a character.
    ///
    /// # Errors
    ///
    /// Returns [`PtyEnded`] if the shell has ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, either all of `bytes` or nothing is typed.
    pub async fn write(&self, bytes: Bytes) -> Result<(), PtyEnded> {
        if bytes.is_empty() {
            return Ok(());
        }
        // Input larger than the allowance takes all of it.
        let cost = (bytes.len() + TYPED_COST).min(PTY_INPUT_BYTES);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let allowance = Arc::clone(&self.allowance).acquire_many_owned(cost);
        // The semaphore is never closed, so this error does not occur.
        let allowance = allowance.await.map_err(|_| PtyEnded)?;
        let typed = Typed::new(bytes, allowance);
        let sent = self.requests.send(Request::Type(typed));
        sent.await.map_err(|_| PtyEnded)
    }
}

/// The cost of typing something in addition to its bytes.
const TYPED_COST: usize = 64;
