//! The state directory: what sandboxes there are, and their files.
//!
//! A record is a file of its own, written beside the former one, synchronized and renamed. There are few of them, each is small, and
//! each changes alone, so that a database would add nothing but a format that only it can read.
//!
//! ```text
//! lock          held while a provider uses the directory
//! records/ID    JSON
//! run/ID        the socket of the daemon
//! data/ID/      home, tmp, var-tmp, state, passwd, group, log
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use sandbox_daemon::doors::private_directory;
use tokio::net::UnixStream;

use super::record::Record;
use super::remove::remove_tree;
use crate::error::Error;
use crate::limits::REASON_BYTES;
use crate::sandbox::SandboxId;

#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// Sockets are reached through it, since their paths may be longer than an address can be.
    run: OwnedFd,
}

/// Whether a record is to survive a crash of the machine, or only of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Process,
    Machine,
}

/// A record that is to take the place of the former one, and is removed if it does not.
#[derive(Debug)]
pub(super) struct Written {
    place: PathBuf,
    beside: PathBuf,
}

impl Drop for Written {
    fn drop(&mut self) {
        // It is not there when it has taken the place. One that is left is removed when the directory is opened.
        let _ = fs::remove_file(&self.beside);
    }
}

impl Store {
    /// Opens the directory, which is created if it is missing, and returns the lock on it.
    pub(super) fn open(path: &Path) -> Result<(Self, File), Error> {
        let failed = |error| Error::of_files(format!("cannot use {}", path.display()), error);
        make_private(path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        let exclusive = FlockOperation::NonBlockingLockExclusive;
        rustix::fs::flock(&lock, exclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => Error::failed(
                format!("another provider uses {}", path.display()),
                io::Error::from(io::ErrorKind::ResourceBusy),
            ),
            error => failed(error.into()),
        })?;
        for name in ["records", "run", "data"] {
            make_private(&path.join(name)).map_err(failed)?;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let run = rustix::fs::open(path.join("run"), flags, Mode::empty());
        let run = run.map_err(|error| failed(error.into()))?;
        Ok((Self { path, run }, lock))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the file system has no space left.
    pub(super) fn is_full(&self) -> bool {
        rustix::fs::statvfs(&self.path).is_ok_and(|about| about.f_bavail == 0)
    }

    /// Returns the directory of a sandbox's files.
    pub(super) fn data(&self, id: &SandboxId) -> PathBuf {
        self.path.join("data").join(id.as_str())
    }

    fn record(&self, id: &str) -> PathBuf {
        self.path.join("records").join(id)
    }

    /// Returns a short path of a sandbox's socket, as this process sees it.
    fn socket(&self, id: &SandboxId) -> PathBuf {
        format!("/proc/self/fd/{}/{id}", self.run.as_raw_fd()).into()
    }

    /// Creates the socket of a sandbox, in place of a former one.
    pub(super) fn bind(&self, id: &SandboxId) -> Result<UnixListener, Error> {
        let path = self.socket(id);
        let bound = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(&path),
        };
        bound.map_err(|error| Error::of_files("cannot create the socket of the sandbox", error))
    }

    /// Connects to the daemon of a sandbox.
    pub(super) async fn connect(&self, id: &SandboxId) -> Result<UnixStream, Error> {
        let connected = UnixStream::connect(self.socket(id)).await;
        connected.map_err(|error| Error::failed("cannot connect to the sandbox", error))
    }

    /// Stores a record.
    pub(super) fn save(&self, record: &Record, durability: Durability) -> Result<(), Error> {
        self.put(self.write(record)?, durability)
    }

    /// Writes a record beside the former one, and synchronizes it. There is one at a time of a sandbox.
    pub(super) fn write(&self, record: &Record) -> Result<Written, Error> {
        let written = Written {
            place: self.record(&record.id),
            beside: self.record(&format!("{}{BESIDE}", record.id)),
        };
        let write = || {
            let mut file = File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&written.beside)?;
            file.write_all(&serde_json::to_vec(record)?)?;
            // Also where the change may be lost with the machine: what takes the place of a record is never a part of one.
            file.sync_data()
        };
        write().map_err(not_stored)?;
        Ok(written)
    }

    /// Puts a record in the place of the former one.
    pub(super) fn put(&self, written: Written, durability: Durability) -> Result<(), Error> {
        let put = || {
            fs::rename(&written.beside, &written.place)?;
            if durability == Durability::Machine {
                File::open(self.path.join("records"))?.sync_all()?;
            }
            Ok(())
        };
        put().map_err(not_stored)
    }

