//! A part of a record.

use bytes::Bytes;
use sandbox_logcodec::Channel;

/// A part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of one channel.
    Data {
        /// The offset of the first byte in the record.
        offset: u64,
        /// The output to which they were written.
        channel: Channel,
        /// The bytes; never empty.
        bytes: Bytes,
    },
    /// Bytes that are no longer retained.
    Gap {
        /// The offset of the first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
    },
}

impl Piece {
    /// Returns the offset of the next piece.
    pub fn end(&self) -> u64 {
        match self {
            Self::Data { offset, bytes, .. } => offset + bytes.len() as u64,
            Self::Gap { offset, length } => offset + length,
        }
    }

    /// Returns the part of the piece from `begin` and before `end`; `None` unless there is one that begins at `begin`.
    pub(super) fn between(self, begin: u64, end: u64) -> Option<Self> {
        let own_end = self.end();
        match self {
            Self::Data {
                offset,
                channel,
                bytes,
            } if offset <= begin && begin < own_end.min(end) => {
                let from = usize::try_from(begin - offset).ok()?;
                let to = usize::try_from(own_end.min(end) - offset).ok()?;
                Some(Self::Data {
                    offset: begin,
                    channel,
                    bytes: bytes.slice(from..to),
                })
            }
            _ => None,
        }
    }
}
