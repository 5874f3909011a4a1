//! The input of a terminal, until the terminal has room for it.

use std::any::Any;
use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};

use crate::sys::{Terminal, Transfer};

/// A piece of input for a terminal.
#[derive(Debug)]
pub(crate) struct Typed {
    bytes: Bytes,
    /// The share of an allowance that the waiting input takes; its destructor releases it.
    _allowance: Box<dyn Any + Send + Sync>,
}

impl Typed {
    /// Creates a piece of input; `allowance` is dropped when it has been typed or discarded.
    pub(crate) fn new(bytes: Bytes, allowance: impl Send + Sync + 'static) -> Self {
        Self {
            bytes,
            _allowance: Box::new(allowance),
        }
    }
}

/// The input that waits until the terminal has room for it.
#[derive(Debug, Default)]
pub(super) struct Typing {
    waiting: VecDeque<Typed>,
}

impl Typing {
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Types `typed` after the waiting input, as much as there is room for.
    pub(super) fn push(&mut self, mut typed: Typed, terminal: &Terminal) -> io::Result<()> {
        // A terminal whose program reads nothing accepts no more input at some point, and would not
        // reach the character. The kernel, too, discards input for one (`NOFLSH` in termios(3)).
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

    /// Writes as much of the waiting input as there is room for.
    pub(super) fn write(&mut self, terminal: &Terminal) -> io::Result<()> {
        while let Some(first) = self.waiting.front_mut() {
            match terminal.write(&first.bytes)? {
                Transfer::Bytes(count) => first.bytes.advance(count),
                Transfer::NotNow => return Ok(()),
                // No process will read it.
                Transfer::Closed => self.waiting.clear(),
            }
            if self
                .waiting
                .front()
                .is_some_and(|first| first.bytes.is_empty())
            {
                self.waiting.pop_front();
            }
        }
        Ok(())
    }

    /// Returns the position in `bytes` of a character that interrupts, and would not be seen, because the program has
    /// not read earlier input.
    fn interrupt(&self, bytes: &[u8], terminal: &Terminal) -> Option<usize> {
        // Other characters than controls are rarely configured as such, and asking the terminal takes time.
        let at = bytes.iter().rposition(|byte| *byte < b' ')?;
        let interrupts = terminal.interrupts()?;
        let is_one = |byte: &u8| *byte != DISABLED && interrupts.contains(byte);
        let at = bytes[..=at].iter().rposition(is_one)?;
        (self.is_waiting() || terminal.has_unread_input()).then_some(at)
    }
}

/// The value for an unset character.
const DISABLED: u8 = 0;
