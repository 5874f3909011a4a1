//! The single interface through which processes start.
//!
//! A [`Spawner`] takes a complete description and returns the near ends of the descriptors and a future that resolves to
//! the exit. Callers must assume nothing else: neither that the child is this process's own to wait for, nor when
//! it is reaped.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use rustix::process::{Signal, kill_process};
use thiserror::Error;
use tokio::time::timeout;

pub use crate::direct::Direct;
use crate::environment::Environment;
use crate::isolation::IsolationError;
use crate::limits::KILL_WAIT;
use crate::offload::file_calls;
use crate::procfs::process_id;
use crate::resources::LimitError;
pub use crate::resources::ProcessUsage;
use crate::sys;
use crate::tag::Tag;
use crate::termination::Termination;

/// A way to start processes.
pub trait Spawner: Send + Sync + fmt::Debug {
    /// Starts the process that `spec` describes.
    ///
    /// Resolves when the program has been executed, or has failed to.
    ///
    /// # Cancel safety
    ///
    /// If dropped, no process remains: it was not started, or is ended. The engine drops the future after
    /// [`SPAWN`](crate::limits::SPAWN).
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>>;
}

/// A complete description of a process to start.
#[derive(Debug)]
pub struct SpawnSpec {
    /// The path of the executable; it is not searched for.
    pub program: PathBuf,
    /// The arguments, beginning with the program's own name.
    pub argv: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub env: Environment,
    /// The working directory; absolute.
    pub cwd: PathBuf,
    /// The descriptors by their numbers in the child, from 0; it has no others.
    pub fds: Vec<ChildFd>,
    /// The group that the process leads.
    pub group: ProcessGroup,
    /// The limits of the process and of all that it starts.
    pub limits: SpawnLimits,
}

/// The limits of a process, to be applied to it before it executes its program.
#[derive(Debug, Clone, Default)]
pub struct SpawnLimits {
    /// The control groups to put it into.
    pub groups: Vec<GroupEntry>,
    /// Bytes of each file that it writes (`RLIMIT_FSIZE`).
    pub file_bytes: Option<u64>,
    /// Open descriptors (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
}

impl SpawnLimits {
    /// Returns whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.file_bytes.is_none() && self.open_files.is_none()
    }
}

/// How a process with one thread gets into a control group. For a process that exists already the kernel waits until no other starts,
/// ends or executes a program, unless the group is of version 1 and the thread moves alone.
#[derive(Debug, Clone)]
pub struct GroupEntry {
    /// The file to which it writes `0`, open for writing: `tasks` of version 1, `cgroup.procs` of version 2.
    pub file: Arc<OwnedFd>,
    /// The directory of a group of version 2. A process that is created in it (`CLONE_INTO_CGROUP`) need not write.
    pub directory: Option<Arc<OwnedFd>>,
}

/// One descriptor of a child.
#[derive(Debug, Clone)]
pub enum ChildFd {
    /// `/dev/null`, read and write.
    Null,
    /// The reading end of a new pipe; the writing end is returned.
    Input,
    /// The writing end of a new pipe; the reading end is returned.
    Output,
    /// A duplicate of another descriptor of the child, with a smaller number.
    SameAs(usize),
    /// A descriptor of the caller's.
    Given(Arc<OwnedFd>),
    /// A terminal, which the child opens by its path; for the leader of [`ProcessGroup::OwnSession`], whose terminal it
    /// becomes.
    Terminal(PathBuf),
}

/// The group that a child leads, which is the smallest set that is ended with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessGroup {
    /// A process group in this process's session.
    Own,
    /// A new session, which has a terminal only by [`ChildFd::Terminal`].
    OwnSession,
}

