//! A reader of a terminal.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::shared::Shared;
use crate::record::{BeyondEnd, Cursor, Piece};

/// A reader of a terminal's output. Reads at its own pace, and does not stall other readers.
///
/// The terminal waits for the fastest of its readers, so that a single reader receives everything as long as it reads. It
/// waits no longer than [`PTY_READER_PATIENCE`](crate::limits::PTY_READER_PATIENCE) for readers that do not read at all.
#[derive(Debug)]
pub struct PtyOutput {
    shared: Arc<Shared>,
    cursor: Cursor,
    /// Whether the reader is for a client that types.
    is_asked: bool,
    /// The offset up to which queries were shown to another client.
    asked: u64,
}

impl PtyOutput {
    pub(super) fn new(
        shared: Arc<Shared>,
        since: Option<u64>,
        is_asked: bool,
    ) -> Result<Self, BeyondEnd> {
        let mut cursor = shared.record.follow(since.unwrap_or(0))?;
        let mut asked = 0;
        if since.is_none() {
            cursor.skip_to(shared.boundary_from(shared.record.memory_begin()));
            // Read only here: the queries that a program sends from now on are for this client as
            // well.
            asked = shared.asked.load(Ordering::Relaxed);
        }
        shared.readers.join(cursor.position());
        Ok(Self {
            shared,
            cursor,
            is_asked,
            asked,
        })
    }

    /// Returns where the next piece begins, in bytes since the terminal was created.
    pub fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Waits for the next piece. Returns `None` when the shell has ended and there is no more.
    ///
    /// If the next bytes are no longer retained because the reader was too slow, it gets a gap, up to a place where no
    /// character and no escape sequence is cut. All data is on [`Stdout`](sandbox_logcodec::Channel::Stdout).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has consumed nothing.
    pub async fn next(&mut self) -> Option<Piece> {
        let piece = self.cursor.next().await?;
        Some(self.take(piece))
    }

    /// Returns the next piece if it is available. `None` does not mean the end.
    pub fn try_next(&mut self) -> Option<Piece> {
        let piece = self.cursor.try_next()?;
        Some(self.take(piece))
    }

    /// Returns a piece in the form that is for this reader.
    fn take(&mut self, piece: Piece) -> Piece {
        let piece = match piece {
            Piece::Gap { offset, length } => self.widen(offset, length),
            Piece::Data {
                offset,
                channel,
                bytes,
            } if offset < self.asked => Piece::Data {
                offset,
                channel,
                bytes: self
                    .shared
                    .boundaries()
                    .queries()
                    .blank(offset, bytes, self.asked),
            },
            data @ Piece::Data { .. } => data,
        };
        self.shared.readers.reach(self.cursor.position());
        if self.is_asked {
            let asked = &self.shared.asked;
            asked.fetch_max(self.cursor.position(), Ordering::Relaxed);
        }
        piece
    }

    /// Extends a gap to a place where the output may be cut.
    fn widen(&mut self, offset: u64, length: u64) -> Piece {
        self.cursor
            .skip_to(self.shared.boundary_from(offset + length));
        Piece::Gap {
            offset,
            length: self.cursor.position() - offset,
        }
    }
}

impl Drop for PtyOutput {
    fn drop(&mut self) {
        self.shared.readers.leave();
    }
}
