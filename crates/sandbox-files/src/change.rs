//! What changes directories and the properties of files.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid};
use rustix::io::Errno;

use crate::limits::{LIST_ENTRIES, READ_BYTES, WALK_DEPTH};
use crate::owner::{GROUPS, Owner, USERS};
use crate::part::Part;
use crate::root::{Place, Root, descriptor_path, open_regular};
use crate::walk::{Bounds, Found, gather, remove_tree};
use crate::{Entry, Error, Matches, Metadata};

/// What is to become of a file's permissions; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Permissions with the bits for set-user-id, set-group-id and sticky: at most `0o7777`.
    pub mode: Option<u32>,
    /// The owner.
    pub owner: Option<Owner>,
    /// The group.
    pub group: Option<Owner>,
}

pub(crate) fn list(root: &Root, path: &Path, depth: usize) -> Result<Matches<Entry>, Error> {
    let entry = |found: &Found<'_>| {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        // One that no longer exists is left out.
        let stat = rustix::fs::statat(found.dir, &**found.name, flags).ok()?;
        Some(Entry {
            path: found.path.to_owned(),
            metadata: Metadata::of(&stat),
        })
    };
    let bounds = Bounds {
        levels: depth.clamp(1, WALK_DEPTH),
        threads: 1,
    };
    let (dir, never) = (root.open_dir(path)?, AtomicBool::new(false));
    let (mut found, is_complete) = gather(dir, bounds, &never, LIST_ENTRIES, entry)?;
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Matches {
        found,
        is_truncated: !is_complete,
    })
}

pub(crate) fn create_dir(root: &Root, path: &Path, mode: Option<u32>) -> Result<(), Error> {
    let (dir, is_made) = root.make_dirs(path)?;
    match mode {
        // Whatever the umask is.
        Some(mode) if is_made => set_mode(&dir, mode),
        _ => Ok(()),
    }
}

pub(crate) fn remove(root: &Root, path: &Path, is_recursive: bool) -> Result<(), Error> {
    let place = root.place(path)?;
    let is_dir = Metadata::of(&place.stat()?).is_dir();
    match (is_dir, is_recursive) {
        (false, _) => Ok(rustix::fs::unlinkat(
            &place.dir,
            &*place.name,
            AtFlags::empty(),
        )?),
        (true, false) => Err(Error::IsADirectory),
        (true, true) => remove_tree(place.dir.as_fd(), &place.name),
    }
}

pub(crate) fn rename(root: &Root, from: &Path, to: &Path) -> Result<(), Error> {
    let from = root.place(from)?;
    let stat = from.stat()?;
    let to = root.place(to)?;
    match rustix::fs::renameat(&from.dir, &*from.name, &to.dir, &*to.name) {
        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR) => Err(Error::Exists),
        Err(Errno::INVAL) => Err(Error::InvalidPath(
            "a directory cannot be moved into itself",
        )),
        Err(Errno::XDEV) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => move_file(&from, to),
            FileType::Symlink => move_link(&from, &to),
            _ => Err(Error::OtherFileSystem),
        },
        renamed => Ok(renamed?),
    }
}

/// Moves a file to another file system: it is there whole before it is here no more.
fn move_file(from: &Place, to: Place) -> Result<(), Error> {
    let (file, stat) = open_regular(&from.dir, &from.name)?;
    let part = match Part::new(to, Some(stat.st_mode & 0o1777)) {
        Err(Error::IsADirectory | Error::NotRegular) => return Err(Error::Exists),
        part => part?,
    };
    let mut block = vec![0; READ_BYTES];
    loop {
        match rustix::io::read(&file, &mut block) {
            Ok(0) => break,
            Ok(length) => part.write(&block[..length])?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    part.publish()?;
    Ok(rustix::fs::unlinkat(
        &from.dir,
        &*from.name,
        AtFlags::empty(),
    )?)
}

fn move_link(from: &Place, to: &Place) -> Result<(), Error> {
    let link = rustix::fs::readlinkat(&from.dir, &*from.name, Vec::new())?;
    rustix::fs::symlinkat(link, &to.dir, &*to.name)?;
    Ok(rustix::fs::unlinkat(
        &from.dir,
        &*from.name,
        AtFlags::empty(),
    )?)
}

pub(crate) fn set_permissions(
    root: &Root,
    path: &Path,
    permissions: Permissions,
) -> Result<(), Error> {
    let (file, _) = root.look(path)?;
    let resolve = |owner: Option<Owner>, table| {
        let owner = owner.map(|owner| owner.resolve(root, table));
        owner.transpose()
    };
    let owner = resolve(permissions.owner, USERS)?.map(Uid::from_raw);
    let group = resolve(permissions.group, GROUPS)?.map(Gid::from_raw);
    if owner.is_some() || group.is_some() {
        rustix::fs::chownat(&file, "", owner, group, AtFlags::EMPTY_PATH)?;
    }
    // After the owner, a change of which takes the bits for set-user-id.
    match permissions.mode {
        Some(mode) => set_mode(&file, mode),
        None => Ok(()),
    }
}

/// Sets the mode of what is opened, however: that has no path that could lead elsewhere meanwhile.
fn set_mode(file: &OwnedFd, mode: u32) -> Result<(), Error> {
    let mode = Mode::from_bits_truncate(mode);
    let path = descriptor_path(file);
    Ok(rustix::fs::chmodat(CWD, path, mode, AtFlags::empty())?)
}