/// A process that was started.
pub struct Spawned {
    /// The process id, which is also the group's. Must not be reusable before `exit` has resolved.
    pub pid: u32,
    /// The label of the process and all its descendants; `None` where the system does not let processes be labeled.
    pub tag: Option<Tag>,
    /// The near ends, indexed by the numbers of the far ends in the child.
    pub fds: Vec<Option<OwnedFd>>,
    /// A future that resolves to how the process ended. Dropping it leaves the process running; its exit is then collected only
    /// by an engine that [reaps orphans](crate::EngineBuilder::reap_orphans).
    pub exit: Exit,
}

impl Spawned {
    /// Kills the process, but none of those that it started, and returns how it ended.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::TimedOut`] if it still runs after [`KILL_WAIT`].
    pub(crate) async fn kill(self) -> io::Result<Exited> {
        kill_alone(self.pid);
        let ended = timeout(KILL_WAIT, self.exit).await;
        ended.unwrap_or_else(|_| {
            tracing::warn!(pid = self.pid, "a killed process does not end");
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

/// Kills a process, but none of those that it started. It must not have been reaped, so that the number is still its own.
pub(crate) fn kill_alone(pid: u32) {
    let killed = process_id(pid).and_then(|pid| Ok(kill_process(pid, Signal::KILL)?));
    if let Err(error) = killed {
        tracing::debug!(%error, "cannot kill a process");
    }
}

/// A future that resolves to how a process ended, and reaps it.
pub type Exit = Pin<Box<dyn Future<Output = io::Result<Exited>> + Send>>;

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// How the process ended.
    pub termination: Termination,
    /// What it has used; `None` if that is not known.
    pub usage: Option<ProcessUsage>,
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned")
            .field("pid", &self.pid)
            .field("tag", &self.tag)
            .field("fds", &self.fds)
            .finish_non_exhaustive()
    }
}

/// An error from starting a process.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The program is missing or may not be executed.
    #[error("cannot execute {}", path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// An argument or variable is longer than the kernel allows (128 KiB each), or all together are.
    #[error("arguments and environment are larger than the system takes")]
    TooLarge,
    /// An argument, variable or path has a NUL byte, which the system cannot pass.
    #[error("a NUL byte in {what}")]
    Nul {
        /// The location of the NUL byte.
        what: &'static str,
    },
    /// The process cannot be limited as it was asked for.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The process cannot be isolated as it was asked for.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// The system is short of processes, memory or descriptors.
    #[error("the system is short of processes, memory or descriptors")]
    Exhausted(#[source] io::Error),
    /// Another error of the system.
    #[error("cannot start a process")]
    Os(#[from] io::Error),
}

/// The two ends of each descriptor: `far` is passed to the child, `near` to the caller.
pub(crate) struct Ends<'a> {
    far: Vec<Far<'a>>,
    near: Vec<Option<OwnedFd>>,
}

enum Far<'a> {
    Owned(OwnedFd),
    Terminal(CString),
    Given(BorrowedFd<'a>),
    SameAs(usize),
}

impl<'a> Ends<'a> {
    pub(crate) fn open(fds: &'a [ChildFd]) -> Result<Self, SpawnError> {
        let mut ends = Self {
            far: Vec::with_capacity(fds.len()),
            near: Vec::with_capacity(fds.len()),
        };
        for (number, fd) in fds.iter().enumerate() {
            let (far, near) = match fd {
                ChildFd::Null => (Far::Owned(null("/dev/null").map_err(of_the_system)?), None),
                ChildFd::Input => {
                    let (read, write) = pipe()?;
                    (Far::Owned(read), Some(write))
                }
                ChildFd::Output => {
                    let (read, write) = pipe()?;
                    (Far::Owned(write), Some(read))
                }
                // Only an earlier one, so that following it in `far_end` comes to an end.
                ChildFd::SameAs(other) if *other < number => (Far::SameAs(*other), None),
                ChildFd::SameAs(_) => {
                    return Err(SpawnError::Os(io::ErrorKind::InvalidInput.into()));
                }
                ChildFd::Given(fd) => (Far::Given(fd.as_fd()), None),
                ChildFd::Terminal(path) => {
                    let path = c_string(path.as_os_str(), "the terminal's path")?;
                    (Far::Terminal(path), None)
                }
            };
            ends.far.push(far);
            ends.near.push(near);
        }
        Ok(ends)
    }

    pub(crate) fn take_near(self) -> Vec<Option<OwnedFd>> {
        self.near
    }

    pub(crate) fn far(&self) -> Vec<sys::Source<'_>> {
        (0..self.far.len())
            .map(|number| self.far_end(number))
            .collect()
    }

    /// Returns the ends for the child that are descriptors already: all but terminals.
    pub(crate) fn far_fds(&self) -> Vec<BorrowedFd<'_>> {
        let fds = self.far().into_iter().filter_map(|source| match source {
            sys::Source::Fd(fd) => Some(fd),
            sys::Source::Terminal(_) => None,
        });
        fds.collect()
    }

