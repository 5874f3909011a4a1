//! The handle of a record.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::watch;

use super::Cursor;
use super::log::Log;
use crate::sync::lock;

/// The output of one command. Cheap to clone; all clones are one record, whose file is removed with the last of them and of
/// its cursors.
#[derive(Debug, Clone)]
pub struct Record {
    inner: Arc<Inner>,
}

/// A weak reference to a record.
#[derive(Debug, Clone)]
pub(crate) struct WeakRecord {
    inner: Weak<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Mutex<Log>,
    grown: watch::Sender<()>,
}

/// An error for an offset that the record has not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("offset {offset} is beyond the end of the record at {length}")]
pub struct BeyondEnd {
    /// The requested offset.
    pub offset: u64,
    /// The current end of the record.
    pub length: u64,
}

impl Record {
    pub(super) fn from_log(log: Log) -> Self {
        Self {
            inner: Arc::new(Inner {
                log: Mutex::new(log),
                grown: watch::Sender::new(()),
            }),
        }
    }

    pub(crate) fn downgrade(&self) -> WeakRecord {
        WeakRecord {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// Appends bytes of one output. Waits for no reader; may write to the record's file.
    pub(crate) fn append(&self, channel: Channel, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        // The lock is released before readers are woken, since the first thing that they do is take
        // it.
        self.log().append(channel, bytes);
        self.inner.grown.send_replace(());
    }

    /// Marks the end of the command's own output: followers end here. Its remaining children may still append more.
    pub(crate) fn complete(&self) {
        self.log().complete();
        self.inner.grown.send_replace(());
    }

    /// Marks the end of all output: from now on it is read from its file, so that many records of commands that have ended
    /// cost little memory. Writes to the file.
    pub(crate) fn move_to_file(&self) {
        self.log().move_to_file();
    }

    /// Returns the number of bytes appended so far, to both channels.
    pub fn length(&self) -> u64 {
        self.log().length()
    }

    /// Returns the number of bytes appended so far to one channel.
    pub fn channel_length(&self, channel: Channel) -> u64 {
        self.log().channel_length(channel)
    }

    /// Returns the offset of the part of the record that is in memory.
    pub(crate) fn memory_begin(&self) -> u64 {
        self.log().tail_begin()
    }

    /// Returns whether bytes at or after `position` leave the memory when up to `room` bytes are appended; at most half of the
    /// memory counts as room.
    pub(crate) fn would_forget(&self, position: u64, room: usize) -> bool {
        self.log().would_forget(position, room)
    }

    /// Returns the length of the record when its command ended; `None` before.
    pub fn completed_at(&self) -> Option<u64> {
        self.log().completed_at()
    }

    /// Returns the number of bytes that are no longer retained, between the beginning and the end.
    pub fn dropped(&self) -> u64 {
        self.log().dropped()
    }

    /// Returns a cursor that follows the record from `offset` to the end of its command.
    ///
    /// On a complete record it reads the current contents, including output after the command's end.
    ///
    /// # Errors
    ///
    /// Returns [`BeyondEnd`] if the record is shorter than `offset`.
    pub fn follow(&self, offset: u64) -> Result<Cursor, BeyondEnd> {
        let (length, completed_at) = self.ends();
        self.cursor(offset, length, completed_at.map(|_| length))
    }

    /// Returns a cursor over the current contents of the record from `offset` on.
    ///
    /// # Errors
    ///
    /// Returns [`BeyondEnd`] if the record is shorter than `offset`.
    pub fn snapshot(&self, offset: u64) -> Result<Cursor, BeyondEnd> {
        let length = self.length();
        self.cursor(offset, length, Some(length))
    }

    /// Returns a cursor from `offset` to `end`, whatever is appended meanwhile.
    ///
    /// # Errors
    ///
    /// Returns [`BeyondEnd`] if the record is shorter than one of the two.
    pub fn between(&self, offset: u64, end: u64) -> Result<Cursor, BeyondEnd> {
        self.cursor(offset.max(end), self.length(), None)?;
        Ok(Cursor::new(self, offset, Some(end)))
    }

    /// Returns a cursor over the command's own output, up to its end; over the current contents if it has not ended.
    pub(crate) fn of_the_command(&self) -> Cursor {
        let (length, completed_at) = self.ends();
        Cursor::new(self, 0, completed_at.or(Some(length)))
    }

    /// Returns the current end of the record and that of its command, at one moment.
    fn ends(&self) -> (u64, Option<u64>) {
        let log = self.log();
        (log.length(), log.completed_at())
    }

    fn cursor(&self, offset: u64, length: u64, end: Option<u64>) -> Result<Cursor, BeyondEnd> {
        if offset > length {
            return Err(BeyondEnd { offset, length });
        }
        Ok(Cursor::new(self, offset, end))
    }

    /// Returns a receiver of the growth of the record from now on.
    pub(super) fn grown(&self) -> watch::Receiver<()> {
        self.inner.grown.subscribe()
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.inner.log)
    }
}

impl WeakRecord {
    /// Returns the record, unless it has been dropped.
    pub(crate) fn upgrade(&self) -> Option<Record> {
        let inner = self.inner.upgrade()?;
        Some(Record { inner })
    }
}