    /// Returns all records. What was being written when a former provider ended is removed.
    pub(super) fn load(&self) -> Result<Vec<Record>, Error> {
        let directory = self.path.join("records");
        let failed = |path: &Path, error: io::Error| {
            Error::failed(format!("cannot read {}", path.display()), error)
        };
        let mut records = Vec::new();
        let entries = fs::read_dir(&directory).map_err(|error| failed(&directory, error))?;
        for entry in entries {
            let path = entry.map_err(|error| failed(&directory, error))?.path();
            if path.to_string_lossy().ends_with(BESIDE) {
                let _ = fs::remove_file(&path);
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(UNREADABLE) {
                continue;
            }
            let text = fs::read(&path).map_err(|error| failed(&path, error))?;
            match serde_json::from_slice(&text) {
                Ok(record) => records.push(record),
                Err(error) => {
                    let aside = self.record(&format!("{name}{UNREADABLE}"));
                    tracing::warn!(%error, record = %aside.display(), "a record cannot be read; it is set aside, and the files of its sandbox stay");
                    fs::rename(&path, &aside).map_err(|error| failed(&path, error))?;
                }
            }
        }
        Ok(records)
    }

    /// Returns the ids of all sandboxes that have files, whether they have a record or not.
    pub(super) fn with_files(&self) -> Result<Vec<SandboxId>, Error> {
        let directory = self.path.join("data");
        let failed = |error| Error::failed(format!("cannot read {}", directory.display()), error);
        let mut ids = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(id) = name.to_str() else { continue };
            // The record may be repaired.
            if !self.record(&format!("{id}{UNREADABLE}")).exists() {
                ids.push(SandboxId::new(id));
            }
        }
        Ok(ids)
    }

    /// Removes everything of a sandbox, the record last.
    pub(super) fn remove(&self, id: &SandboxId) -> Result<(), Error> {
        let remove = || {
            ignore_missing(fs::remove_file(self.socket(id)))?;
            ignore_missing(remove_tree(&self.path.join("data"), id.as_str()))?;
            ignore_missing(fs::remove_file(self.record(id.as_str())))
        };
        remove().map_err(|error| Error::failed("cannot remove the files of the sandbox", error))
    }

    /// Returns the end of the daemon's log.
    pub(super) fn end_of_log(&self, id: &SandboxId) -> String {
        let read = || {
            let mut file = File::open(self.data(id).join("log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(REASON_BYTES)))?;
            let mut end = Vec::new();
            file.take(REASON_BYTES).read_to_end(&mut end)?;
            io::Result::Ok(String::from_utf8_lossy(&end).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}

/// Creates a directory for this user alone; one that exists must be that.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    private_directory(path).map(drop)
}

fn not_stored(error: io::Error) -> Error {
    Error::of_files("cannot store the sandbox", error)
}

fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// What the name of a record ends with that cannot be read.
const UNREADABLE: &str = ".unreadable";

/// What the name of a record ends with while it is written.
const BESIDE: &str = ".new";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::sandbox::{Sandbox, Spec, State};

    #[test]
    fn a_record_that_is_written_counts_when_it_is_put_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(&directory.path().join("state")).unwrap();
        let record = |state| {
            let time = std::time::SystemTime::UNIX_EPOCH;
            let sandbox = Sandbox::new(SandboxId::new("i"), Spec::default(), state, time);
            Record::of(&sandbox, 7)
        };
        let records = store.path().join("records");
        let names = || fs::read_dir(&records).unwrap().count();
        let (creating, started) = (record(State::Creating), record(State::Started));
        store.save(&creating, Durability::Process).unwrap();
        drop(store.write(&started).unwrap());
        assert_eq!(names(), 1);
        assert_eq!(store.load().unwrap(), [creating]);
        let written = store.write(&started).unwrap();
        assert_eq!(names(), 2);
        store.put(written, Durability::Machine).unwrap();
        assert_eq!(names(), 1);
        assert_eq!(store.load().unwrap(), [started]);
    }

    #[test]
    fn the_end_of_a_log_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(&directory.path().join("state")).unwrap();
        let id = SandboxId::new("i");
        assert_eq!(store.end_of_log(&id), "");
        fs::create_dir(store.data(&id)).unwrap();
        let line = "x".repeat(usize::try_from(REASON_BYTES).unwrap());
        fs::write(store.data(&id).join("log"), format!("first{line}")).unwrap();
        assert_eq!(store.end_of_log(&id), line);
    }

    #[test]
    fn a_directory_is_this_users_alone_and_one_providers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/state");
        let (store, lock) = Store::open(&path).unwrap();
        assert_eq!(fs::metadata(store.path()).unwrap().mode() & 0o777, 0o700);
        let error = Store::open(&path).unwrap_err();
        assert!(error.to_string().contains("another provider"), "{error}");
        drop(lock);
        Store::open(&path).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, open).unwrap();
        let Error::Failed { source, .. } = Store::open(&path).unwrap_err() else {
            panic!("not the error of a failure");
        };
        assert!(source.to_string().contains("chmod 700"), "{source}");
    }
}
