//! A socket for whole messages, and for descriptors with them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::message::send;

/// One end of the socket, registered with the runtime.
#[derive(Debug)]
pub(crate) struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    /// Creates a channel; returns its other end in the form that is passed to a process.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: `AsyncFd` owns the descriptor, so it stays open for as long as it is registered.
        let ours = unsafe { AsyncFd::register_with_interest(ours, interest) }?;
        Ok((Self(ours), theirs))
    }

    /// Sends one message with at most six descriptors.
    pub(crate) async fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if fds.len() > FDS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let send = |socket: &OwnedFd| send(socket.as_fd(), message, fds, SendFlags::empty());
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// Waits for the next message; returns an empty one if no process has the other end open any more. Cancel safe.
    pub(crate) async fn receive(&self) -> io::Result<Vec<u8>> {
        let receive = |socket: &OwnedFd| {
            let mut message = vec![0; MESSAGE_BYTES];
            let (length, _) =
                rustix::net::recv(socket, message.as_mut_slice(), RecvFlags::empty())?;
            message.truncate(length);
            Ok(message)
        };
        self.0.async_io(Interest::READABLE, receive).await
    }
}

/// The maximum number of descriptors with one message.
const FDS: usize = 6;

/// The maximum length of a received message in bytes; the rest of a longer one is lost.
const MESSAGE_BYTES: usize = 128;
