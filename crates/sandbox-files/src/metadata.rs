//! What is known of a file.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat};

/// What the system knows of a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes; of anything but a regular file, whatever the file system says.
    pub size: u64,
    /// Permissions, with the bits for set-user-id, set-group-id and sticky: at most `0o7777`.
    pub mode: u32,
    /// The id of its owner.
    pub uid: u32,
    /// The id of its group.
    pub gid: u32,
    /// When its content changed last.
    pub modified: SystemTime,
    /// The device of its file system.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device that takes characters, such as a terminal.
    CharDevice,
    /// A device that takes blocks, such as a disk.
    BlockDevice,
    /// Anything else.
    Other,
}

/// An entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its path, from the listed directory on.
    pub path: PathBuf,
    /// What the system knows of it; a symbolic link is not followed.
    pub metadata: Metadata,
}

impl Metadata {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            kind: FileKind::of(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified: time(stat),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }

    /// Returns a text that differs after the file was replaced or its content was modified. It is made of the device, the inode,
    /// the size and the time of modification, and has no characters but digits, letters and `-`.
    pub fn entity_tag(&self) -> String {
        let nanos = match self.modified.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos(),
            // Times before 1970 are not those after.
            Err(before) => !before.duration().as_nanos(),
        };
        let (device, inode, size) = (self.device, self.inode, self.size);
        format!("{device:x}-{inode:x}-{size:x}-{nanos:x}")
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }
}

impl FileKind {
    pub(crate) fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Dir,
            FileType::Symlink => Self::Symlink,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice => Self::CharDevice,
            FileType::BlockDevice => Self::BlockDevice,
            _ => Self::Other,
        }
    }
}

/// The time of a file; one that the clock of this system cannot have is its beginning.
fn time(stat: &Stat) -> SystemTime {
    let seconds = Duration::from_secs(stat.st_mtime.unsigned_abs());
    let nanos = Duration::from_nanos(stat.st_mtime_nsec);
    let whole = if stat.st_mtime < 0 {
        UNIX_EPOCH.checked_sub(seconds)
    } else {
        UNIX_EPOCH.checked_add(seconds)
    };
    let time = whole.and_then(|time| time.checked_add(nanos));
    time.unwrap_or(UNIX_EPOCH)
}
