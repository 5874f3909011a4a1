//! One reader of a terminal.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::shared::Shared;
use crate::record::{BeyondEnd, Cursor, Piece};

/// A reader's place in what a terminal shows. Reads at its own pace, and stalls nobody.
#[derive(Debug)]
pub struct PtyOutput {
    shared: Arc<Shared>,
    cursor: Cursor,
    /// Whether it is somebody's who types.
    is_asked: bool,
    /// Up to where queries were asked of somebody else.
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
            asked = shared.asked.load(Ordering::Relaxed);
        }
        Ok(Self {
            shared,
            cursor,
            is_asked,
            asked,
        })
    }

    /// Where the next piece begins, in bytes since the terminal was made.
    pub fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// The next piece; waits for one when there is none yet. `None` when the shell has ended and there is no more.
    ///
    /// A reader who was so slow that what is next is not kept any more gets a gap, up to a place where no character and no
    /// escape sequence is cut. All data is on [`Stdout`](sandbox_logcodec::Channel::Stdout).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has taken nothing.
    pub async fn next(&mut self) -> Option<Piece> {
        let piece = self.cursor.next().await?;
        Some(self.take(piece))
    }

    /// The next piece, if it is there. `None` does not mean the end.
    pub fn try_next(&mut self) -> Option<Piece> {
        let piece = self.cursor.try_next()?;
        Some(self.take(piece))
    }

    /// A piece as this reader gets it.
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
        if self.is_asked {
            let asked = &self.shared.asked;
            asked.fetch_max(self.cursor.position(), Ordering::Relaxed);
        }
        piece
    }

    /// A gap whose end is where the output may be cut.
    fn widen(&mut self, offset: u64, length: u64) -> Piece {
        self.cursor
            .skip_to(self.shared.boundary_from(offset + length));
        Piece::Gap {
            offset,
            length: self.cursor.position() - offset,
        }
    }
}
