//! The soft limit that carries tags.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

pub(crate) fn realtime_limit(pid: u32) -> Option<u64> {
    let mut old = MaybeUninit::<libc::rlimit64>::uninit();
    let pid = libc::pid_t::try_from(pid).ok()?;
    // SAFETY: the kernel writes the whole struct on success.
    let code = unsafe { libc::prlimit64(pid, libc::RLIMIT_RTTIME, ptr::null(), old.as_mut_ptr()) };
    // SAFETY: written by the call above.
    (code == 0).then(|| unsafe { old.assume_init() }.rlim_cur)
}

pub(crate) fn set_realtime_limit(pid: u32, soft: u64) -> io::Result<()> {
    let id = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut old = MaybeUninit::<libc::rlimit64>::uninit();
    // SAFETY: the kernel writes the whole struct on success.
    if unsafe { libc::prlimit64(id, libc::RLIMIT_RTTIME, ptr::null(), old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written by the call above.
    let mut new = unsafe { old.assume_init() };
    new.rlim_cur = soft;
    // SAFETY: the pointer is to a live struct.
    if unsafe { libc::prlimit64(id, libc::RLIMIT_RTTIME, &raw const new, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
