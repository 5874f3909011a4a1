//! A resource limit of another process.

use std::io;
use std::ptr;

use rustix::process::Pid;

/// Returns the soft and the hard limit of `pid` on realtime CPU time, in microseconds; `RLIM_INFINITY` is `u64::MAX`.
///
/// rustix reads another process's limit only by setting it.
pub(crate) fn realtime_limits(pid: Pid) -> io::Result<(u64, u64)> {
    let mut limits = [0_u64; 2];
    // SAFETY: prlimit64 writes two 64-bit numbers, for which there is room, and reads none: the new limit is NULL.
    let code = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            pid.as_raw_nonzero().get(),
            libc::RLIMIT_RTTIME,
            ptr::null::<[u64; 2]>(),
            limits.as_mut_ptr(),
        )
    };
    let [soft, hard] = limits;
    if code == 0 {
        Ok((soft, hard))
    } else {
        Err(io::Error::last_os_error())
    }
}
