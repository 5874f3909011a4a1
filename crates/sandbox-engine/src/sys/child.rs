//! The children of this process that have ended.

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
