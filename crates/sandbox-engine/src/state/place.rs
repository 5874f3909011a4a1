//! Where the private directory is, and the locks that say whose it is.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use uuid::Uuid;

use super::abandoned::private_directories;
use super::directory::{Directory, Lock, PRIVATE};
use super::owner::Owner;
use super::scratch::removed;
use crate::limits::STATE_LOCK_WAIT;
use crate::tag::Instance;

/// The place in which the private directory is created; absolute.
#[derive(Debug)]
pub(super) enum Place {
    /// The state directory, which is this engine's alone.
    Given(PathBuf),
    /// The system's directory for temporary files, which many share.
    Temporary(PathBuf),
}

/// The opened place.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) directory: Directory,
    /// `None` for a place that is shared, and where the file system has no locks.
    pub(super) lock: Option<OwnedFd>,
}

/// The private directory.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) parent: Arc<Parent>,
    pub(super) directory: Directory,
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// `None` where the file system has no locks.
    _lock: Option<OwnedFd>,
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Temporary(path) => path,
        }
    }

    pub(super) fn open(&self) -> io::Result<Parent> {
        match self {
            Self::Given(path) => {
                let directory = Directory::open_or_make(path, PRIVATE)?;
                directory.check_owner()?;
                let lock = lock_alone(&directory)?;
                Ok(Parent { directory, lock })
            }
            Self::Temporary(path) => {
                // The usual mode of such directories, if it was removed.
                let shared = Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SVTX;
                let directory = Directory::open_or_make(path, shared)?;
                Ok(Parent {
                    directory,
                    lock: None,
                })
            }
        }
    }
}

impl Own {
    pub(super) fn make(
        path: &Path,
        parent: Arc<Parent>,
        prefix: &str,
        instance: Instance,
    ) -> io::Result<Self> {
        let name = format!("{prefix}{}", Uuid::new_v4().simple());
        let directory = parent.directory.make(name.as_bytes(), PRIVATE)?;
        let lock = match directory.lock()? {
            Lock::Taken(lock) => Some(lock),
            Lock::Busy | Lock::Unsupported => None,
        };
        // After the lock: without this file the directory is not taken for an abandoned one.
        Owner::here(instance).write(&directory)?;
        Ok(Self {
            path: path.join(&name),
            parent,
            directory,
            name,
            _lock: lock,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        removed(
            &self.path,
            self.parent.directory.remove(self.name.as_bytes()),
        );
    }
}

/// Locks a state directory; returns `None` if the file system has no locks.
fn lock_alone(directory: &Directory) -> io::Result<Option<OwnedFd>> {
    let give_up = Instant::now() + STATE_LOCK_WAIT;
    loop {
        match directory.lock()? {
            Lock::Taken(lock) => return Ok(Some(lock)),
            Lock::Unsupported => {
                tracing::warn!(
                    "the state directory cannot be locked: nothing keeps two daemons from sharing it"
                );
                return Ok(None);
            }
            Lock::Busy => {}
        }
        let owners = private_directories(directory);
        let owners = owners.filter_map(|(_, directory)| Owner::read(&directory));
        if let Some(owner) = { owners }.find(Owner::is_alive) {
            let message = format!("process {} uses it", owner.pid);
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        // Its process has ended; a child that it was just starting holds the lock until it executes another program.
        if Instant::now() > give_up {
            let message = "another process has locked it";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no lock can be waited for until a deadline"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// The prefix of the names of private directories.
pub(super) const PREFIX: &str = "sandbox-";

/// The prefix of the names of directories with the pipes of sessions.
pub(super) const SESSIONS_PREFIX: &str = "sandbox-session-";
