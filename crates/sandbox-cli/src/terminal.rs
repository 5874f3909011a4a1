//! The user's own terminal: its size, and its raw mode.

use std::io::{self, IsTerminal};

use crossterm::terminal;
use sandbox_process::PtySize;
use tokio::sync::mpsc;

use crate::{input, output};

/// The size of a terminal that reports none, as terminals have been since the VT100.
pub(crate) const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// Columns and rows of the user's terminal.
pub(crate) fn size() -> (u16, u16) {
    match terminal::size() {
        Ok((columns @ 1.., rows @ 1..)) => (columns, rows),
        _ => DEFAULT_SIZE,
    }
}

/// The same as the size of a terminal in a sandbox.
pub(crate) fn pty_size() -> PtySize {
    let (cols, rows) = size();
    PtySize { rows, cols }
}

/// Whether standard input is a terminal.
pub(crate) fn is_input() -> bool {
    io::stdin().is_terminal()
}

/// Whether both ends of this program are a terminal.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && output::is_terminal()
}

/// The terminal hands over every key as it is; dropping this puts it back.
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    pub(crate) fn begin() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is no one left to report it to.
        let _ = terminal::disable_raw_mode();
    }
}

/// What comes on standard input, as it comes; ends with it.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    input::pieces(Result::ok)
}
