//! Files that are sent, whole or in part.

use std::path::{Path, PathBuf};

use bytes::Bytes;
#[cfg(feature = "grpc")]
use sandbox_files::Metadata;
use sandbox_files::{Files, Reader};
use sandbox_wire::ErrorCode;

use super::{Error, at, names};

/// The part of a file that is requested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    /// `None` means up to the end of the file.
    pub(crate) length: Option<u64>,
    /// The entity tag that the file must have; empty means any.
    pub(crate) if_match: String,
}

/// A file whose first piece has been read, so that a file that cannot be read is an error and not a stream that breaks off.
#[derive(Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    first: Option<Bytes>,
    reader: Reader,
    length: Option<u64>,
}

impl Opened {
    /// Opens a file.
    pub(crate) async fn new(files: &Files, path: &Path, range: &Range) -> Result<Self, Error> {
        let reader = files.reader(path).await.map_err(at(path))?;
        Self::of(path, reader, range).await
    }

    /// Reads the first piece of a file that is open.
    pub(crate) async fn of(path: &Path, mut reader: Reader, range: &Range) -> Result<Self, Error> {
        let metadata = *reader.metadata();
        if !range.if_match.is_empty() && range.if_match != metadata.entity_tag() {
            let message = format!("{}: the file has changed", names::to_text(path));
            return Err(Error::new(ErrorCode::FileChanged, message));
        }
        let beyond = || {
            let path = names::to_text(path);
            let message = format!("{path}: the offset {} is beyond the end", range.offset);
            Error::new(ErrorCode::RangeNotSatisfiable, message)
        };
        let has_length = reader.remaining().is_some();
        if has_length && range.offset > metadata.size {
            return Err(beyond());
        }
        reader.seek(range.offset);
        if let Some(length) = range.length {
            reader.limit(length);
        }
        let length = reader.remaining();
        let first = reader.next().await.map_err(at(path))?;
        // An empty file, or one that does not know its length.
        if !has_length && range.offset > 0 && first.is_none() && range.length != Some(0) {
            return Err(beyond());
        }
        Ok(Self {
            path: path.to_owned(),
            // A file of /proc has the size 0 in its metadata, whatever its content; without a first
            // piece it is really empty.
            length: length.or_else(|| first.is_none().then_some(0)),
            first,
            reader,
        })
    }

    /// Returns what was known of the file when it was opened.
    #[cfg(feature = "grpc")]
    pub(crate) fn metadata(&self) -> &Metadata {
        self.reader.metadata()
    }

    /// Returns how many bytes are sent, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.reader.next().await.map_err(at(&self.path)),
        }
    }
}
