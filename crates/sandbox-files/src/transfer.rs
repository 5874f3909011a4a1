//! Moves to another file system: what is moved is copied, appears whole at its target, and is removed then.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::Error;
use crate::attributes::{self, Extended, owners, times};
use crate::descent::{Descent, Found, Step};
use crate::limits::READ_BYTES;
use crate::overwrite::copy_range;
use crate::part::{Part, temporary_name};
use crate::root::{Place, open_regular};
use crate::walk::remove_tree;

/// Moves what has a place to one on another file system.
pub(crate) fn transfer(from: &Place, to: Place) -> Result<(), Error> {
    let stat = from.stat()?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => move_file(from, to),
        FileType::Symlink => move_link(from, &to),
        FileType::Directory => move_dir(from, &to),
        // What another process waits at cannot be copied.
        _ => Err(Error::NotRegular),
    }
}

fn move_file(from: &Place, to: Place) -> Result<(), Error> {
    let (file, stat) = open_regular(&from.dir, &from.name)?;
    let mut part = match Part::in_place_of(to, None) {
        Err(Error::IsADirectory | Error::NotRegular) => return Err(Error::Exists),
        part => part?,
    };
    copy(&file, part.file())?;
    part.become_copy_of(&file, &stat)?;
    part.publish()?;
    unlink(from)
}

fn move_link(from: &Place, to: &Place) -> Result<(), Error> {
    let link = rustix::fs::readlinkat(&from.dir, &*from.name, Vec::new())?;
    rustix::fs::symlinkat(link, &to.dir, &*to.name)?;
    unlink(from)
}

/// Moves a directory. If the copy fails, it is removed, and the source is as it was; after that, a failure to remove the source
/// leaves the complete copy.
fn move_dir(from: &Place, to: &Place) -> Result<(), Error> {
    match to.stat() {
        Err(Error::NotFound) => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(Error::Exists),
    }
    let name = temporary_name();
    rustix::fs::mkdirat(&to.dir, &*name, PRIVATE)?;
    let copied = copy_dir(from, to, &name);
    let renamed = copied.and_then(|()| {
        let renamed = rustix::fs::renameat(&to.dir, &*name, &to.dir, &*to.name);
        renamed.map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::NOTDIR => Error::Exists,
            errno => errno.into(),
        })
    });
    if let Err(error) = renamed {
        // The error of the copy is the one to report.
        let _ = remove_tree(to.dir.as_fd(), &name);
        return Err(error);
    }
    remove_tree(from.dir.as_fd(), &from.name)
}

/// Copies a directory into an empty one that has this name in the directory of `to`.
fn copy_dir(from: &Place, to: &Place, name: &std::ffi::OsStr) -> Result<(), Error> {
    let source = open_dir(&from.dir, &from.name)?;
    let stat = rustix::fs::fstat(&source)?;
    let device = stat.st_dev;
    let mut targets = vec![(open_dir(&to.dir, name)?, stat, Extended::of(&source))];
    let mut descent = Descent::new(source)?;
    while let Some(step) = descent.next()? {
        match step {
            Step::Left => {
                if let Some((dir, stat, extended)) = targets.pop() {
                    attributes::copy(&stat, &extended, &dir)?;
                }
            }
            Step::Found(found) => {
                // A mounted file system could not be removed afterward; the target itself may be on it.
                if found.stat.st_dev != device {
                    return Err(Error::OtherFileSystem);
                }
                let Some((target, ..)) = targets.last() else {
                    break;
                };
                let is_dir = FileType::from_raw_mode(found.stat.st_mode) == FileType::Directory;
                if is_dir {
                    rustix::fs::mkdirat(target, &*found.name, PRIVATE)?;
                    let (target, stat) = (open_dir(target, &found.name)?, found.stat);
                    descent.enter(found)?;
                    let extended = descent.dir().map(|dir| Extended::of(&dir));
                    let extended = extended.unwrap_or_default();
                    targets.push((target, stat, extended));
                } else if let Some(dir) = descent.dir() {
                    copy_entry(dir, &found, target)?;
                }
            }
        }
    }
    Ok(())
}

/// Copies a file or a link into a directory that no other process sees.
fn copy_entry(dir: impl AsFd, found: &Found, target: &OwnedFd) -> Result<(), Error> {
    let name = &*found.name;
    match FileType::from_raw_mode(found.stat.st_mode) {
        FileType::RegularFile => {
            let (file, stat) = open_regular(&dir, name)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let copied = rustix::fs::openat(target, name, flags, PRIVATE)?;
            copy(&file, &copied)?;
            attributes::copy(&stat, &Extended::of(&file), &copied)
        }
        FileType::Symlink => {
            let link = rustix::fs::readlinkat(&dir, name, Vec::new())?;
            rustix::fs::symlinkat(link, target, name)?;
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let (uid, gid) = owners(&found.stat);
            let _ = rustix::fs::chownat(target, name, Some(uid), Some(gid), flags);
            Ok(rustix::fs::utimensat(
                target,
                name,
                &times(&found.stat),
                flags,
            )?)
        }
        _ => Err(Error::NotRegular),
    }
}

/// Copies the content of a file into an empty one, with its holes.
fn copy(from: &OwnedFd, to: &OwnedFd) -> Result<(), Error> {
    let mut block = vec![0; READ_BYTES];
    let mut offset = 0;
    loop {
        // A file system without holes, or one that does not know them, has data up to the end.
        let data = match rustix::fs::seek(from, SeekFrom::Data(offset)) {
            Err(Errno::NXIO) => break,
            found => found.unwrap_or(offset),
        };
        let hole = rustix::fs::seek(from, SeekFrom::Hole(data)).unwrap_or(u64::MAX);
        offset = copy_range(from, to, data..hole, &mut block)?;
        if offset < hole {
            break;
        }
    }
    let length = rustix::fs::fstat(from)?.st_size;
    Ok(rustix::fs::ftruncate(
        to,
        u64::try_from(length).unwrap_or(0),
    )?)
}

fn open_dir(dir: &OwnedFd, name: &std::ffi::OsStr) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}

fn unlink(from: &Place) -> Result<(), Error> {
    let flags = AtFlags::empty();
    Ok(rustix::fs::unlinkat(&from.dir, &*from.name, flags)?)
}

/// The mode of what is not complete yet.
const PRIVATE: Mode = Mode::from_bits_truncate(0o700);
