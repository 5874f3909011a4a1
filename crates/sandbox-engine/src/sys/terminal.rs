//! A pseudo-terminal: the near end, registered with the runtime.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Winsize,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The near end (master) of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: AsyncFd<OwnedFd>,
    /// The far end, so that the terminal has one even while its program has closed its own.
    far: Option<OwnedFd>,
    path: PathBuf,
}

/// The result of a read or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// The number of bytes that were transferred.
    Bytes(usize),
    /// There is no data, or no room, for now.
    NotNow,
    /// No process has the far end open any more.
    Closed,
}

impl Terminal {
    /// Opens a terminal of `cols` columns and `rows` rows, in the kernel's usual modes and with UTF-8 erased by the
    /// character.
    pub(crate) fn open(cols: u16, rows: u16) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&master)?;
        let path = rustix::pty::ptsname(&master, Vec::new())?;
        let far = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        let mut modes = rustix::termios::tcgetattr(&far)?;
        modes.input_modes |= InputModes::IUTF8;
        rustix::termios::tcsetattr(&far, OptionalActions::Now, &modes)?;
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: `AsyncFd` owns the descriptor, so it stays open for as long as it is registered.
        let master = unsafe { AsyncFd::register_with_interest(master, interest) }?;
        let terminal = Self {
            master,
            far: Some(far),
            path: OsString::from_vec(path.into_bytes()).into(),
        };
        terminal.resize(cols, rows)?;
        Ok(terminal)
    }

    /// Makes the terminal pass on every byte unchanged, with no echo.
    pub(crate) fn into_raw(self) -> io::Result<Self> {
        if let Some(far) = &self.far {
            let mut modes = rustix::termios::tcgetattr(far)?;
            modes.make_raw();
            rustix::termios::tcsetattr(far, OptionalActions::Now, &modes)?;
        }
        Ok(self)
    }

    /// Returns the path at which a program opens the far end.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Sets the size. The kernel signals the foreground group, unless the size is the same.
    pub(crate) fn resize(&self, cols: u16, rows: u16) -> io::Result<()> {
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(rustix::termios::tcsetwinsize(&self.master, size)?)
    }

    /// Waits until there may be something to read. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.master.readable().await.map(|_| ())
    }

    /// Waits until there may be room to write. Cancel safe.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.master.writable().await.map(|_| ())
    }

    /// Reads the available output, including what the kernel has been given and not passed on yet.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Transfer> {
        transfer(self.master.try_io(Interest::READABLE, |master| {
            Ok(rustix::io::read(master, &mut *buffer)?)
        }))
    }

    /// Reads likewise, whether or not the runtime has been notified that there is something.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<Transfer> {
        transfer(rustix::io::read(&self.master, buffer).map_err(Into::into))
    }

    /// Writes as much as there is room for.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<Transfer> {
        transfer(self.master.try_io(Interest::WRITABLE, |master| {
            Ok(rustix::io::write(master, bytes)?)
        }))
    }

    /// Writes likewise, whether or not the runtime has been notified that there is room: it is not, where the kernel
    /// has discarded the input that took it.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> io::Result<Transfer> {
        transfer(rustix::io::write(&self.master, bytes).map_err(Into::into))
    }

    /// Closes our far end: reading ends when the last program has closed its own.
    pub(crate) fn release(&mut self) {
        self.far = None;
    }

    /// Returns the current characters that interrupt, quit and stop: typed, they also make the kernel discard earlier
    /// input. `None` where they are not special, or nothing is discarded.
    pub(crate) fn interrupts(&self) -> Option<[u8; 3]> {
        let modes = rustix::termios::tcgetattr(&self.master).ok()?;
        let is_on = modes.local_modes.contains(LocalModes::ISIG)
            && !modes.local_modes.contains(LocalModes::NOFLSH);
        let codes = [
            SpecialCodeIndex::VINTR,
            SpecialCodeIndex::VQUIT,
            SpecialCodeIndex::VSUSP,
        ];
        is_on.then(|| codes.map(|code| modes.special_codes[code]))
    }

    /// Returns the character that ends the input. `None` where the terminal has no such character, as in raw mode.
    pub(crate) fn end_of_file(&self) -> Option<u8> {
        let modes = rustix::termios::tcgetattr(&self.master).ok()?;
        let is_on = modes.local_modes.contains(LocalModes::ICANON);
        let code = modes.special_codes[SpecialCodeIndex::VEOF];
        (is_on && code != 0).then_some(code)
    }

    /// Returns whether there is input that a program could read, and has not.
    pub(crate) fn has_unread_input(&self) -> bool {
        let Some(far) = &self.far else {
            return false;
        };
        // This call, unlike FIONREAD, makes the kernel first pass on what it still holds on its way.
        let mut asked = [PollFd::new(far, PollFlags::IN)];
        let found = rustix::event::poll(&mut asked, Some(&Timespec::default()));
        found.is_ok() && asked[0].revents().contains(PollFlags::IN)
    }

    /// Discards unread input.
    pub(crate) fn forget_input(&self) -> io::Result<()> {
        // First what the kernel still holds on its way, then what has arrived.
        rustix::termios::tcflush(&self.master, QueueSelector::OFlush)?;
        if let Some(far) = &self.far {
            rustix::termios::tcflush(far.as_fd(), QueueSelector::IFlush)?;
        }
        Ok(())
    }
}

/// Returns the result of a read or write without waiting.
pub(crate) fn transfer(result: io::Result<usize>) -> io::Result<Transfer> {
    match result {
        Ok(0) => Ok(Transfer::Closed),
        Ok(count) => Ok(Transfer::Bytes(count)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Transfer::NotNow),
            // The error of Linux on the near end of a terminal whose far end is closed.
            _ if error.raw_os_error() == Some(libc::EIO) => Ok(Transfer::Closed),
            _ => Err(error),
        },
    }
}
