//! The operations on files that both protocols offer, with errors that name their paths.

mod range;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox_files::{Files, Line, Matches, Metadata, Owner, PageOptions, Permissions};
use sandbox_wire::ErrorCode;

use super::{Error, is_shortage};
pub(crate) use range::{Opened, Range};
pub(crate) use sandbox_wire::names;

impl From<sandbox_files::Error> for Error {
    fn from(error: sandbox_files::Error) -> Self {
        let code = code_of(&error);
        Self::new(code, error.to_string())
    }
}

fn code_of(error: &sandbox_files::Error) -> ErrorCode {
    use sandbox_files::Error as Files;
    if is_shortage(error) {
        return ErrorCode::ServiceUnavailable;
    }
    match error {
        Files::NotFound => ErrorCode::FileNotFound,
        Files::AccessDenied => ErrorCode::FileAccessDenied,
        Files::InvalidPath(_) | Files::NotADirectory | Files::IsADirectory | Files::NotRegular => {
            ErrorCode::InvalidFilePath
        }
        Files::InvalidPattern(_) | Files::InvalidArchive(_) | Files::UnknownOwner(_) => {
            ErrorCode::BadRequest
        }
        Files::NotEmpty | Files::Exists | Files::InUse => ErrorCode::Conflict,
        Files::OtherFileSystem | Files::TooDeep => ErrorCode::UnprocessableEntity,
        Files::DiskFull => ErrorCode::InsufficientStorage,
        Files::TooLarge => ErrorCode::PayloadTooLarge,
        Files::Busy => ErrorCode::ServiceUnavailable,
        Files::Changed => ErrorCode::FileChanged,
        // Disk errors of the system.
        _ => ErrorCode::FileReadFailed,
    }
}

/// Returns an error that names the path which it is about.
pub(crate) fn about(path: &str, error: sandbox_files::Error) -> Error {
    let error = Error::from(error);
    Error::new(error.code(), format!("{path}: {}", error.message()))
}

/// Returns the error of an archive, with the entry that it is about and what was done before.
pub(crate) fn about_archive(path: &Path, error: &sandbox_files::ArchiveError) -> Error {
    let path = names::to_text(path);
    Error::new(code_of(&error.error), format!("{path}: {error}"))
}

/// Returns a function for errors about a path.
pub(crate) fn at(path: &Path) -> impl Fn(sandbox_files::Error) -> Error {
    |error| about(&names::to_text(path), error)
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    #[cfg(feature = "grpc")]
    Stay,
}

/// Returns the absolute path of a file, and its metadata.
pub(crate) async fn stat(
    files: &Files,
    path: &Path,
    links: Links,
) -> Result<(PathBuf, Metadata), Error> {
    let metadata = match links {
        Links::Follow => files.metadata(path).await,
        #[cfg(feature = "grpc")]
        Links::Stay => files.symlink_metadata(path).await,
    };
    let metadata = metadata.map_err(at(path))?;
    Ok((files.absolute(path)?, metadata))
}

/// Some entries of a directory.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The absolute path of each, and its metadata.
    pub(crate) entries: Vec<(PathBuf, Metadata)>,
    /// The token of the next page.
    pub(crate) next: Option<String>,
    /// Directories were left out because of a limit.
    pub(crate) is_incomplete: bool,
}

/// Lists one page of a directory.
pub(crate) async fn page(
    files: &Files,
    path: &Path,
    depth: usize,
    size: usize,
    token: &str,
) -> Result<Listed, Error> {
    let after = match token {
        "" => None,
        token => {
            let decoded = URL_SAFE_NO_PAD.decode(token).ok();
            let bad = || Error::bad("the page token is not one of a listing");
            let path = decoded.filter(|path| !path.is_empty()).ok_or_else(bad)?;
            Some(PathBuf::from(OsString::from_vec(path)))
        }
    };
    let options = PageOptions { depth, after, size };
    let page = files.page(path, options).await.map_err(at(path))?;
    let next = match page.entries.last() {
        Some(last) if page.has_more => {
            // The token is the last path: nothing is remembered of a listing between two pages.
            Some(URL_SAFE_NO_PAD.encode(last.path.as_os_str().as_bytes()))
        }
        _ => None,
    };
    let dir = files.absolute(path)?;
    let entries = page.entries.into_iter();
    Ok(Listed {
        entries: entries
            .map(|entry| (dir.join(entry.path), entry.metadata))
            .collect(),
        next,
        is_incomplete: page.is_incomplete,
    })
}

/// Removes a file; a directory only if `is_recursive`, for which `help` says how it is requested.
pub(crate) async fn remove(
    files: &Files,
    path: &Path,
    is_recursive: bool,
    help: &str,
) -> Result<(), Error> {
    let removed = if is_recursive {
        files.remove_all(path).await
    } else {
        files.remove_file(path).await
    };
    removed.map_err(|error| match error {
        sandbox_files::Error::IsADirectory => {
            let path = names::to_text(path);
            let message = format!("{path}: is a directory; help: {help}");
            Error::new(ErrorCode::InvalidFilePath, message)
        }
        error => at(path)(error),
    })
}

/// Moves a file or a directory.
pub(crate) async fn rename(files: &Files, from: &Path, to: &Path) -> Result<(), Error> {
    files.rename(from, to).await.map_err(|error| {
        let (from, to) = (names::to_text(from), names::to_text(to));
        about(&format!("{from} to {to}"), error)
    })
}

/// Sets the permissions of a file. An empty owner or group stays.
pub(crate) async fn set_permissions(
    files: &Files,
    path: &Path,
    mode: Option<u32>,
    owner: &str,
    group: &str,
) -> Result<(), Error> {
    let owner_of = |text: &str| (!text.is_empty()).then(|| Owner::from(text));
    let permissions = Permissions {
        mode,
        owner: owner_of(owner),
        group: owner_of(group),
    };
    let set = files.set_permissions(path, permissions).await;
    set.map_err(at(path))
}

/// Returns the lines with a text.
pub(crate) async fn find(files: &Files, path: &Path, text: &str) -> Result<Matches<Line>, Error> {
    if text.is_empty() {
        return Err(Error::bad("the text to find is empty"));
    }
    files.find(path, text).await.map_err(at(path))
}

/// Returns the paths whose names match.
pub(crate) async fn search(
    files: &Files,
    path: &Path,
    pattern: &str,
) -> Result<Matches<PathBuf>, Error> {
    if pattern.is_empty() {
        return Err(Error::bad("the pattern is empty"));
    }
    files.search(path, pattern).await.map_err(at(path))
}

/// Returns a path that was found below another one, in a form that the client can request.
pub(crate) fn joined(path: &Path, found: &Path) -> PathBuf {
    // `Path::join` with an empty path appends a slash, which makes a file's path one of a
    // directory.
    if found.as_os_str().is_empty() {
        PathBuf::from(path)
    } else {
        path.join(found)
    }
}
