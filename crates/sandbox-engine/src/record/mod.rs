//! What a command wrote: appended once, read by everybody at their own pace.
//!
//! A [`Record`] only grows. Every reader has a [`Cursor`] of its own into it, is woken when there is more, and can stall
//! nobody. Offsets count payload bytes of both channels together, from 0.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::watch;

/// What one command wrote. Cheap to clone; all clones are one record.
#[derive(Debug, Clone)]
pub struct Record {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Mutex<Log>,
    grown: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Log {
    pieces: Vec<(u64, Channel, Bytes)>,
    length: u64,
    channels: [u64; 2],
    completed_at: Option<u64>,
}

/// A part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of one channel.
    Data {
        /// Where the first of them stands in the record.
        offset: u64,
        /// Which output they were written to.
        channel: Channel,
        /// The bytes; never empty.
        bytes: Bytes,
    },
    /// Bytes that are not kept any more.
    Gap {
        /// Where the first of them stood.
        offset: u64,
        /// How many there were.
        length: u64,
    },
}

/// An offset that the record has not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("offset {offset} is beyond the end of the record at {length}")]
pub struct BeyondEnd {
    /// The offset that was asked for.
    pub offset: u64,
    /// Where the record ends now.
    pub length: u64,
}

/// A reader's place in a record.
#[derive(Debug)]
pub struct Cursor {
    record: Record,
    grown: watch::Receiver<()>,
    position: u64,
    /// Where reading ends whatever is appended later.
    end: Option<u64>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                log: Mutex::default(),
                grown: watch::Sender::new(()),
            }),
        }
    }

    /// Appends what was read from one output.
    pub(crate) fn append(&self, channel: Channel, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let mut log = self.log();
        let offset = log.length;
        log.length += bytes.len() as u64;
        log.channels[usize::from(channel == Channel::Stderr)] += bytes.len() as u64;
        log.pieces.push((offset, channel, bytes));
        drop(log);
        self.inner.grown.send_replace(());
    }

    /// Marks the end of what the command itself wrote: followers end here. More may still be appended, by children that
    /// it left behind.
    pub(crate) fn complete(&self) {
        let mut log = self.log();
        let length = log.length;
        log.completed_at.get_or_insert(length);
        drop(log);
        self.inner.grown.send_replace(());
    }

    /// Bytes appended so far, to both channels.
    pub fn length(&self) -> u64 {
        self.log().length
    }

    /// Bytes appended so far to one channel.
    pub fn channel_length(&self, channel: Channel) -> u64 {
        self.log().channels[usize::from(channel == Channel::Stderr)]
    }

    /// Where the record stood when its command ended; `None` before.
    pub fn completed_at(&self) -> Option<u64> {
        self.log().completed_at
    }

    /// Follows the record from `offset` on, up to the end of its command.
    ///
    /// On a record that is complete it reads what is there now, with what came after the command's end.
    ///
    /// # Errors
    ///
    /// [`BeyondEnd`] if the record is shorter than `offset`.
    pub fn follow(&self, offset: u64) -> Result<Cursor, BeyondEnd> {
        let log = self.log();
        let end = log.completed_at.map(|_| log.length);
        drop(log);
        self.cursor(offset, end)
    }

    /// Reads what the record holds now from `offset` on.
    ///
    /// # Errors
    ///
    /// [`BeyondEnd`] if the record is shorter than `offset`.
    pub fn snapshot(&self, offset: u64) -> Result<Cursor, BeyondEnd> {
        self.cursor(offset, Some(self.length()))
    }

    fn cursor(&self, offset: u64, end: Option<u64>) -> Result<Cursor, BeyondEnd> {
        let length = self.length();
        if offset > length {
            return Err(BeyondEnd { offset, length });
        }
        Ok(Cursor {
            record: self.clone(),
            grown: self.inner.grown.subscribe(),
            position: offset,
            end,
        })
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursor {
    /// Where the next piece begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next piece; waits for one when there is none yet. `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has taken nothing.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            self.grown.mark_unchanged();
            if let Some(piece) = self.try_next() {
                return Some(piece);
            }
            if self.at_end() {
                return None;
            }
            // The record holds the sender.
            self.grown.changed().await.ok()?;
        }
    }

    /// The next piece, if it is there without waiting for the command. `None` does not mean the end.
    pub fn try_next(&mut self) -> Option<Piece> {
        let log = self.record.log();
        let end = self.end.or(log.completed_at).unwrap_or(log.length);
        if self.position >= end {
            return None;
        }
        let found = log
            .pieces
            .partition_point(|(offset, _, _)| *offset <= self.position)
            - 1;
        let (offset, channel, bytes) = &log.pieces[found];
        let skip = usize::try_from(self.position - offset).ok()?;
        let until = usize::try_from(end - offset).ok()?.min(bytes.len());
        let piece = Piece::Data {
            offset: self.position,
            channel: *channel,
            bytes: bytes.slice(skip..until),
        };
        self.position = offset + until as u64;
        Some(piece)
    }

    /// Whether there will be no further piece.
    pub fn at_end(&self) -> bool {
        let end = self.end.or(self.record.completed_at());
        end.is_some_and(|end| self.position >= end)
    }
}
