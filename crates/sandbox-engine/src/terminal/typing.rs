//! What is typed into a terminal, until the terminal has room for it.

use std::any::Any;
use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};

use crate::sys::{Terminal, Transfer};

/// Something that is to be typed.
#[derive(Debug)]
pub(crate) struct Typed {
    bytes: Bytes,
    /// What counts as waiting for the terminal; released by its destructor.
    _allowance: Box<dyn Any + Send + Sync>,
}

impl Typed {
    /// Creates something to type; `allowance` is dropped when it has been typed or discarded.
    pub(crate) fn new(bytes: Bytes, allowance: impl Send + Sync + 'static) -> Self {
        Self {
            bytes,
            _allowance: Box::new(allowance),
        }
    }
}

/// What waits until the terminal has room for it.
#[derive(Debug, Default)]
pub(super) struct Typing {
    waiting: VecDeque<Typed>,
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

/// Means that there is no such character.
const DISABLED: u8 = 0;
