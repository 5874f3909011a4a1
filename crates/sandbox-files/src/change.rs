//! What changes directories and the properties of files.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Uid};
use rustix::io::Errno;

use crate::owner::{GROUPS, Owner, USERS};
use crate::root::{Root, descriptor_path};
use crate::transfer::transfer;
use crate::walk::remove_tree;
use crate::{Error, Metadata};

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
    let to = root.place(to)?;
    match rustix::fs::renameat(&from.dir, &*from.name, &to.dir, &*to.name) {
        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR) => Err(Error::Exists),
        Err(Errno::INVAL) => Err(Error::InvalidPath(
            "a directory cannot be moved into itself",
        )),
        Err(Errno::XDEV) => transfer(&from, to),
        renamed => Ok(renamed?),
    }
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
        let changed = rustix::fs::chownat(&file, "", owner, group, AtFlags::EMPTY_PATH);
        changed.map_err(|errno| match errno {
            // The user namespace does not have such an id.
            Errno::INVAL => Error::AccessDenied,
            errno => errno.into(),
        })?;
    }
    // After the owner, a change of which takes the bits for set-user-id.
    match permissions.mode {
        Some(mode) => set_mode(&file, mode),
        None => Ok(()),
    }
}

/// Sets the mode of what is opened, however: that has no path that could lead elsewhere meanwhile.
pub(crate) fn set_mode(file: &OwnedFd, mode: u32) -> Result<(), Error> {
    let mode = Mode::from_bits_truncate(mode);
    let path = descriptor_path(file);
    Ok(rustix::fs::chmodat(CWD, path, mode, AtFlags::empty())?)
}
