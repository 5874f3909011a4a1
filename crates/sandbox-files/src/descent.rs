//! Descends through a directory in depth-first order, by descriptors, so that no link leads elsewhere.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::Error;
use crate::limits::WALK_DEPTH;

/// A descent whose caller decides which directories are entered. Holds two descriptors for each level.
#[derive(Debug)]
pub(crate) struct Descent {
    levels: Vec<Level>,
}

/// What a descent encounters.
#[derive(Debug)]
pub(crate) enum Step {
    /// An entry of the current directory.
    Found(Found),
    /// The end of the current directory; the next step is in the one above.
    Left,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: OsString,
    /// Its path, from the beginning of the descent on.
    pub(crate) path: PathBuf,
    /// Links are not followed.
    pub(crate) stat: Stat,
}

#[derive(Debug)]
struct Level {
    dir: OwnedFd,
    entries: Dir,
    path: PathBuf,
}

impl Descent {
    pub(crate) fn new(dir: OwnedFd) -> Result<Self, Error> {
        let mut descent = Self { levels: Vec::new() };
        descent.push(dir, PathBuf::new())?;
        Ok(descent)
    }

    /// Returns the current directory.
    pub(crate) fn dir(&self) -> Option<BorrowedFd<'_>> {
        Some(self.levels.last()?.dir.as_fd())
    }

    /// Returns the path of the current directory.
    pub(crate) fn path(&self) -> &Path {
        self.levels
            .last()
            .map_or_else(|| Path::new(""), |level| &level.path)
    }

    /// Returns the next step; `None` after the first directory was left. Entries that are removed meanwhile are skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, Error> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.read() else {
                self.levels.pop();
                return Ok(Some(Step::Left));
            };
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsString::from_vec(name.to_vec());
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let stat = match rustix::fs::statat(&level.dir, &*name, flags) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            let path = level.path.join(&name);
            return Ok(Some(Step::Found(Found { name, path, stat })));
        }
        Ok(None)
    }

    /// Enters a directory that was found in the current one.
    pub(crate) fn enter(&mut self, found: Found) -> Result<(), Error> {
        let Some(level) = self.levels.last() else {
            return Err(Error::NotFound);
        };
        if self.levels.len() > WALK_DEPTH {
            return Err(Error::TooDeep);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&level.dir, &*found.name, flags, Mode::empty())?;
        self.push(dir, found.path)
    }

    fn push(&mut self, dir: OwnedFd, path: PathBuf) -> Result<(), Error> {
        let entries = Dir::read_from(&dir)?;
        self.levels.push(Level { dir, entries, path });
        Ok(())
    }
}
