//! A file that is sent.

use std::io;
use std::path::Path;

use bytes::Bytes;
use sandbox_files::{Error, Files, Reader};

/// A file whose first piece has been read, so that a file that cannot be read is an error and not a body that breaks off.
#[derive(Debug)]
pub(super) struct Opened {
    first: Option<Bytes>,
    reader: Reader,
    length: Option<u64>,
}

impl Opened {
    pub(super) async fn new(files: &Files, path: &Path) -> Result<Self, Error> {
        let mut reader = files.reader(path).await?;
        let length = reader.remaining();
        let first = reader.next().await?;
        Ok(Self {
            length: length.or_else(|| first.is_none().then_some(0)),
            first,
            reader,
        })
    }

    /// Returns how many bytes the file has, if that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.reader.next().await.map_err(io::Error::other),
        }
    }
}
