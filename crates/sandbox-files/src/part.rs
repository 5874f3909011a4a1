//! A file that cannot be seen before it is complete.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, Stat, Timestamps};
use rustix::io::Errno;

use crate::Error;
use crate::attributes::{self, Extended, KEPT_MODE};
use crate::overwrite::overwrite;
use crate::root::{Place, check_regular, descriptor_path};

/// A file in the making, beside the one whose place it takes. Dropped, it leaves nothing.
///
/// A file whose content is replaced retains what belongs to it. Where a new file cannot have that, or cannot take the place, the
/// content is copied into the old one, as `cp` does: its owner is another user, it is a mount point, or its directory may not be
/// written to.
#[derive(Debug)]
pub(crate) struct Part {
    place: Place,
    file: OwnedFd,
    /// The name that it has meanwhile, where the file system cannot do without.
    name: Option<OsString>,
    /// Whether it is on the file system of its place.
    is_beside: bool,
    /// The file that it replaces.
    replaced: Option<Stat>,
    retained: Retained,
    mode: Option<Mode>,
}

/// What a file that is replaced hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retained {
    /// Everything but its content.
    All,
    /// Its owner and its mode, if possible and if there are no others.
    IfPossible,
    /// Nothing: the part has those of another file.
    Nothing,
}

impl Part {
    /// Starts the file that is to be in `place`.
    pub(crate) fn new(place: Place, mode: Option<u32>) -> Result<Self, Error> {
        let replaced = Self::check(&place)?;
        if replaced.is_some() {
            // Renaming asks for permission on the directory alone.
            let flags = AtFlags::EACCESS;
            rustix::fs::accessat(&place.dir, &*place.name, Access::WRITE_OK, flags)?;
        }
        Self::start(place, mode, replaced, Retained::All)
    }

    /// As [`new`](Self::new), for a file that takes the place of one that need not be writable.
    pub(crate) fn in_place_of(place: Place, mode: Option<u32>) -> Result<Self, Error> {
        let replaced = Self::check(&place)?;
        Self::start(place, mode, replaced, Retained::IfPossible)
    }

    fn start(
        place: Place,
        mode: Option<u32>,
        replaced: Option<Stat>,
        retained: Retained,
    ) -> Result<Self, Error> {
        let beside = match unnamed(&place.dir, ".") {
            Some(file) => Ok((file, None)),
            None => named(&place),
        };
        let (file, name, is_beside) = match beside {
            Ok((file, name)) => (file, name, true),
            // In this directory, only the content of files may change.
            Err(Error::AccessDenied) if replaced.is_some() && retained == Retained::All => {
                let file = unnamed(CWD, std::env::temp_dir()).ok_or(Error::AccessDenied)?;
                (file, None, false)
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            place,
            file,
            name,
            is_beside,
            replaced,
            retained,
            mode: mode.map(Mode::from_bits_truncate),
        })
    }

    /// Returns the file that is to be replaced, if there is one.
    fn check(place: &Place) -> Result<Option<Stat>, Error> {
        let stat = match place.stat() {
            Ok(stat) => stat,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        check_regular(&stat)?;
        Ok(Some(stat))
    }

    /// Appends bytes.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        write_all(&self.file, bytes)
    }

    /// Returns the file, to be written to before it is published.
    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// Gives it what belongs to another file, of which it is a copy. Later writes would change its times.
    pub(crate) fn become_copy_of(&mut self, file: &OwnedFd, stat: &Stat) -> Result<(), Error> {
        self.retained = Retained::Nothing;
        attributes::copy(stat, &Extended::of(file), &self.file)
    }

    /// Sets the time of its last modification, which later writes would change.
    pub(crate) fn set_times(&self, times: &Timestamps) -> Result<(), Error> {
        Ok(rustix::fs::futimens(&self.file, times)?)
    }

    /// Puts the file in its place, in the place of what is there.
    pub(crate) fn publish(self) -> Result<(), Error> {
        self.publish_as(Sync::No).map(drop)
    }

    /// Puts the file in its place, and returns what is known of it.
    pub(crate) fn publish_as(mut self, sync: Sync) -> Result<Stat, Error> {
        if !self.is_beside || !self.take_over()? {
            return overwrite(&self.place, &self.file, self.mode, sync);
        }
        if sync == Sync::Disk {
            rustix::fs::fsync(&self.file)?;
        }
        match self.take_place() {
            // The old file is a mount point, or another user's in a directory with the sticky bit.
            Err(Error::InUse | Error::AccessDenied) if self.replaced.is_some() => {
                return overwrite(&self.place, &self.file, self.mode, sync);
            }
            taken => taken?,
        }
        if sync == Sync::Disk {
            // A descriptor that only stands for a path cannot be synchronized.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(&self.place.dir, ".", flags, Mode::empty())?;
            rustix::fs::fsync(dir)?;
        }
        Ok(rustix::fs::fstat(&self.file)?)
    }

