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
    /// `/proc` could not be read.
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
    let threads = std::fs::read_dir("/proc/self/task").map_err(SecretError::Proc)?;
    if threads.count() != 1 {
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
