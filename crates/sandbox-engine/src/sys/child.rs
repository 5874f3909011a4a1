//! The children of this process that have ended, and the groups and sessions of processes.

use std::mem::MaybeUninit;

use rustix::process::Pid;

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
