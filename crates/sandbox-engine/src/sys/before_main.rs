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

/// The variable whose presence makes a process one of [`Detached`](crate::isolation::Detached).
pub(crate) const ROLE_VARIABLE: &str = "SANDBOX_ENGINE_ROLE";

/// Returns the variable's value for a role with this many descriptors.
pub(crate) fn role_text(name: &str, fds: usize) -> String {
    format!("{fds} {name}")
}

fn parse_role(text: &str) -> Option<(RawFd, &str)> {
    let (fds, name) = text.split_once(' ')?;
    let fds = fds.parse().ok()?;
    (0..MOST_FDS).contains(&fds).then_some((fds, name))
}

/// Does `work` and ends the process, if it was started in the role `name`. Called by [`before_main!`](crate::before_main) alone.
#[doc(hidden)]
pub fn play(name: &str, work: fn(Vec<OwnedFd>) -> i32) {
    let Some(text) = std::env::var_os(ROLE_VARIABLE) else {
        return;
    };
    let Some((count, role)) = text.to_str().and_then(parse_role) else {
        return;
    };
    let evidence = FIRST_FD + count;
    // SAFETY: examined, not retained; if it is not open the kernel reports that.
    let seals = rustix::fs::fcntl_get_seals(unsafe { BorrowedFd::borrow_raw(evidence) });
    let is_started = seals.is_ok_and(|seals| seals.contains(SealFlags::WRITE));
    if role != name || !is_started || is_foreign() {
        return;
    }
    // SAFETY: before `main` there is one thread, and nothing has borrowed the environment.
    unsafe { libc::unsetenv(c"SANDBOX_ENGINE_ROLE".as_ptr()) };
    drop(owned(evidence));
    exit_now(work((FIRST_FD..evidence).map(owned).collect()));
}

/// The first descriptor after the standard ones.
const FIRST_FD: RawFd = 3;

/// More descriptors than any role has.
const MOST_FDS: RawFd = 64;

/// Declares what this program does before its `main`, and instead of it, in a process that
/// [`Detached`](crate::isolation::Detached) has started in the role of this name: calls the function with the descriptors
/// that the description has, and ends with its exit code.
///
/// Rust's std works in the function, except that `SIGPIPE` is not ignored and that a stack overflow has no message.
/// The name must be unique in a program.
///
/// ```
/// fn serve(descriptors: Vec<std::os::fd::OwnedFd>) -> i32 {
///     i32::from(descriptors.is_empty())
/// }
///
/// sandbox_engine::before_main!("example", serve);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! before_main {
    ($name:literal, $function:path) => {
        const _: () = {
            extern "C" fn before_main() {
                $crate::__play($name, $function);
            }

            // SAFETY: the section is an array of pointers to functions of the C ABI.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: extern "C" fn() = before_main;
        };
    };
}

/// Takes a descriptor of a helper.
pub(crate) fn owned(fd: RawFd) -> OwnedFd {
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
