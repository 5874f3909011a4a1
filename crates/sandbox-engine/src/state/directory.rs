//! Directories that are held open: entries are named relative to one, and no link in it is followed.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use uuid::Uuid;

use super::removal;

/// The result of an attempt to lock a directory.
pub(super) enum Lock {
    /// The directory is locked until this is closed, here and in every process that has inherited it.
    Taken(OwnedFd),
    /// Another process holds the lock.
    Busy,
    /// The file system does not support such locks.
    Unsupported,
}

/// A directory, held by a descriptor that only names it (`O_PATH`).
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Opens the directory at `path`, which may be a link to it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Opens the directory at the absolute `path`, and creates it with `mode` if it is missing, with the directories above it.
    ///
    /// # Errors
    ///
    /// Returns errors of the system; `PermissionDenied` if a missing directory would be created in one of another user.
    pub(crate) fn open_or_make(path: &Path, mode: Mode) -> io::Result<Self> {
        match (Self::open(path), path.parent(), path.file_name()) {
            (Err(error), Some(above), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
                let above = Self::open_or_make(above, mode)?;
                above.check_owner()?;
                match above.make(name.as_bytes(), mode) {
                    // Created by another process meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        above.enter(name.as_bytes())
                    }
                    made => made,
                }
            }
            (opened, ..) => opened,
        }
    }

    /// Opens the directory `name` in this one.
    pub(crate) fn enter(&self, name: &[u8]) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Creates the directory `name` in this one, with exactly this mode whatever the umask is.
    ///
    /// # Errors
    ///
    /// Returns errors of the system: `AlreadyExists`; `NotFound` if this directory has been removed.
    pub(crate) fn make(&self, name: &[u8], mode: Mode) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, name, mode)?;
        let made = self.enter(name)?;
        made.check_owner()?;
        if Mode::from_raw_mode(made.stat()?.st_mode) != mode {
            // The descriptor's own link, since the name could refer to another directory meanwhile.
            rustix::fs::chmod(made.link(), mode)?;
        }
        Ok(made)
    }

    /// Creates the file `name` in this directory, which only this user may read and write, whatever the umask is.
    pub(crate) fn create(&self, name: &[u8]) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, PRIVATE_FILE)?;
        if Mode::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != PRIVATE_FILE {
            rustix::fs::fchmod(&fd, PRIVATE_FILE)?;
        }
        Ok(fd.into())
    }

    /// Opens the file `name` in this directory for reading.
    pub(super) fn read(&self, name: &[u8]) -> io::Result<File> {
        // Programs of runs can write to this directory: a FIFO in the place of the file would block
        // the call without `O_NONBLOCK` (fifo(7)).
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?.into())
    }

    /// Returns the names of the entries of this directory.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        // By the link: a descriptor that was opened with `O_PATH` cannot be read.
        let entries = std::fs::read_dir(self.link())?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Locks this directory, unless another process has; never waits.
    pub(super) fn lock(&self) -> io::Result<Lock> {
        // flock(2) does not accept a descriptor that was opened with `O_PATH`.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock::Taken(fd)),
            Err(Errno::WOULDBLOCK) => Ok(Lock::Busy),
            Err(Errno::NOLCK | Errno::BADF | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Ok(Lock::Unsupported)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a nameless file: it is removed with its last descriptor, however this process ends, and whatever is removed.
    pub(crate) fn nameless(&self) -> io::Result<File> {
        // With `O_TMPFILE`, `O_EXCL` means that the file can never get a name (open(2)).
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, ".", flags, PRIVATE_FILE) {
            Ok(fd) => Ok(fd.into()),
            // Not every file system can. ISDIR and NOENT are the errors of kernels that do not know the flag.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
                let name = Uuid::new_v4().to_string();
                let file = self.create(name.as_bytes())?;
                rustix::fs::unlinkat(&self.fd, &name, AtFlags::empty())?;
                Ok(file)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the directory `name` in this one with all its contents; follows no link.
    pub(crate) fn remove(&self, name: &[u8]) -> io::Result<()> {
        removal::remove(self.fd.as_fd(), name)
    }

    /// Rejects a directory that belongs to another user: that user could replace its contents. Root's is as good as this user's.
    pub(crate) fn check_owner(&self) -> io::Result<()> {
        let owner = self.stat()?.st_uid;
        if owner == 0 || owner == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the directory belongs to another user (uid {owner})"),
        ))
    }

    /// Returns whether the directory belongs to this user.
    pub(super) fn is_this_users(&self) -> bool {
        let user = rustix::process::geteuid().as_raw();
        self.stat().is_ok_and(|found| found.st_uid == user)
    }

    /// Returns whether users other than the owner can remove and rename the contents.
    pub(crate) fn is_open_to_others(&self) -> io::Result<bool> {
        let mode = Mode::from_raw_mode(self.stat()?.st_mode);
        Ok(mode.intersects(Mode::WGRP | Mode::WOTH) && !mode.contains(Mode::SVTX))
    }

    /// Returns whether this directory is the one at `path` now; false after it was removed or renamed.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let there = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
        let same = |there: Stat| {
            let held = self.stat()?;
            let is_directory = FileType::from_raw_mode(there.st_mode) == FileType::Directory;
            Ok(is_directory && (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino))
        };
        there
            .map_err(io::Error::from)
            .and_then(same)
            .unwrap_or(false)
    }

    /// Returns a path to this directory that works even if its own path was changed or removed.
    fn link(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd()).into()
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.fd)?)
    }
}

/// The mode of directories that only this user may access.
pub(crate) const PRIVATE: Mode = Mode::RWXU;

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path)
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }

    #[test]
    fn what_is_made_is_private_and_goes_through_no_link() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let directory = Directory::open_or_make(&path, PRIVATE).unwrap();
        assert_eq!((mode(&path), mode(&home.path().join("a"))), (0o700, 0o700));
        directory.create(b"file").unwrap();
        assert_eq!(mode(&path.join("file")), 0o600);

        let victim = home.path().join("victim");
        symlink(&victim, path.join("link")).unwrap();
        let refused = directory.create(b"link").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(!victim.exists());
        std::fs::create_dir(&victim).unwrap();
        assert!(directory.enter(b"link").is_err());
        // What is missing below a dangling link is not created at the link's target.
        symlink(home.path().join("nowhere"), home.path().join("dangling")).unwrap();
        assert!(Directory::open_or_make(&home.path().join("dangling/x"), PRIVATE).is_err());
        assert!(!home.path().join("nowhere").exists());

        std::fs::write(victim.join("kept"), "").unwrap();
        directory.make(b"tree", PRIVATE).unwrap();
        symlink(&victim, path.join("tree/link")).unwrap();
        directory.remove(b"tree").unwrap();
        assert!(!path.join("tree").exists() && victim.join("kept").exists());
    }

    #[test]
    fn a_file_without_a_name_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(home.path()).unwrap();
        let file = directory.nameless().unwrap();
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        assert_eq!(file.metadata().unwrap().nlink(), 0);
    }

    #[test]
    fn a_directory_that_was_exchanged_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        let directory = Directory::open_or_make(&path, PRIVATE).unwrap();
        assert!(directory.is_at(&path));
        std::fs::rename(&path, home.path().join("b")).unwrap();
        assert!(!directory.is_at(&path));
        std::fs::create_dir(&path).unwrap();
        assert!(!directory.is_at(&path));
        std::fs::remove_dir(&path).unwrap();
        symlink(home.path().join("b"), &path).unwrap();
        assert!(!directory.is_at(&path));
    }
}
