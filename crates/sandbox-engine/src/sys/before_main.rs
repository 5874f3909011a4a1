//! The code that runs before `main` in every program that includes this crate: nothing, unless the process is a helper of
//! an engine, a translator or a launcher.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
#[cfg(feature = "typescript")]
use std::os::unix::net::UnixStream;

use rustix::fs::SealFlags;

use super::exit::exit_now;
#[cfg(feature = "typescript")]
use crate::code::task::work;
use crate::isolation::stage::{self, Role};
#[cfg(feature = "typescript")]
use crate::translator::{serve::serve, settings::Settings};

/// Called by the C library when the program starts, after its own libraries are ready and before `main`.
///
/// Rust's std works there, except what `main`'s beginning sets up: the names of arguments on some platforms, SIGPIPE
/// ignored, a message on a stack overflow. None of it is used; without the last a process dies silently.
// SAFETY: the section is an array of pointers to functions of the C ABI, which the C library calls, some with arguments
// that this one does not take.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    #[cfg(feature = "typescript")]
    if let Some(settings) = Settings::of_this_process() {
        translate(settings);
    }
    if let Some(role) = Role::of_this_process() {
        isolate(role);
    }
}

/// Returns whether the process that started this one has other rights, and must not choose the program.
fn is_foreign() -> bool {
    // SAFETY: reads a number that the kernel has put beside the program's arguments.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Serves as a translator, and ends the process; returns if it is none.
#[cfg(feature = "typescript")]
fn translate(settings: Settings) {
    let is_socket = |fd: BorrowedFd<'_>| rustix::net::sockopt::socket_type(fd).is_ok();
    // SAFETY: examined, not retained; if it is not open the kernel reports that.
    if is_foreign() || !is_socket(unsafe { BorrowedFd::borrow_raw(TRANSLATOR_LINE) }) {
        return;
    }
    let line = owned(TRANSLATOR_LINE);
    drop(owned(TRANSLATOR_PROGRAM));
    // SAFETY: takes a NUL-terminated string.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"translator".as_ptr()) };
    exit_now(serve(settings, UnixStream::from(line), work));
}

/// Does the work of a launcher, and ends the process; returns if it is none.
fn isolate(role: Role) {
    let fds = [role.plan(), role.verdict(), role.executable()];
    let [Ok(plan), Ok(verdict), Ok(executable)] = fds.map(RawFd::try_from) else {
        return;
    };
    // SAFETY: examined, not retained; if it is not open the kernel reports that.
    let seals = rustix::fs::fcntl_get_seals(unsafe { BorrowedFd::borrow_raw(plan) });
    if is_foreign() || !seals.is_ok_and(|seals| seals.contains(SealFlags::WRITE)) {
        return;
    }
    drop(owned(executable));
    exit_now(stage::run(owned(plan), owned(verdict)));
}

/// Takes a descriptor of a helper.
fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the process has just begun, by an engine's description: it is open, and for this code alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Returns the address of the constructor in this process's memory.
pub(crate) fn before_main_address() -> usize {
    before_main as *const () as usize
}

/// The descriptor from which a translator reads requests.
#[cfg(feature = "typescript")]
const TRANSLATOR_LINE: RawFd = 3;

/// The descriptor of a translator's executable.
#[cfg(feature = "typescript")]
pub(crate) const TRANSLATOR_PROGRAM: RawFd = 4;
