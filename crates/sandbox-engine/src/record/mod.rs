//! The output of a command: append-only, with any number of independent readers.
//!
//! A [`Record`] only grows. Every reader has its own [`Cursor`], is woken when there is more, and never delays the writer or
//! another reader. Offsets count payload bytes of both channels together, from 0.
//!
//! The newest [`RECORD_MEMORY_BYTES`](crate::limits::RECORD_MEMORY_BYTES) are in memory; older ones go to a file, up to
//! [`RECORD_SPILL_BYTES`](crate::limits::RECORD_SPILL_BYTES) or as far as the disk has room. What lies between is dropped, and
//! reported as a [`Piece::Gap`].

mod budget;
mod log;
mod piece;
mod spill;
mod spool;
mod store;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::watch;

pub use piece::Piece;
pub(crate) use store::Store;

use log::{Log, Place};

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

/// A reader's position in a record.
#[derive(Debug)]
pub struct Cursor {
    record: Record,
    grown: watch::Receiver<()>,
    position: u64,
    /// The offset at which reading ends, whatever is appended later; `None` for the end of the command.
    end: Option<u64>,
    /// Pieces that were read from the file beyond the requested one.
    ahead: VecDeque<Piece>,
}

impl Record {
    fn from_log(log: Log) -> Self {
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

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
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

impl Cursor {
    fn new(record: &Record, position: u64, end: Option<u64>) -> Self {
        Self {
            record: record.clone(),
            grown: record.inner.grown.subscribe(),
            position,
            end,
            ahead: VecDeque::new(),
        }
    }

    /// Returns the offset of the next piece.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next piece; waits for one if there is none yet. `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has consumed nothing.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            // Before the look, so that whatever is appended after it ends the wait below.
            self.grown.mark_unchanged();
            match self.find() {
                Found::Piece(piece) => return Some(self.take(piece)),
                Found::File(extract) => {
                    // Cancel safe: the position changes only in `take`, after the read.
                    let read = tokio::task::spawn_blocking(|| extract.read()).await;
                    let pieces = read.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
                    let piece = self.look_ahead(pieces);
                    return Some(self.take(piece));
                }
                Found::Nothing => {}
            }
            if self.at_end() {
                return None;
            }
            // The record holds the sender.
            self.grown.changed().await.ok()?;
        }
    }

    /// Returns the next piece if it is available without waiting for the command or the disk. `None` does not mean the end.
    pub fn try_next(&mut self) -> Option<Piece> {
        match self.find() {
            Found::Piece(piece) => Some(self.take(piece)),
            Found::File(_) | Found::Nothing => None,
        }
    }

    /// Skips what is before `position`, which the record has reached.
    pub(crate) fn skip_to(&mut self, position: u64) {
        self.position = self.position.max(position);
        self.ahead.clear();
    }

    /// Returns whether there will be no further piece.
    pub fn at_end(&self) -> bool {
        let end = self.end.or_else(|| self.record.completed_at());
        end.is_some_and(|end| self.position >= end)
    }

    fn find(&self) -> Found {
        let log = self.record.log();
        let end = self.end.or_else(|| log.completed_at());
        let end = end.unwrap_or_else(|| log.length());
        if self.position >= end {
            return Found::Nothing;
        }
        if let Some(piece) = self.ahead.front() {
            // Read before the command's end was known.
            if let Some(piece) = piece.clone().between(self.position, end) {
                return Found::Piece(piece);
            }
        }
        match log.find(self.position, end) {
            Place::Memory(piece) => Found::Piece(piece),
            Place::File(extract) => Found::File(extract),
            Place::Gone(until) => Found::Piece(Piece::Gap {
                offset: self.position,
                length: until - self.position,
            }),
        }
    }

    /// Stores the pieces that were read from the file, and returns the one at the cursor's position.
    fn look_ahead(&mut self, pieces: std::io::Result<Vec<Piece>>) -> Piece {
        let end = self.end.unwrap_or(u64::MAX);
        let pieces = pieces.unwrap_or_else(|error| {
            tracing::warn!(%error, "a part of an output cannot be read any more");
            Vec::new()
        });
        let from = self.position;
        self.ahead = pieces
            .into_iter()
            .filter(|piece| piece.end() > from)
            .collect();
        let first = self
            .ahead
            .front()
            .cloned()
            .and_then(|piece| piece.between(from, end));
        first.unwrap_or_else(|| {
            // Damaged: the available part begins after the file.
            self.ahead.clear();
            let log = self.record.log();
            let until = log.tail_begin().min(end);
            Piece::Gap {
                offset: from,
                length: until - from,
            }
        })
    }

    /// Advances the cursor past a piece.
    fn take(&mut self, piece: Piece) -> Piece {
        self.position = piece.end();
        while self
            .ahead
            .front()
            .is_some_and(|ahead| ahead.end() <= self.position)
        {
            self.ahead.pop_front();
        }
        piece
    }
}

/// The result of looking at a cursor's position.
enum Found {
    Piece(Piece),
    File(spill::Extract),
    Nothing,
}
