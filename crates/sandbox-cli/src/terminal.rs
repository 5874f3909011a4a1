//! The user's own terminal: its size, and its raw mode.

use std::io::{self, IsTerminal, Read};
use std::thread;

use crossterm::terminal;
use sandbox_process::PtySize;
use tokio::sync::mpsc;

use crate::output;

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
///
/// By a thread of its own, since reading a terminal or a file can only be waited for by a thread. It is not joined: it
/// reads until the program ends.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match stdin.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => {
                    if sender.blocking_send(chunk[..count].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Pieces of input that wait to be sent.
const CHUNKS: usize = 16;

const CHUNK_BYTES: usize = 64 * 1024;
