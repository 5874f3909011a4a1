//! The state directory of a control plane on this machine: who uses it, its key, and where it listens.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::process::{Flock, FlockType, Pid};
use sandbox_daemon::doors::{private_directory, write_private};
use sandbox_process::ControlAddress;
use uuid::Uuid;

use crate::error::CliError;

/// A state directory, which may not exist yet.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
}

/// Whether a control plane uses a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum User {
    Nobody,
    /// Its process, unless that is in a process namespace that is not visible from this one.
    Process(Option<Pid>),
}

impl StateDir {
    /// The directory of this name, or the default one.
    pub(crate) fn named(path: Option<PathBuf>) -> Result<Self, CliError> {
        let path = path.or_else(ControlAddress::state_dir);
        let path = path.ok_or(CliError::NoStateDir)?;
        let path = std::path::absolute(&path).map_err(|source| CliError::State { path, source })?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the directory, for this user alone, or checks that it is so.
    pub(crate) fn create(&self) -> Result<(), CliError> {
        let create = || {
            if let Some(parent) = self.path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            private_directory(&self.path).map(drop)
        };
        create().map_err(|source| self.failed(source))
    }

    /// Takes the directory for this process, until the file is closed.
    pub(crate) fn lock(&self) -> Result<File, CliError> {
        let file = self.open_lock().map_err(|source| self.failed(source))?;
        // A lock that names its process, unlike those of `File::lock`.
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => Err(CliError::IsUp {
                path: self.path.clone(),
            }),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Returns whether a control plane uses the directory.
    pub(crate) fn user(&self) -> Result<User, CliError> {
        let asked = File::open(self.file(LOCK)).and_then(|file| {
            let asked = Flock::from(FlockType::WriteLock);
            Ok(rustix::process::fcntl_getlk(&file, &asked)?)
        });
        match asked {
            Ok(None) => Ok(User::Nobody),
            Ok(Some(lock)) => Ok(User::Process(lock.pid)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(User::Nobody),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Returns the key of the directory, which is made when it is first needed.
    pub(crate) fn key(&self) -> Result<String, CliError> {
        let path = self.file("key");
        if !path.exists() {
            let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            self.write("key", &format!("{key}\n"))?;
        }
        Ok(sandbox_daemon::Token::from_file(&path)?.into_string())
    }

    /// Leaves the address for clients.
    pub(crate) fn publish(&self, address: &ControlAddress) -> Result<(), CliError> {
        self.write(ADDRESS, &address.to_env())
    }

    /// Removes the address.
    pub(crate) fn retract(&self) {
        // A client that finds it nevertheless cannot connect, and says so.
        let _ = std::fs::remove_file(self.file(ADDRESS));
    }

    /// Returns the address that a control plane has left, if one runs.
    pub(crate) fn address(&self) -> Result<ControlAddress, CliError> {
        let not_up = || CliError::NotUp {
            path: self.path.clone(),
        };
        if self.user()? == User::Nobody {
            return Err(not_up());
        }
        let address = ControlAddress::in_state_dir(&self.path);
        address.map_err(CliError::Control)?.ok_or_else(not_up)
    }

    /// Writes a file for this user alone, whole or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        write_private(&self.file(name), text.as_bytes()).map_err(|source| self.failed(source))
    }

    fn open_lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600).open(self.file(LOCK))
    }

    fn failed(&self, source: io::Error) -> CliError {
        CliError::State {
            path: self.path.clone(),
            source,
        }
    }
}

const LOCK: &str = "up.lock";
const ADDRESS: &str = "control.env";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_stays_and_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::named(Some(parent.path().join("a/b"))).unwrap();
        dir.create().unwrap();
        let key = dir.key().unwrap();
        assert_eq!(key.len(), 64);
        assert_eq!(dir.key().unwrap(), key);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&dir.file("key")), 0o600);
        assert_eq!(mode(dir.path()), 0o700);
        let address = ControlAddress::new("http://127.0.0.1:1/api", key);
        dir.publish(&address).unwrap();
        assert_eq!(mode(&ControlAddress::file(dir.path())), 0o600);
        let found = ControlAddress::in_state_dir(dir.path()).unwrap();
        assert_eq!(found, Some(address));
        // No control plane holds the lock.
        assert!(matches!(dir.address(), Err(CliError::NotUp { .. })));
        dir.retract();
        assert_eq!(ControlAddress::in_state_dir(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_directory_of_others_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(parent.path(), open).unwrap();
        let dir = StateDir::named(Some(parent.path().into())).unwrap();
        assert!(matches!(dir.create(), Err(CliError::State { .. })));
    }
}
