//! The output of a process as messages.

use bytes::Bytes;
use sandbox_engine::PtyOutput;
use sandbox_engine::record::{Cursor, Piece};
use sandbox_logcodec::Channel;
use sandbox_wire::pb;

use crate::limits::GRPC_CHUNK_BYTES;
use crate::service::output::Parts;

/// Reads a record at the pace at which its messages are taken. Holds one piece of it, which is shared.
#[derive(Debug)]
pub(super) struct Chunks<P = Cursor> {
    pieces: P,
    is_combined: bool,
    /// The rest of a piece that was read and not sent yet.
    rest: Option<(u64, Channel, Bytes)>,
}

/// The content of a message about output.
#[derive(Debug)]
pub(super) enum Chunk {
    Output(pb::OutputChunk),
    Gap(pb::Gap),
}

/// A source of pieces.
pub(super) trait Pieces {
    /// Returns the next piece; `None` at the end. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<Piece>> + Send;

    /// Returns the offset at which the next piece begins.
    fn position(&self) -> u64;
}

impl Pieces for Cursor {
    async fn next(&mut self) -> Option<Piece> {
        Self::next(self).await
    }

    fn position(&self) -> u64 {
        Self::position(self)
    }
}

impl Pieces for PtyOutput {
    async fn next(&mut self) -> Option<Piece> {
        Self::next(self).await
    }

    fn position(&self) -> u64 {
        Self::position(self)
    }
}

impl Pieces for Parts {
    async fn next(&mut self) -> Option<Piece> {
        Self::next(self).await
    }

    fn position(&self) -> u64 {
        Self::position(self)
    }
}

impl<P: Pieces> Chunks<P> {
    pub(super) fn new(pieces: P, is_combined: bool) -> Self {
        Self {
            pieces,
            is_combined,
            rest: None,
        }
    }

    /// Returns the next message, and waits if there is none yet; `None` at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Chunk> {
        // Nothing is taken out of `rest` before an await, so that a dropped call loses no output.
        if self.rest.is_none() {
            match self.pieces.next().await? {
                Piece::Data {
                    offset,
                    channel,
                    bytes,
                } => self.rest = Some((offset, channel, bytes)),
                Piece::Gap { offset, length } => {
                    return Some(Chunk::Gap(pb::Gap { offset, length }));
                }
            }
        }
        let (offset, channel, mut bytes) = self.rest.take()?;
        // Shares the block, and copies nothing.
        let data = bytes.split_to(bytes.len().min(GRPC_CHUNK_BYTES));
        if !bytes.is_empty() {
            self.rest = Some((offset + data.len() as u64, channel, bytes));
        }
        Some(Chunk::Output(pb::OutputChunk {
            channel: self.channel(channel).into(),
            offset,
            data,
        }))
    }

    /// Returns the offset at which the next message begins.
    pub(super) fn position(&self) -> u64 {
        match &self.rest {
            // The source is already ahead by what is left of its piece.
            Some((offset, ..)) => *offset,
            None => self.pieces.position(),
        }
    }

    fn channel(&self, channel: Channel) -> pb::Channel {
        match channel {
            _ if self.is_combined => pb::Channel::Combined,
            Channel::Stdout => pb::Channel::Stdout,
            Channel::Stderr => pb::Channel::Stderr,
        }
    }
}
