//! One client that types into a terminal.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};

use super::shared::Request;
use crate::limits::PTY_INPUT_BYTES;
use crate::terminal::Typed;

/// Somebody who types into a terminal.
///
/// What one types stays in its order; what several type is mixed as it comes.
#[derive(Debug)]
pub struct PtyInput {
    requests: mpsc::Sender<Request>,
    /// In units of cost.
    allowance: Arc<Semaphore>,
}

/// The shell of a terminal has ended; nobody reads what is typed any more.
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

    /// Types `bytes`; those of one call stay together.
    ///
    /// Resolves when they are on their way, not when they were read. Waits when [`PTY_INPUT_BYTES`] of this one's are on
    /// their way already; nobody else's wait for that.
    ///
    /// A character that interrupts (as `^C` usually does) does so even if the program reads nothing: what was typed before
    /// it and not read yet is forgotten, as the kernel forgets it when it comes to such a character.
    ///
    /// # Errors
    ///
    /// [`PtyEnded`].
    ///
    /// # Cancel safety
    ///
    /// If dropped, all of `bytes` or nothing is typed.
    pub async fn write(&self, bytes: Bytes) -> Result<(), PtyEnded> {
        if bytes.is_empty() {
            return Ok(());
        }
        // One that is larger than the allowance takes all of it.
        let cost = (bytes.len() + TYPED_COST).min(PTY_INPUT_BYTES);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let allowance = Arc::clone(&self.allowance).acquire_many_owned(cost);
        let allowance = allowance.await.map_err(|_| PtyEnded)?;
        let typed = Typed::new(bytes, allowance);
        let sent = self.requests.send(Request::Type(typed));
        sent.await.map_err(|_| PtyEnded)
    }
}

/// What typing something costs beside its bytes.
const TYPED_COST: usize = 64;