    fn take_place(&mut self) -> Result<(), Error> {
        if self.name.is_none() && self.replaced.is_none() {
            match self.link(&self.place.name) {
                Ok(()) => return Ok(()),
                // Something is there by now.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if self.name.is_none() {
            let name = temporary_name();
            self.link(&name)?;
            self.name = Some(name);
        }
        let Place { dir, name } = &self.place;
        let temporary = self.name.take().expect("it was set above");
        rustix::fs::renameat(dir, &*temporary, dir, &**name).map_err(|errno| {
            self.name = Some(temporary);
            errno.into()
        })
    }

    /// Gives the file what it is to have of the one that it replaces. Returns false if it cannot have that.
    fn take_over(&self) -> Result<bool, Error> {
        let old = self.replaced.as_ref();
        if let Some(old) = old.filter(|_| self.retained != Retained::Nothing) {
            let has_owner = attributes::copy_owner(old, &self.file);
            if self.retained == Retained::All {
                if !has_owner {
                    return Ok(false);
                }
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let Place { dir, name } = &self.place;
                match rustix::fs::openat(dir, &**name, flags, Mode::empty()) {
                    Ok(file) => Extended::of(&file).give(&self.file)?,
                    // It has been removed meanwhile.
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        // As `write` does, this takes what a program runs as from its file.
        let old = old.filter(|_| self.retained != Retained::Nothing);
        let old = old.map(|old| Mode::from_bits_truncate(old.st_mode & KEPT_MODE));
        if let Some(mode) = self.mode.or(old) {
            rustix::fs::fchmod(&self.file, mode)?;
        }
        Ok(true)
    }

    fn link(&self, name: &OsString) -> Result<(), Errno> {
        let from = descriptor_path(&self.file);
        let flags = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(CWD, from, &self.place.dir, &**name, flags)
    }
}

/// Whether a file is on the disk when it is in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sync {
    #[default]
    No,
    Disk,
}

/// Appends bytes to a file.
pub(crate) fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(Error::DiskFull),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.place.dir, &**name, AtFlags::empty());
        }
    }
}

/// A file without a name, which ends with its descriptor whatever happens to this process; `None` where there is none, or no
/// `/proc` by which it gets its name.
fn unnamed(dir: impl AsFd, path: impl AsRef<Path>) -> Option<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, path.as_ref(), flags, FILE_MODE).ok()?;
    let seen = rustix::fs::statat(CWD, descriptor_path(&file), AtFlags::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    (seen.st_ino == stat.st_ino && seen.st_dev == stat.st_dev).then_some(file)
}

fn named(place: &Place) -> Result<(OwnedFd, Option<OsString>), Error> {
    let name = temporary_name();
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&place.dir, &*name, flags, FILE_MODE)?;
    Ok((file, Some(name)))
}

/// A name that no file has: drawn by the hasher's keys, a counter and the process.
pub(crate) fn temporary_name() -> OsString {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let drawn = RandomState::new().hash_one((std::process::id(), count));
    format!(".sandbox-{drawn:016x}.part").into()
}

/// The mode of a file of which no one says anything, less what the umask takes.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o666);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;

    /// Where a file system has no files without names, or there is no `/proc`.
    #[test]
    fn a_part_with_a_name_leaves_nothing_either() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::of_the_system(dir.path());
        let path = root.absolute(Path::new("file")).unwrap();
        let names = || {
            let entries = std::fs::read_dir(dir.path()).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        let start = || {
            let place = root.place(&path).unwrap();
            let (file, name) = named(&place).unwrap();
            let replaced = Part::check(&place).unwrap();
            let mode = None;
            Part {
                place,
                file,
                name,
                is_beside: true,
                replaced,
                retained: Retained::All,
                mode,
            }
        };
        drop(start());
        assert_eq!(names().len(), 0);
        for text in ["first", "second"] {
            let part = start();
            part.write(text.as_bytes()).unwrap();
            part.publish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(), ["file"]);
        }
        // What cannot be put in its place is removed, too.
        let part = start();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(part.publish(), Err(Error::IsADirectory)));
        assert_eq!(names(), ["file"]);
    }
}
