//! Writes a file that is seen when it is complete.

use std::io;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::blocking::Blocking;
use crate::limits::WRITE_BYTES;
use crate::part::{Part, Sync};
use crate::{Error, Metadata};

/// A file in the making. It takes the place of its path in one step by [`finish`](Self::finish); dropped before, it leaves
/// nothing.
#[derive(Debug)]
pub struct Writer {
    state: State,
    gathered: Vec<u8>,
    written: u64,
    sync: Sync,
    blocking: Blocking,
}

/// What is written, and where.
#[derive(Debug)]
enum State {
    Idle(Part),
    /// A block is being written, while the next one is gathered. Its memory comes back empty.
    Writing(JoinHandle<Result<(Part, Vec<u8>), Error>>),
    Failed,
}

impl Writer {
    pub(crate) fn new(part: Part, sync: Sync, blocking: Blocking) -> Self {
        Self {
            state: State::Idle(part),
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

    /// Appends bytes. They are gathered, and written while more are gathered, so an error may be that of earlier ones.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::TooLarge`] and what the system reports. After an error nothing can be written any more.
    ///
    /// # Cancel safety
    ///
    /// A writer of which this future was dropped cannot be used any more, and reports that.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        if self.gathered.len() + bytes.len() < WRITE_BYTES {
            self.gathered.extend_from_slice(&bytes);
            return Ok(());
        }
        let (part, spare) = self.idle().await?;
        let mut gathered = std::mem::replace(&mut self.gathered, spare);
        let write = move || {
            part.write(&gathered)?;
            part.write(&bytes)?;
            gathered.clear();
            Ok((part, gathered))
        };
        self.state = State::Writing(self.blocking.start(write).await?);
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
        let (part, _) = self.idle().await?;
        let gathered = std::mem::take(&mut self.gathered);
        let sync = self.sync;
        let publish = move || {
            part.write(&gathered)?;
            Ok(Metadata::of(&part.publish_as(sync)?))
        };
        self.blocking.call(publish).await
    }

    /// Waits for the block that is being written, and takes the file with memory for the next one.
    async fn idle(&mut self) -> Result<(Part, Vec<u8>), Error> {
        // Taken first: if this future is dropped, bytes are missing.
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Idle(part) => Ok((part, Vec::new())),
            State::Writing(write) => {
                let written = write.await;
                written.unwrap_or_else(|error| Err(Error::Io(io::Error::other(error))))
            }
            State::Failed => Err(Error::Io(io::Error::other("an earlier write failed"))),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A block that is being written drops it afterward.
        let State::Idle(part) = std::mem::replace(&mut self.state, State::Failed) else {
            return;
        };
        // Removing may block. Where the runtime ends, the thread that drops the call does it.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(part))),
            Err(_) => drop(part),
        }
    }
}
