//! The priority of this thread's I/O.

use std::io;

/// Returns the class and the level, as the kernel numbers them.
pub(crate) fn io_priority() -> io::Result<libc::c_long> {
    // SAFETY: ioprio_get reads two numbers and no memory.
    let found = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_THREAD, 0) };
    if found < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(found)
}

/// Sets the class and the level.
#[cfg(test)]
pub(crate) fn set_io_priority(priority: libc::c_long) -> io::Result<()> {
    // SAFETY: ioprio_set reads three numbers and no memory.
    match unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_THREAD, 0, priority) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `IOPRIO_WHO_PROCESS`, which is a thread; 0 is the calling one.
const WHO_THREAD: libc::c_int = 1;
