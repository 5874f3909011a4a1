//! The parts of a record that fit into a response, in order.

use sandbox_engine::record::{BeyondEnd, Cursor, Piece, Record};

#[cfg(feature = "grpc")]
use super::Form;
use super::Stretch;

/// Reads a stretch of a record: its first part, a gap if bytes are left out, its second part.
#[derive(Debug)]
pub(crate) struct Parts {
    head: Cursor,
    /// The gap between the two parts.
    gap: Option<Piece>,
    tail: Cursor,
}

impl Parts {
    /// Creates a reader of everything that `record` holds now and that fits into a response, as bytes.
    #[cfg(feature = "grpc")]
    pub(crate) async fn of(record: &Record) -> Result<Self, BeyondEnd> {
        Self::new(record, Stretch::of(record, 0, Form::default()).await?)
    }

    pub(crate) fn new(record: &Record, stretch: Stretch) -> Result<Self, BeyondEnd> {
        let Stretch {
            begin,
            head,
            tail,
            end,
            ..
        } = stretch;
        Ok(Self {
            head: record.between(begin, head)?,
            gap: (tail > head).then_some(Piece::Gap {
                offset: head,
                length: tail - head,
            }),
            tail: record.between(tail, end)?,
        })
    }

    /// Returns the next piece; `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        if let Some(piece) = self.head.next().await {
            return Some(piece);
        }
        match self.gap.take() {
            Some(gap) => Some(gap),
            None => self.tail.next().await,
        }
    }

    /// Returns the offset at which the next piece begins.
    #[cfg(feature = "grpc")]
    pub(crate) fn position(&self) -> u64 {
        if self.head.at_end() && self.gap.is_none() {
            self.tail.position()
        } else {
            // Also before the gap, which begins where the first part ends.
            self.head.position()
        }
    }
}
