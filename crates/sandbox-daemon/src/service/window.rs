//! The window of input that a client may have in flight.
//!
//! The messages of a client are read in order, and not while the input of its command has no room. A message that a client
//! sends after much input, such as a signal, would wait for as long as the command reads nothing. So the daemon advertises a
//! window to the client, and always reads from a client that respects it.

use sandbox_engine::Command;
use sandbox_engine::limits::PTY_INPUT_BYTES;

use crate::limits::INPUT_WINDOW_BYTES;

/// The window that was advertised to one client.
#[derive(Debug)]
pub(crate) struct InputWindow {
    command: Command,
    bytes: u64,
    /// Bytes of the command's input before this client's.
    begin: u64,
    /// Bytes of this client's input that were reported to it as taken.
    reported: u64,
}

impl InputWindow {
    pub(crate) fn new(command: &Command) -> Self {
        Self {
            command: command.clone(),
            bytes: match command.size() {
                // An interrupt is input there, and must arrive after a paste that no program reads.
                Some(_) => PTY_INPUT_BYTES as u64,
                None => INPUT_WINDOW_BYTES,
            },
            begin: command.input_length(),
            reported: 0,
        }
    }

    /// Returns the size of the window in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many bytes of this client's input are taken, if that is to be reported.
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

    /// Returns the count that is reported next: each report makes room for at least a quarter of the window.
    fn next(&self) -> u64 {
        self.reported + self.bytes / 4
    }
}