    fn far_end(&self, number: usize) -> sys::Source<'_> {
        match &self.far[number] {
            Far::Owned(fd) => sys::Source::Fd(fd.as_fd()),
            Far::Given(fd) => sys::Source::Fd(*fd),
            Far::Terminal(path) => sys::Source::Terminal(path),
            Far::SameAs(other) => self.far_end(*other),
        }
    }
}

pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    // Without the flag a child that another thread of this program starts at the same time would
    // inherit the ends, and hide the end of file.
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| of_the_system(error.into()))
}

/// The end of a process whose usage is not known.
impl From<Termination> for Exited {
    fn from(termination: Termination) -> Self {
        Self {
            termination,
            usage: None,
        }
    }
}

/// Reaps a child of this process and returns how it ended.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Exited> {
    sys::reap(pidfd)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// Returns the error for a program that the system did not execute.
pub(crate) fn not_executed(program: &Path, error: io::Error) -> SpawnError {
    match error.raw_os_error() {
        Some(libc::E2BIG) => SpawnError::TooLarge,
        // execve(2) fails with these for reasons that are not the program's.
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => {
            SpawnError::Exhausted(error)
        }
        _ => SpawnError::Program {
            path: program.to_owned(),
            source: error,
        },
    }
}

/// Checks that a process could make this its working directory.
pub(crate) async fn enterable(dir: &Path) -> io::Result<()> {
    let dir = dir.to_owned();
    file_calls(move || is_enterable(&dir)).await?
}

/// Checks that a process could make this its working directory, on this thread, which the file system can block.
pub(crate) fn is_enterable(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(dir, rustix::fs::Access::EXEC_OK)?)
}

/// Checks that the file system of a working directory responds. What else is the matter with it is seen by the process that
/// enters it, which may see other file systems than this one.
pub(crate) async fn responds(dir: &Path) -> Result<(), SpawnError> {
    match enterable(dir).await {
        Err(source) if source.kind() == io::ErrorKind::TimedOut => Err(SpawnError::WorkDir {
            path: dir.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Opens `/dev/null`; where there are no devices, as in an empty root directory, a file that is empty and stays so.
fn null(path: &str) -> io::Result<OwnedFd> {
    let opened = std::fs::File::options().read(true).write(true).open(path);
    match opened {
        Ok(null) => Ok(null.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => sys::sealed_memory("null", &[]),
        Err(error) => Err(error),
    }
}

pub(crate) fn of_the_system(error: io::Error) -> SpawnError {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
            SpawnError::Exhausted(error)
        }
        _ => SpawnError::Os(error),
    }
}

pub(crate) fn c_string(text: &OsStr, what: &'static str) -> Result<CString, SpawnError> {
    CString::new(text.as_bytes()).map_err(|_| SpawnError::Nul { what })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_stands_for_the_null_device_is_empty_and_stays_so() {
        let mut stand_in = File::from(null("/no/such/device").unwrap());
        assert!(stand_in.write_all(b"lost").is_err());
        let mut content = Vec::new();
        stand_in.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"");
        let mut device = File::from(null("/dev/null").unwrap());
        device.write_all(b"lost").unwrap();
        assert!(null("/etc/passwd/below").is_err());
    }
}
