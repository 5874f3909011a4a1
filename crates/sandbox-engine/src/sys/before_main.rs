//! The code that runs before `main` in every program that includes this crate: nothing, unless the process is a
//! translator.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::exit::exit_now;
use crate::code::task::work;
use crate::translator::serve::serve;
use crate::translator::settings::Settings;

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
    let Some(settings) = Settings::of_this_process() else {
        return;
    };
    // SAFETY: reads a number that the kernel has put beside the program's arguments.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        // The starting process has other rights, and must not choose the program.
        return;
    }
    let Some((line, program)) = given() else {
        return;
    };
    drop(program);
    // SAFETY: takes a NUL-terminated string.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"translator".as_ptr()) };
    let code = serve(settings, UnixStream::from(line), work);
    exit_now(code);
}

/// Returns the descriptors of a translator: its socket, and its program. `None` if the process is not a translator.
fn given() -> Option<(OwnedFd, OwnedFd)> {
    let is_socket = |fd: BorrowedFd<'_>| rustix::net::sockopt::socket_type(fd).is_ok();
    // SAFETY: examined, not retained; if it is not open the kernel reports that.
    if !is_socket(unsafe { BorrowedFd::borrow_raw(TRANSLATOR_LINE) }) {
        return None;
    }
    // SAFETY: the process has just begun, by an engine's description: both are open, and are for this code alone.
    let line = unsafe { OwnedFd::from_raw_fd(TRANSLATOR_LINE) };
    // SAFETY: the same.
    let program = unsafe { OwnedFd::from_raw_fd(TRANSLATOR_PROGRAM) };
    Some((line, program))
}

/// Returns the address of the constructor in this process's memory.
pub(crate) fn before_main_address() -> usize {
    before_main as *const () as usize
}

/// The descriptor from which a translator reads requests.
const TRANSLATOR_LINE: RawFd = 3;

/// The descriptor of a translator's executable.
pub(crate) const TRANSLATOR_PROGRAM: RawFd = 4;
