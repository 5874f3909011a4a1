//! What is typed into a terminal, and by whom.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Request;
use crate::limits::PTY_INPUT_BYTES;
use crate::sys::{Terminal, Transfer};

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

/// Something that is to be typed.
#[derive(Debug)]
pub(super) struct Typed {
    bytes: Bytes,
    /// Given back when it was typed or forgotten.
    _allowance: OwnedSemaphorePermit,
}

/// What waits until the terminal has room for it.
#[derive(Debug, Default)]
pub(super) struct Typing {
    waiting: VecDeque<Typed>,
}

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
        let typed = Typed {
            bytes,
            _allowance: allowance.await.map_err(|_| PtyEnded)?,
        };
        let sent = self.requests.send(Request::Type(typed));
        sent.await.map_err(|_| PtyEnded)
    }
}

impl Typing {
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Types it behind what waits, and as much of all as there is room for.
    pub(super) fn push(&mut self, mut typed: Typed, terminal: &Terminal) -> io::Result<()> {
        if let Some(at) = self.interrupt(&typed.bytes, terminal) {
            self.waiting.clear();
            terminal.forget_input()?;
            typed.bytes.advance(at);
            if let Transfer::Bytes(count) = terminal.write_now(&typed.bytes)? {
                typed.bytes.advance(count);
            }
            if typed.bytes.is_empty() {
                return Ok(());
            }
        }
        self.waiting.push_back(typed);
        self.write(terminal)
    }

    /// Writes as much of what waits as there is room for.
    pub(super) fn write(&mut self, terminal: &Terminal) -> io::Result<()> {
        while let Some(first) = self.waiting.front_mut() {
            match terminal.write(&first.bytes)? {
                Transfer::Bytes(count) => first.bytes.advance(count),
                Transfer::NotNow => return Ok(()),
                // Nobody will read it.
                Transfer::Closed => self.waiting.clear(),
            }
            self.waiting.pop_front_if(|first| first.bytes.is_empty());
        }
        Ok(())
    }

    /// Where in `bytes` a character stands that interrupts, and would not be seen, because the program has not read what was
    /// typed before it.
    fn interrupt(&self, bytes: &[u8], terminal: &Terminal) -> Option<usize> {
        // Hardly anybody makes another character one of them, and asking the terminal takes time.
        let at = bytes.iter().rposition(|byte| *byte < b' ')?;
        let interrupts = terminal.interrupts()?;
        let is_one = |byte: &u8| *byte != DISABLED && interrupts.contains(byte);
        let at = bytes[..=at].iter().rposition(is_one)?;
        (self.is_waiting() || terminal.has_unread_input()).then_some(at)
    }
}

/// What typing something costs beside its bytes.
const TYPED_COST: usize = 64;

/// Means that there is no such character.
const DISABLED: u8 = 0;
