//! What belongs to a file besides its content: owner, permissions, times and extended attributes.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Stat, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::Error;
use crate::root::descriptor_path;

/// The extended attributes that belong to a file and not to its content or its system: those of users, the access control lists
/// and the label of SELinux. Capabilities are those of a program, which is another one now.
#[derive(Debug, Default)]
pub(crate) struct Extended(Vec<(OsString, Vec<u8>)>);

impl Extended {
    /// Reads those of a file. What this user may not read, or the file system does not have, is left out.
    pub(crate) fn of(file: &impl AsFd) -> Self {
        // A descriptor that only stands for a path has no other way.
        let path = descriptor_path(file);
        let names = read(|names| match names {
            None => rustix::fs::listxattr_query(&*path),
            Some(names) => rustix::fs::listxattr(&*path, names),
        });
        let names = names.unwrap_or_default();
        let names = names.split(|byte| *byte == 0).filter(|name| is_kept(name));
        let attributes = names.filter_map(|name| {
            let name = OsStr::from_bytes(name);
            let value = read(|value| match value {
                None => rustix::fs::getxattr_query(&*path, name),
                Some(value) => rustix::fs::getxattr(&*path, name, value),
            });
            Some((name.to_owned(), value?))
        });
        Self(attributes.collect())
    }

    /// Gives them to another file. What this user may not set, or the file system does not have, is left out.
    pub(crate) fn give(&self, to: &OwnedFd) -> Result<(), Error> {
        for (name, value) in &self.0 {
            let set = rustix::fs::fsetxattr(to, &**name, value, XattrFlags::empty());
            if let Err(errno @ (Errno::NOSPC | Errno::DQUOT)) = set {
                return Err(errno.into());
            }
        }
        Ok(())
    }
}

/// Gives a copy the owner, the extended attributes, the permissions and the times of the file that it is of. What this user may
/// not give stays as it is.
pub(crate) fn copy(stat: &Stat, extended: &Extended, to: &OwnedFd) -> Result<(), Error> {
    copy_owner(stat, to);
    extended.give(to)?;
    let mode = Mode::from_bits_truncate(stat.st_mode & KEPT_MODE);
    rustix::fs::chmodat(CWD, descriptor_path(to), mode, AtFlags::empty())?;
    Ok(rustix::fs::futimens(to, &times(stat))?)
}

/// Gives a file the owner of another one, and returns whether this user may.
pub(crate) fn copy_owner(stat: &Stat, to: &OwnedFd) -> bool {
    let (uid, gid) = owners(stat);
    rustix::fs::fchown(to, Some(uid), Some(gid)).is_ok()
}

/// Reads what has a length of its own, at most 64 KiB in Linux; `None` if there is nothing, or it changes meanwhile.
fn read(call: impl Fn(Option<&mut [u8]>) -> Result<usize, Errno>) -> Option<Vec<u8>> {
    let length = call(None).ok()?;
    let mut bytes = vec![0; length];
    let length = call(Some(&mut bytes)).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name.starts_with(b"system.posix_acl_")
        || name == b"security.selinux"
}

pub(crate) fn owners(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

pub(crate) fn times(stat: &Stat) -> Timestamps {
    let time = |seconds: i64, nanos: u64| rustix::fs::Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanos).unwrap_or(0),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// The bits of a mode that a file with new content retains: as a write does, it loses those by which it runs as another user.
pub(crate) const KEPT_MODE: u32 = 0o1777;
