//! The children of this process that have ended, and the groups and sessions of processes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::process::Pid;

use crate::spawner::{Exited, ProcessUsage};
use crate::termination::Termination;

/// Reaps a child, and returns how it ended and what it has used, with the processes that it has waited for. Waits for its end;
/// returns `None` if it has not ended and its descriptor does not wait.
///
/// The safe crates do not report the usage.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<Exited>> {
    let mut found = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: writes to `found` and to `usage` only, which are of the kernel's types.
    let code = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            found.as_mut_ptr(),
            libc::WEXITED,
            usage.as_mut_ptr(),
        )
    };
    if code < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: all zeros are valid, and the call has written the rest.
    let found = unsafe { found.assume_init() };
    // SAFETY: as above.
    let usage = unsafe { usage.assume_init() };
    // SAFETY: the union has the fields of an exit after a successful call.
    let status = unsafe { found.si_status() };
    let termination = match found.si_code {
        libc::CLD_EXITED => Termination::Exited { code: status },
        code @ (libc::CLD_KILLED | libc::CLD_DUMPED) => Termination::Signaled {
            signal: status,
            core_dumped: code == libc::CLD_DUMPED,
        },
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    Ok(Some(Exited {
        termination,
        usage: Some(ProcessUsage {
            user_time: duration(usage.ru_utime),
            system_time: duration(usage.ru_stime),
            // In KiB. `exec` adds the peak of the memory before it, which was this process's (vfork): a smaller one is hidden.
            peak_rss_bytes: u64::try_from(usage.ru_maxrss)
                .ok()
                .filter(|_| usage.ru_maxrss > own_peak())
                .map(|peak| peak.saturating_mul(1024)),
        }),
    }))
}

/// Returns the largest resident memory that this process has ever had, in KiB.
fn own_peak() -> libc::c_long {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: writes to `usage` only, for which all zeros are valid if it fails.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { usage.assume_init() }.ru_maxrss
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

/// Returns a child that has ended, and leaves it to be reaped; always the same one until then.
pub(crate) fn ended_child() -> Option<Pid> {
    let mut found = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: writes to `found` only.
    if unsafe { libc::waitid(libc::P_ALL, 0, found.as_mut_ptr(), options) } < 0 {
        return None;
    }
    // SAFETY: all zeros are valid, which also stand for no child.
    let found = unsafe { found.assume_init() };
    // SAFETY: the union has the fields of an exit if it has any.
    Pid::from_raw(unsafe { found.si_pid() })
}

/// Returns the process group of a process; `None` if the process has ended, or its group's leader is outside of this
/// process's pid namespace.
///
/// The kernel has 0 for such a leader, which the safe crate's type does not hold: it panics. The same is true of [`session_of`].
pub(crate) fn group_of(process: Pid) -> Option<Pid> {
    // SAFETY: reads no memory of this process.
    Pid::from_raw(unsafe { libc::getpgid(process.as_raw_nonzero().get()) }.max(0))
}

/// Returns the session of a process, as [`group_of`] returns its group.
pub(crate) fn session_of(process: Pid) -> Option<Pid> {
    // SAFETY: reads no memory of this process.
    Pid::from_raw(unsafe { libc::getsid(process.as_raw_nonzero().get()) }.max(0))
}
