//! The executable of this process, started again as a helper of the engine.
//!
//! A constructor in it (`sys/before_main.rs`) makes the new process the helper before `main` runs. So the engine needs no
//! other executable, and a helper starts with fresh memory: nothing of this process's secrets is in it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock};

use rustix::fs::{Mode, OFlags};

use crate::environment::Environment;
use crate::procfs;
use crate::sys::before_main::before_main_address;

/// Returns the executable, by descriptor: the file may have been replaced by another version meanwhile.
///
/// # Errors
///
/// Returns [`io::ErrorKind::Unsupported`] if this crate is part of a shared library: the executable has no constructor of it.
pub(crate) fn program() -> io::Result<Arc<OwnedFd>> {
    let program = HOST.clone();
    program
        .map_err(|kind| io::Error::new(kind, "this program cannot be executed again as a helper"))
}

/// Returns the environment of a helper, without anything that a request has set.
pub(crate) fn environment() -> Environment {
    let mut env = Environment::empty();
    // Without it a host that is linked dynamically may not find its libraries.
    if let Some(path) = std::env::var_os(LIBRARY_PATH) {
        env.set(LIBRARY_PATH, path);
    }
    env
}

static HOST: LazyLock<Result<Arc<OwnedFd>, io::ErrorKind>> = LazyLock::new(|| {
    let path = std::fs::read_link("/proc/self/exe").map_err(|error| error.kind())?;
    // Executed without the constructor, it would run its `main`.
    if procfs::file_at(before_main_address()).as_deref() != Some(path.as_path()) {
        return Err(io::ErrorKind::Unsupported);
    }
    // It need not be readable.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let program = rustix::fs::open("/proc/self/exe", flags, Mode::empty());
    program
        .map(Arc::new)
        .map_err(|error| io::Error::from(error).kind())
});

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
