//! Secrets from the environment.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;

use thiserror::Error;

/// The reason why a secret could not be taken from the environment.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Other threads run already and may be reading the environment.
    #[error("the environment can only be cleaned before other threads start")]
    Threads,
    /// `/proc` could not be read, or the kernel was asked instead and has refused.
    #[error("cannot count this process's threads")]
    Proc(#[source] io::Error),
}

/// Takes the value of the variable `name` and blanks it in this process's memory.
///
/// Afterwards neither `std::env::var_os` nor `/proc/self/environ` shows the value: both read that memory. The variable
/// itself stays, empty. Returns `None` if it was not set or was empty.
///
/// To be called first in `main`.
///
/// # Errors
///
/// Returns [`SecretError::Threads`] if this process has more than one thread.
pub fn take_secret(name: &CStr) -> Result<Option<OsString>, SecretError> {
    if !has_one_thread().map_err(SecretError::Proc)? {
        return Err(SecretError::Threads);
    }
    // SAFETY: `name` is NUL-terminated; no other thread changes the environment, as there is none.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: getenv returns a NUL-terminated string that no other code writes to.
    let length = unsafe { CStr::from_ptr(value) }.count_bytes();
    // SAFETY: the string has `length` bytes; std makes the environment's memory no Rust reference, so nothing aliases it.
    let bytes = unsafe { std::slice::from_raw_parts_mut(value.cast::<u8>(), length) };
    let secret = bytes.to_vec();
    bytes.fill(0);
    Ok((!secret.is_empty()).then(|| OsString::from_vec(secret)))
}

/// Returns whether this process has one thread.
fn has_one_thread() -> io::Result<bool> {
    match std::fs::read_dir("/proc/self/task") {
        Ok(threads) => Ok(threads.count() == 1),
        // In an empty root directory there is no `/proc`. The kernel is not asked first, since container engines forbid the call.
        Err(error) if error.kind() == io::ErrorKind::NotFound => has_one_thread_by_kernel(),
        Err(error) => Err(error),
    }
}

/// Returns the same without `/proc`: unshare(2) accepts `CLONE_THREAD` from a process with one thread, where it has no effect, and
/// refuses it from others.
fn has_one_thread_by_kernel() -> io::Result<bool> {
    // SAFETY: the flag changes nothing, whether the call succeeds or not.
    if unsafe { libc::unshare(libc::CLONE_THREAD) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL) => Ok(false),
        _ => Err(error),
    }
}

/// Closes this process's memory, environment and descriptors to other processes of the same user, and prevents core
/// dumps.
///
/// A process with `CAP_SYS_PTRACE` (root, in most containers) still has access.
///
/// # Errors
///
/// Returns the error of `prctl(2)`.
pub fn forbid_inspection() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_count_the_threads() {
        // The harness and this test are threads, at least.
        assert!(!has_one_thread().unwrap());
        assert!(!has_one_thread_by_kernel().unwrap());
        let (mut read, mut write) = io::pipe().unwrap();
        // SAFETY: the child has this thread alone, calls the kernel alone, and exits without running anything else.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_alone = matches!(has_one_thread_by_kernel(), Ok(true));
            let _ = io::Write::write_all(&mut write, &[u8::from(is_alone)]);
            // SAFETY: always safe.
            unsafe { libc::_exit(0) };
        }
        drop(write);
        let mut told = Vec::new();
        io::Read::read_to_end(&mut read, &mut told).unwrap();
        // SAFETY: the child is this process's own, and is waited for here alone.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert_eq!(told, [1]);
    }
}
