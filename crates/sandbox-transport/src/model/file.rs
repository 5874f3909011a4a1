//! What operations on files take and return.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The metadata of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileInfo {
    /// The file's path: absolute if the daemon reports it so.
    pub path: PathBuf,
    /// The file's type.
    pub kind: FileKind,
    /// The file's length in bytes.
    pub size: u64,
    /// The file's permissions, with the set-user-id, set-group-id and sticky bits: at most `0o7777`.
    pub mode: u32,
    /// The file's owner, as the daemon reports it: this project's daemon reports the numeric id.
    pub owner: String,
    /// The file's group, as the daemon reports it.
    pub group: String,
    /// The time at which the content was modified last, if the daemon reports a time that can be read.
    pub modified: Option<SystemTime>,
}

impl FileInfo {
    /// Returns the last name of the path, or the whole path if it has none, as `/`.
    pub fn name(&self) -> &Path {
        self.path.file_name().map_or(&*self.path, Path::new)
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }

    /// Returns whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Returns whether this is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.kind == FileKind::Symlink
    }
}

/// The type of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device, such as a terminal.
    CharDevice,
    /// A block device, such as a disk.
    BlockDevice,
    /// Another type.
    Other,
}

/// The permissions and the owner to set. What is `None` is unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The permissions, at most `0o7777`.
    pub mode: Option<u32>,
    /// The owner, a name or an id.
    pub owner: Option<String>,
    /// The group, a name or an id.
    pub group: Option<String>,
}

impl Permissions {
    /// Creates permissions of this mode, for the same owner and group.
    pub fn from_mode(mode: u32) -> Self {
        Self {
            mode: Some(mode),
            ..Self::default()
        }
    }
}

/// The results of a listing or a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches<T> {
    /// The results.
    pub items: Vec<T>,
    /// Whether there may be more: a limit of the daemon or of this client was reached. Stock daemons have no limit.
    pub is_truncated: bool,
}

impl<T> Default for Matches<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            is_truncated: false,
        }
    }
}

impl<T> IntoIterator for Matches<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Matches<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// A line that contains a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundLine {
    /// The path of the file.
    pub path: PathBuf,
    /// The number of the line; the first is 1.
    pub number: u64,
    /// The line, without its terminator. U+FFFD stands for what is not UTF-8.
    pub text: String,
}

/// The result of a replacement in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaceOutcome {
    /// The path of the file, as it was requested.
    pub path: PathBuf,
    /// The reason why the file is unchanged. `None` if the replacement succeeded, also if nothing was to be replaced.
    pub error: Option<String>,
}

/// The contents of an archive that was extracted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// The number of regular files.
    pub files: u64,
    /// The number of directories.
    pub directories: u64,
    /// The number of symbolic and hard links.
    pub links: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The number of named pipes, sockets and devices, which are left out.
    pub skipped: u64,
    /// The paths of the first of these.
    pub skipped_paths: Vec<PathBuf>,
}
