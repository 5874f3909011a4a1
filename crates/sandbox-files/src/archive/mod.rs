//! Directories as tar archives, created and extracted as streams.

mod format;
pub(crate) mod fuzzing;
mod pack;
mod stream;
mod unpack;

use std::fmt;
use std::path::PathBuf;

pub use pack::ArchiveReader;
pub(crate) use pack::{Packed, Source, pack};
pub(crate) use stream::{incoming, outgoing};
pub use unpack::ArchiveWriter;
pub(crate) use unpack::{Target, unpack};

use crate::Error;

/// What an archive contains, or what was extracted from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveSummary {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic and hard links.
    pub links: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// Pipes, sockets and devices, which are left out.
    pub skipped: u64,
    /// The paths of the first [`ARCHIVE_SKIPPED`](crate::limits::ARCHIVE_SKIPPED) of these.
    pub skipped_paths: Vec<PathBuf>,
}

impl fmt::Display for ArchiveSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, dirs, links) = (self.files, self.dirs, self.links);
        write!(f, "{files} files, {dirs} directories and {links} links")
    }
}

/// Why an archive was not created or extracted to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct ArchiveError {
    /// The entry that the error is about.
    pub path: Option<PathBuf>,
    /// The error.
    pub error: Error,
    /// What was archived or extracted before.
    pub summary: ArchiveSummary,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        write!(f, "{} (after {})", self.error, self.summary)
    }
}

impl std::error::Error for ArchiveError {}

impl From<Error> for ArchiveError {
    fn from(error: Error) -> Self {
        Self {
            path: None,
            error,
            summary: ArchiveSummary::default(),
        }
    }
}

/// Bytes of a block of an archive.
const BLOCK: usize = 512;

/// Returns how many bytes complete the last block of a file of this length.
fn padding(size: u64) -> usize {
    let over = size % BLOCK as u64;
    usize::try_from((BLOCK as u64 - over) % BLOCK as u64).unwrap_or(0)
}
