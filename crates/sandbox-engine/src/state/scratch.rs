//! Temporary files and directories, each removed when its handle is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::Directory;
use super::place::Own;

/// A directory in the private one, which is removed with its contents when this is dropped.
#[derive(Debug)]
pub(crate) struct ScratchDirectory {
    pub(super) directory: Directory,
    pub(super) entry: ScratchEntry,
}

/// The same without a descriptor of it.
#[derive(Debug)]
pub(crate) struct ScratchEntry {
    pub(super) own: Arc<Own>,
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// A file in its own directory, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(super) path: PathBuf,
    pub(super) _directory: ScratchDirectory,
}

impl Scratch {
    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl ScratchDirectory {
    pub(crate) fn path(&self) -> &Path {
        &self.entry.path
    }

    /// Closes the descriptor; the directory remains until the entry is dropped.
    pub(crate) fn into_entry(self) -> ScratchEntry {
        self.entry
    }

    /// Returns whether the directory is still at its path.
    pub(crate) fn is_in_its_place(&self) -> bool {
        self.directory.is_at(&self.entry.path)
    }

    /// Fails if another user has taken the name of the private directory: a process that received that name would find that
    /// user's files there.
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` in that case.
    pub(crate) fn check_place(&self) -> io::Result<()> {
        let own = &self.entry.own;
        match own.parent.directory.enter(own.name.as_bytes()) {
            Ok(found) if !found.is_this_users() => {
                let path = own.path.display();
                let message = format!("another user has put a directory in the place of {path}");
                Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
            }
            _ => Ok(()),
        }
    }
}

/// The directory, to create and open files in it even if its path now names another one.
impl AsFd for ScratchDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Drop for ScratchEntry {
    fn drop(&mut self) {
        removed(&self.path, self.own.directory.remove(self.name.as_bytes()));
    }
}

pub(super) fn removed(path: &Path, removed: io::Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(%error, path = %path.display(), "cannot remove a directory of temporary files");
    }
}
