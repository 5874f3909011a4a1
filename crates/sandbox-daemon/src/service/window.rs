//! How much input a client may have under way.
//!
//! The messages of a client are read in their order, and not read while the input of its command has no room. What a client
//! sends after much input, such as a signal, would wait for as long as the command reads nothing. So a client is told how much
//! input it may send, and is always read if it heeds that.

use sandbox_engine::Command;
use sandbox_engine::limits::PTY_INPUT_BYTES;

use crate::limits::INPUT_WINDOW_BYTES;

/// What one client was told of the room for its input.
#[derive(Debug)]
pub(crate) struct InputWindow {
    command: Command,
    bytes: u64,
    /// How much input the command was given before this client's.
    begin: u64,
    /// How much the client knows to be taken.
    reported: u64,
}

impl InputWindow {
    pub(crate) fn new(command: &Command) -> Self {
        Self {
            command: command.clone(),
            bytes: match command.size() {
                // What interrupts is input there, and is to arrive after a paste that no program reads.
                Some(_) => PTY_INPUT_BYTES as u64,
                None => INPUT_WINDOW_BYTES,
            },
            begin: command.input_length(),
            reported: 0,
        }
    }

    /// Returns how many bytes of input may be under way.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how much of the input since the client's beginning is taken, if the client is to be told.
    pub(crate) fn ready(&mut self) -> Option<u64> {
        let taken = self.command.input_taken().saturating_sub(self.begin);
        if taken < self.next() {
            return None;
        }
        self.reported = taken;
        Some(taken)
    }

    /// Resolves when there is something to report. Cancel safe.
    pub(crate) async fn wait(&self) {
        let taken = self.begin + self.next();
        self.command.input_taken_up_to(taken).await;
    }

    /// Each report makes room for a quarter of the window at least.
    fn next(&self) -> u64 {
        self.reported + self.bytes / 4
    }
}
