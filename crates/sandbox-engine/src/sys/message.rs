//! Descriptors in messages, for processes of one thread, and for calls that do not wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// The maximum number of descriptors with one message.
pub(crate) const MESSAGE_FDS: usize = 32;

/// Sends descriptors; fails if that would have to wait.
pub(crate) fn send_with_fds(socket: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let count = u8::try_from(fds.len()).map_err(io::Error::other)?;
    send(socket, &[count], fds, SendFlags::DONTWAIT)
}

/// Sends a message with at most [`MESSAGE_FDS`] descriptors.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = flags | SendFlags::NOSIGNAL;
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, flags)?;
    Ok(())
}

/// Waits for the next message, and returns its descriptors; none if the other end was closed.
pub(crate) fn receive_fds(socket: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    receive(socket, RecvFlags::empty())
}

/// Returns the descriptor of a message that has arrived.
pub(crate) fn receive_fd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    receive(socket, RecvFlags::DONTWAIT).ok()?.pop()
}

fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    rustix::io::retry_on_intr(|| rustix::net::recvmsg(socket, &mut parts, &mut ancillary, flags))?;
    let fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds: Vec<OwnedFd> = fds.flatten().collect();
    // This process may not have as many.
    if fds.len() == usize::from(byte[0]) {
        Ok(fds)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Makes descriptors those with the numbers from 0 on, which a program inherits; what had the numbers is closed.
///
/// None of `fds` has one of the numbers, and nothing else that is in use.
pub(crate) fn number_from_zero(fds: &[OwnedFd]) -> io::Result<()> {
    for (number, fd) in (0..).zip(fds) {
        let number: RawFd = number;
        // SAFETY: the process has one thread, and the caller uses nothing with this number.
        if unsafe { libc::dup2(fd.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
