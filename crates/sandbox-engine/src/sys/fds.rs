//! Descriptors: those that children inherit, and files that exist in memory only.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};

use rustix::fs::{MemfdFlags, SealFlags};

/// Marks every descriptor from `first` on close-on-exec, so that no child inherits what this process inherited.
///
/// For a daemon's start. Requires Linux 5.11.
///
/// # Errors
///
/// Returns the error of `close_range(2)`: `ENOSYS` or `EINVAL` on an older kernel.
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

/// Returns a memory file with `parts` one after another, which no process can change any more.
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
