//! Writes a file that is seen when it is complete.

use bytes::Bytes;

use crate::blocking::Blocking;
use crate::limits::WRITE_BYTES;
use crate::part::{Part, Sync};
use crate::{Error, Metadata};

/// A file in the making. It takes the place of its path in one step by [`finish`](Self::finish); dropped before, it leaves
/// nothing.
#[derive(Debug)]
pub struct Writer {
    /// `None` once a write has failed.
    part: Option<Part>,
    gathered: Vec<u8>,
    written: u64,
    sync: Sync,
    blocking: Blocking,
}

impl Writer {
    pub(crate) fn new(part: Part, sync: Sync, blocking: Blocking) -> Self {
        Self {
            part: Some(part),
            gathered: Vec::new(),
            written: 0,
            sync,
            blocking,
        }
    }

    /// Returns how many bytes were taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends bytes. They are gathered, so an error may be that of earlier ones.
    ///
    /// The memory of `bytes` is released before they are written to the file, unless there are more than twice [`WRITE_BYTES`].
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::TooLarge`] and what the system reports. After an error nothing can be written any more.
    ///
    /// # Cancel safety
    ///
    /// A writer of which this future was dropped cannot be used any more, and reports that.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        if bytes.len() <= 2 * WRITE_BYTES {
            // A copy into memory that is used again is quicker than to hold `bytes` while they are written: whoever reads from a
            // socket would map and clear new memory for the next ones.
            self.gathered.extend_from_slice(&bytes);
            bytes = Bytes::new();
        }
        if self.gathered.len() + bytes.len() < WRITE_BYTES {
            return Ok(());
        }
        let part = self.take()?;
        let mut gathered = std::mem::take(&mut self.gathered);
        let write = move || {
            part.write(&gathered)?;
            part.write(&bytes)?;
            gathered.clear();
            Ok((part, gathered))
        };
        let (part, gathered) = self.blocking.call(write).await?;
        (self.part, self.gathered) = (Some(part), gathered);
        Ok(())
    }

    /// Puts the file in its place, and returns its metadata. A reader that has opened what was there before goes on reading that.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); what was there before is still there then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file is in its place or it is not; it is never there in part.
    pub async fn finish(mut self) -> Result<Metadata, Error> {
        let part = self.take()?;
        let gathered = std::mem::take(&mut self.gathered);
        let sync = self.sync;
        let publish = move || {
            part.write(&gathered)?;
            Ok(Metadata::of(&part.publish_as(sync)?))
        };
        self.blocking.call(publish).await
    }

    fn take(&mut self) -> Result<Part, Error> {
        let failed = || Error::Io(std::io::Error::other("an earlier write failed"));
        self.part.take().ok_or_else(failed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(part) = self.part.take() else {
            return;
        };
        // Removing may block. Where the runtime ends, the thread that drops the call does it.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(part))),
            Err(_) => drop(part),
        }
    }
}
