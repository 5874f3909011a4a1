//! Why an operation was not carried out.

use std::io;

use rustix::io::Errno;

/// Why an operation on files was not carried out, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing has this path.
    ///
    /// The words are those that published clients of the protocol look for in a message: they have no code.
    #[error("file not found")]
    NotFound,
    /// The user of this process may not do this.
    #[error("permission denied")]
    AccessDenied,
    /// The path cannot be that of a file: a name in it is too long, there is a NUL, or its links are a circle.
    #[error("invalid path: {0}")]
    InvalidPath(&'static str),
    /// A name within the path, or the path itself, should be that of a directory and is not.
    #[error("not a directory")]
    NotADirectory,
    /// The operation is for files, and this is a directory.
    #[error("is a directory")]
    IsADirectory,
    /// This is a named pipe, a socket or a device, which may block the process that opens it.
    #[error("not a regular file")]
    NotRegular,
    /// The directory has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// Something else has this path already.
    #[error("something else has this path already")]
    Exists,
    /// The directory, or the file system below it, is in use.
    #[error("in use")]
    InUse,
    /// A file system is mounted below the directory, which is to be moved to another one.
    #[error("another file system is mounted in the directory")]
    OtherFileSystem,
    /// No space is left for the file: on its file system, or in the quota of its user.
    #[error("no space left")]
    DiskFull,
    /// The file system, or the limits of this process, allow no file as large.
    #[error("the file is too large for its file system")]
    TooLarge,
    /// The file became shorter while it was read.
    #[error("the file became shorter while it was read")]
    Changed,
    /// The directories are nested more deeply than [`WALK_DEPTH`](crate::limits::WALK_DEPTH).
    #[error("the directories are nested too deeply")]
    TooDeep,
    /// The pattern, or the text to be replaced, is none.
    #[error("invalid pattern: {0}")]
    InvalidPattern(String),
    /// The archive is damaged, ends early, or has an entry that cannot be extracted.
    #[error("invalid archive: {0}")]
    InvalidArchive(&'static str),
    /// No user or group has this name.
    #[error("no such user or group: {0}")]
    UnknownOwner(String),
    /// As many operations as may run at a time wait for their file systems.
    #[error("too many operations wait for their file systems")]
    Busy,
    /// The kernel cannot confine paths below a root: it lacks `openat2`, which Linux has since 5.6.
    #[error("the kernel cannot confine paths below a root")]
    Unsupported,
    /// Anything else that the system reports.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::AccessDenied,
            Errno::NOTDIR => Self::NotADirectory,
            Errno::ISDIR => Self::IsADirectory,
            Errno::NXIO | Errno::NODEV => Self::NotRegular,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::EXIST => Self::Exists,
            Errno::BUSY | Errno::TXTBSY => Self::InUse,
            Errno::XDEV => Self::OtherFileSystem,
            Errno::NOSPC | Errno::DQUOT => Self::DiskFull,
            Errno::FBIG => Self::TooLarge,
            Errno::NAMETOOLONG => Self::InvalidPath("a name in it is too long"),
            Errno::LOOP => Self::InvalidPath("too many symbolic links"),
            Errno::INVAL => Self::InvalidPath("it cannot be used for this"),
            Errno::NOSYS => Self::Unsupported,
            errno => Self::Io(errno.into()),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Io(error),
        }
    }
}
