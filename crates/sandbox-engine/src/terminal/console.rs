//! The near end of a terminal.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;

use super::size::PtySize;
use super::typing::{Typed, Typing};
use crate::spawner::ChildFd;
use crate::sys::{Terminal, Transfer};

/// The near end of a terminal, with the input that waits to be typed into it.
///
/// Dropping it hangs the terminal up, as closing a window does: the kernel sends `HUP` to the processes that still run
/// there in the foreground, and for every process that still has it open, reads end and writes fail.
#[derive(Debug)]
pub(crate) struct Console {
    terminal: Terminal,
    typing: Typing,
    /// Whether no process has the far end open any more.
    is_closed: bool,
}

impl Console {
    pub(crate) fn open(size: PtySize) -> io::Result<Self> {
        Ok(Self {
            terminal: Terminal::open(size.cols(), size.rows())?,
            typing: Typing::default(),
            is_closed: false,
        })
    }

    /// Returns the standard descriptors of the program that is to run on the terminal, the leader of a session of its
    /// own.
    pub(crate) fn fds(&self) -> [ChildFd; 3] {
        [
            ChildFd::Terminal(self.terminal.path()),
            ChildFd::SameAs(0),
            ChildFd::SameAs(0),
        ]
    }

    /// Sets the size; if it differs, the kernel sends `WINCH` to the foreground group.
    pub(crate) fn resize(&self, size: PtySize) -> io::Result<()> {
        self.terminal.resize(size.cols(), size.rows())
    }

    /// Types after the waiting input, as much as there is room for.
    pub(crate) fn type_in(&mut self, typed: Typed) -> io::Result<()> {
        self.typing.push(typed, &self.terminal)
    }

    /// Types the terminal's end-of-file character. After an unfinished line it is typed twice, since the first one only
    /// passes that line to the program.
    pub(crate) fn type_end(&mut self, is_line_finished: bool) -> io::Result<()> {
        let end = self.terminal.end_of_file();
        let count = if end.is_some() && !is_line_finished {
            2
        } else {
            1
        };
        let bytes = vec![end.unwrap_or(END_OF_FILE); count];
        self.type_in(Typed::new(bytes.into(), ()))
    }

    /// Returns whether no process has the far end open any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Waits until something can be typed or read, does so, and returns what was read, which may be nothing. Never
    /// resolves after the terminal is closed.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> io::Result<Bytes> {
        tokio::select! {
            // A flood of output is always ready to be read, and must not prevent typing.
            biased;
            room = self.terminal.writable(), if self.typing.is_waiting() => {
                room?;
                self.typing.write(&self.terminal)?;
                Ok(Bytes::new())
            }
            more = self.terminal.readable(), if !self.is_closed => {
                more?;
                self.read(Terminal::read)
            }
            else => std::future::pending().await,
        }
    }

    /// Waits until waiting input can be typed, and types it. Never resolves if there is none.
    ///
    /// Cancel safe.
    pub(crate) async fn type_waiting(&mut self) -> io::Result<()> {
        if !self.typing.is_waiting() {
            return std::future::pending().await;
        }
        self.terminal.writable().await?;
        self.typing.write(&self.terminal)
    }

    /// Reads the current output of the terminal, up to [`READ_BYTES`], whether or not the runtime knows of it.
    pub(crate) fn read_now(&mut self) -> io::Result<Bytes> {
        self.read(Terminal::read_now)
    }

    /// Closes this process's copy of the far end, when the program has ended: the terminal is closed when the last
    /// process has closed its own. Waiting input is discarded: no process reads it, and a terminal without a far end is
    /// reported as writable for ever but accepts nothing.
    pub(crate) fn release(&mut self) {
        self.typing = Typing::default();
        self.terminal.release();
    }

    fn read(
        &mut self,
        read: impl Fn(&Terminal, &mut [u8]) -> io::Result<Transfer>,
    ) -> io::Result<Bytes> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut filled = 0;
            // The kernel returns 4 KiB at a time; readers are woken a single time for all.
            while filled < buffer.len() && !self.is_closed {
                match read(&self.terminal, &mut buffer[filled..])? {
                    Transfer::Bytes(count) => filled += count,
                    Transfer::NotNow => break,
                    Transfer::Closed => self.is_closed = true,
                }
            }
            Ok(Bytes::copy_from_slice(&buffer[..filled]))
        })
    }
}

thread_local! {
    /// The buffer that terminals are read into, of the thread and not of the terminal: an idle terminal needs none.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The number of bytes per read.
const READ_BYTES: usize = 32 * 1024;

/// The character that ends the input on terminals that are not configured otherwise (Ctrl-D).
const END_OF_FILE: u8 = 4;
