//! The way out of a network of its own: a program of the machine that carries its packets.
//!
//! It is slirp4netns, which translates connections of the network namespace into those of a process of the machine. It has the user of
//! the launcher and is in its control group, and confines itself before it reads a packet: an empty root directory, no capability
//! by which it could do more than listen, a filter of system calls. It ends when the launcher has ended, by a pipe: what it gives up takes
//! the signal at its parent's death from it, too.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::FdFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::FAILED;
use super::verdict::{At, Failure};
use crate::isolation::Step;
use crate::isolation::way_out::DEVICE;
use crate::sys;

/// The process that is to become the program.
pub(super) struct WayOut {
    /// It gets the word by this, and ends when this is closed.
    life: OwnedFd,
    ready: OwnedFd,
}

impl WayOut {
    /// Forks it, with the user and in the namespaces that this process has now.
    pub(super) fn prepare(program: &Path) -> Result<Self, Failure> {
        // It would report this only for people.
        let device = File::options().read(true).write(true).open(DEVICE);
        drop(device.at_path(Step::WayOut, DEVICE)?);
        let path = CString::new(program.as_os_str().as_bytes()).at(Step::WayOut)?;
        let (word, life) = pipe_with(PipeFlags::CLOEXEC).at(Step::WayOut)?;
        let (ready, reports) = pipe_with(PipeFlags::CLOEXEC).at(Step::WayOut)?;
        let target = std::process::id();
        match sys::fork_process().at(Step::WayOut)? {
            Some(_) => Ok(Self { life, ready }),
            None => {
                drop((life, ready));
                // Whatever failed, the pipe is closed without a report.
                let _ = carry(&path, target, &word, &reports);
                sys::exit_now(FAILED)
            }
        }
    }

    /// Has it connect the network namespace that this process has now.
    pub(super) fn connect(&self) -> Result<(), Failure> {
        rustix::io::write(&self.life, &[0]).at(Step::WayOut)?;
        Ok(())
    }

    /// Waits until the namespace is connected, and returns what it is to be connected for.
    pub(super) fn wait(self) -> Result<OwnedFd, Failure> {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.ready, &mut [0; 1]));
        match read.at(Step::WayOut)? {
            0 => Err(io::Error::from_raw_os_error(libc::ECONNABORTED)).at(Step::WayOut),
            _ => Ok(self.life),
        }
    }
}

/// Waits for the word, and becomes the program.
fn carry(path: &CString, target: u32, word: &OwnedFd, reports: &OwnedFd) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Nothing comes if the launcher has failed or ended.
    if rustix::io::retry_on_intr(|| rustix::io::read(word, &mut [0; 1]))? == 0 {
        return Ok(());
    }
    // What is given to the sandbox is none of its: the listening socket among it.
    sys::close_all_but([word.as_raw_fd(), reports.as_raw_fd()]);
    for _ in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::io::fcntl_setfd(&null, FdFlags::empty())?;
        // Stays open under the lowest free number.
        let _ = null.into_raw_fd();
    }
    for given in [word, reports] {
        rustix::io::fcntl_setfd(given, FdFlags::empty())?;
    }
    let ready = format!("--ready-fd={}", reports.as_raw_fd());
    let exit = format!("--exit-fd={}", word.as_raw_fd());
    let target = target.to_string();
    let argv = [
        "slirp4netns",
        "--configure",
        "--mtu=65520",
        "--disable-host-loopback",
        "--enable-sandbox",
        "--enable-seccomp",
        &ready,
        &exit,
        &target,
        "tap0",
    ];
    let argv = argv.map(CString::new).into_iter();
    let argv = argv.collect::<Result<Vec<_>, _>>()?;
    // Signals remain blocked: those of a run are for its program, which is to retain its network meanwhile.
    Err(sys::execute(path, &argv, &[]))
}
