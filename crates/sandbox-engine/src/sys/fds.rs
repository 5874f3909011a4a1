//! Descriptors: what children inherit, and files that only memory holds.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};

use rustix::fs::{MemfdFlags, SealFlags};

/// Marks every descriptor from `first` on close-on-exec, so that no child inherits what this process inherited.
///
/// For a daemon's start. Needs Linux 5.11.
///
/// # Errors
///
/// What `close_range(2)` says: `ENOSYS` or `EINVAL` on an older kernel.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the call takes plain numbers and closes nothing; it only sets a flag.
    let code = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `parts` one after another in a memory file that nobody can change any more.
///
/// It has no path to be deleted, and a child that inherits it cannot write to it.
pub(crate) fn sealed_memory(name: &str, parts: &[&[u8]]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(fd);
    for part in parts {
        file.write_all(part)?;
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}
