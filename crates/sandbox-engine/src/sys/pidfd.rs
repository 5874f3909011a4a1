//! A process as a descriptor: notified of its exit without polling, signaled without mistaking it for another.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A pidfd registered with the runtime.
#[derive(Debug)]
pub(crate) struct PidFd(AsyncFd<OwnedFd>);

impl PidFd {
    /// Opens `pid`, which must not have been reaped yet.
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // SAFETY: `AsyncFd` owns the descriptor, so it stays open for as long as it is registered.
        let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Waits until the process has ended; it is still to be reaped.
    ///
    /// Cancel safe.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        // A readable pidfd stays readable, so the guard need not be cleared.
        self.0.readable().await.map(|_| ())
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
