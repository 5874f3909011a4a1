//! The contract of the operations on files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::api::unsupported;
use crate::model::{ArchiveSummary, FileInfo, FoundLine, Matches, Permissions, ReplaceOutcome};
use crate::transfer::{FileContent, FileReader};
use crate::{ApiFuture, Delivery, Error, ErrorKind};

/// The operations of a daemon on the files of its sandbox, independent of the transport.
///
/// [`ProcessApi::files`](crate::ProcessApi::files) returns them. Paths are bytes; a relative path is relative to the
/// daemon's working directory, and a `~` as its first name stands for the home directory if the daemon is this
/// project's. Stock daemons have all operations except those marked *extension*, but cannot report names that are not
/// UTF-8.
///
/// # Deadlines
///
/// [`CallOptions::deadline`](crate::CallOptions::deadline) bounds a whole operation, except for transfers: there it is
/// the longest time without progress, by default
/// [`limits::TRANSFER_IDLE`](crate::limits::TRANSFER_IDLE). A transfer has no total limit. The time that a caller takes
/// to provide or to accept bytes does not count here, but a daemon may have a limit of its own: this project's ends an
/// upload of which nothing arrives for 60 s.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if nothing has the path, [`ErrorKind::PermissionDenied`] if the daemon's user may not do
/// this, [`ErrorKind::InvalidInput`] if the path cannot be that of such a file, for example because it is a directory,
/// and [`ErrorKind::Conflict`] if something else has the path. [`ErrorKind::Local`] if the content of an upload ends with an
/// error. [`Error::code`] is the daemon's own reason, such as
/// `INSUFFICIENT_STORAGE` for a full disk.
///
/// # Cancel safety
///
/// Dropping a future before it resolves does not cancel the request, except for a transfer: an upload that is dropped
/// leaves the file as it was (a stock daemon may leave a part of it).
pub trait FilesApi: fmt::Debug + Send + Sync {
    /// Returns the metadata of a file. This project's daemon follows links.
    fn metadata<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileInfo> {
        unsupported!(metadata, path)
    }

    /// Lists a directory, and for a `depth` greater than 1 the directories below it. Links are not followed.
    ///
    /// This project's daemon lists at most 100,000 entries over HTTP. Stock daemons may ignore the depth.
    fn list<'a>(&'a self, path: &'a Path, depth: u32) -> ApiFuture<'a, Matches<FileInfo>> {
        unsupported!(list, path, depth)
    }

    /// Reads a regular file. Resolves when the daemon has begun to send.
    fn read<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        unsupported!(read, path)
    }

    /// Writes a regular file, and creates missing directories above it.
    ///
    /// This project's daemon replaces the file in one step when all of `content` has arrived. If `content` ends with an
    /// error, or the future is dropped, nothing is written.
    fn write<'a>(&'a self, path: &'a Path, content: FileContent) -> ApiFuture<'a, ()> {
        unsupported!(write, path, content)
    }

    /// Creates a directory with those above it that are missing. One that exists is left as it is.
    ///
    /// `mode` is at most `0o7777`. Default: `0o755`.
    fn create_dir<'a>(&'a self, path: &'a Path, mode: Option<u32>) -> ApiFuture<'a, ()> {
        unsupported!(create_dir, path, mode)
    }

    /// Removes a file, or a link, which is not followed. Fails with [`ErrorKind::InvalidInput`] for a directory.
    fn remove<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        unsupported!(remove, path)
    }

    /// Removes a file, a link, or a directory with all its entries.
    fn remove_all<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        unsupported!(remove_all, path)
    }

    /// Moves a file or a directory. A file replaces a file at the target.
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> ApiFuture<'a, ()> {
        unsupported!(rename, from, to)
    }

    /// Sets the permissions and the owner of a file. Links are followed.
    fn set_permissions<'a>(
        &'a self,
        path: &'a Path,
        permissions: Permissions,
    ) -> ApiFuture<'a, ()> {
        unsupported!(set_permissions, path, permissions)
    }

    /// Finds the lines that contain a text, in a file or in the files below a directory. Binary files are skipped.
    fn find<'a>(&'a self, path: &'a Path, text: &'a str) -> ApiFuture<'a, Matches<FoundLine>> {
        unsupported!(find, path, text)
    }

    /// Finds the paths below a directory whose last name matches a pattern, such as `*.rs`.
    fn search<'a>(&'a self, path: &'a Path, pattern: &'a str) -> ApiFuture<'a, Matches<PathBuf>> {
        unsupported!(search, path, pattern)
    }

    /// Replaces every occurrence of a text in files. An error in one file is reported for that file.
    fn replace<'a>(
        &'a self,
        paths: &'a [PathBuf],
        old: &'a str,
        new: &'a str,
    ) -> ApiFuture<'a, Vec<ReplaceOutcome>> {
        unsupported!(replace, paths, old, new)
    }

    /// Reads a directory as a tar archive, in which names are relative to the directory. *Extension.*
    fn read_archive<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        unsupported!(read_archive, path)
    }

    /// Extracts a tar archive into a directory, which is created if it is missing. *Extension.*
    ///
    /// Names that would leave the directory are refused with [`ErrorKind::InvalidInput`]. What was extracted before an
    /// error remains; no part of a file does.
    fn write_archive<'a>(
        &'a self,
        path: &'a Path,
        archive: FileContent,
    ) -> ApiFuture<'a, ArchiveSummary> {
        unsupported!(write_archive, path, archive)
    }
}

/// The operations of a transport that has none.
#[derive(Debug)]
pub(crate) struct NoFiles;

impl FilesApi for NoFiles {}

/// Returns an error for a depth of 0.
pub(crate) fn check_depth(depth: u32) -> Result<(), Error> {
    match depth {
        0 => {
            let message = "the depth of a listing is at least 1";
            let kind = ErrorKind::InvalidInput;
            Err(Error::new(kind, Delivery::NotSent, message))
        }
        _ => Ok(()),
    }
}

/// Returns an error for an empty text to search for.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    match text {
        "" => {
            let message = "the text or pattern to search for is empty";
            let kind = ErrorKind::InvalidInput;
            Err(Error::new(kind, Delivery::NotSent, message))
        }
        _ => Ok(()),
    }
}
