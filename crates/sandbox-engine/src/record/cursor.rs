//! The readers of a record.

use std::collections::VecDeque;
use std::io;

use tokio::sync::watch;

use super::log::Place;
use super::spill::Extract;
use super::{Piece, Record};

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

impl Cursor {
    pub(super) fn new(record: &Record, position: u64, end: Option<u64>) -> Self {
        Self {
            record: record.clone(),
            grown: record.grown(),
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
                    let pieces = read.unwrap_or_else(|panic| Err(io::Error::other(panic)));
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
    fn look_ahead(&mut self, pieces: io::Result<Vec<Piece>>) -> Piece {
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
    File(Extract),
    Nothing,
}
