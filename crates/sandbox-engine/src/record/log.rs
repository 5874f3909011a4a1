//! The bytes of a record: the newest in memory, older ones in a file.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sandbox_logcodec::Channel;

use super::piece::Piece;
use super::spill::{Extract, Spill};
use super::spool::Spool;
use crate::limits::RECORD_SETTLED_BYTES;

/// The bytes of a record.
#[derive(Debug)]
pub(super) struct Log {
    /// The newest bytes, without a gap.
    tail: VecDeque<Chunk>,
    /// The cost of `tail`, including its bookkeeping: single bytes must not cost a hundred times their size.
    cost: usize,
    memory: usize,
    /// Whether it is read once, up to its completion: later bytes are dropped, and it need not go to its file.
    is_read_once: bool,
    length: u64,
    channels: [u64; 2],
    completed_at: Option<u64>,
    overflow: Overflow,
}

#[derive(Debug)]
struct Chunk {
    offset: u64,
    channel: Channel,
    bytes: Bytes,
}

/// The state of the bytes that did not fit in memory.
#[derive(Debug)]
enum Overflow {
    /// There were none.
    None { spool: Arc<Spool>, limit: u64 },
    /// They are in a file.
    File(Spill),
    /// The first of them are in a file; it took no more, and those after them were dropped.
    Full(Spill),
    /// They were dropped: there is no file.
    Forgotten,
}

/// The location of the bytes at an offset.
#[derive(Debug)]
pub(super) enum Place {
    Memory(Piece),
    File(Extract),
    /// The bytes are missing, up to this offset.
    Gone(u64),
}

impl Log {
    pub(super) fn new(memory: usize, limit: u64, spool: Arc<Spool>) -> Self {
        Self {
            tail: VecDeque::new(),
            cost: 0,
            memory,
            is_read_once: false,
            length: 0,
            channels: [0; 2],
            completed_at: None,
            overflow: Overflow::None { spool, limit },
        }
    }

    /// Configures a record that is read once, as soon as it is complete.
    pub(super) fn read_once(self) -> Self {
        Self {
            is_read_once: true,
            ..self
        }
    }

    /// Creates a log that retains only the newest bytes, in memory.
    pub(super) fn ring(memory: usize, spool: Arc<Spool>) -> Self {
        Self {
            overflow: Overflow::Forgotten,
            ..Self::new(memory, 0, spool)
        }
    }

    pub(super) fn append(&mut self, channel: Channel, bytes: Bytes) {
        if self.is_read_once && self.completed_at.is_some() {
            return;
        }
        let length = bytes.len();
        match self.tail.back_mut() {
            // Many small chunks would be mostly bookkeeping.
            Some(last) if last.channel == channel && last.bytes.len() + length <= SMALL => {
                last.bytes = [&last.bytes[..], &bytes].concat().into();
                self.cost += length;
            }
            _ => {
                self.cost += length + CHUNK_COST;
                self.tail.push_back(Chunk {
                    offset: self.length,
                    channel,
                    bytes,
                });
            }
        }
        self.length += length as u64;
        self.channels[channel_index(channel)] += length as u64;
        if self.cost > self.memory {
            // Writes to a file are large.
            self.overflow(match self.overflow {
                Overflow::Forgotten => self.memory,
                _ => self.memory / 2,
            });
        }
    }

    pub(super) fn complete(&mut self) {
        self.completed_at.get_or_insert(self.length);
        self.let_go();
    }

    /// Allows the data on disk to be evicted when the command has ended; not that of a record which is about to be read.
    fn let_go(&mut self) {
        if self.completed_at.is_some()
            && !self.is_read_once
            && let Overflow::File(spill) | Overflow::Full(spill) = &mut self.overflow
        {
            spill.end_of_command();
        }
    }

    /// Moves all bytes to the file, unless they are few.
    pub(super) fn move_to_file(&mut self) {
        if !self.is_read_once && self.cost > RECORD_SETTLED_BYTES {
            self.overflow(0);
        }
    }

    #[cfg(test)]
    pub(super) fn memory_cost(&self) -> usize {
        self.cost
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn channel_length(&self, channel: Channel) -> u64 {
        self.channels[channel_index(channel)]
    }

    pub(super) fn completed_at(&self) -> Option<u64> {
        self.completed_at
    }

    /// Returns the number of dropped bytes.
    pub(super) fn dropped(&self) -> u64 {
        self.tail_begin() - self.retained_end()
    }

    /// Returns the location of the bytes at `offset`; none at or after `end` are wanted. `offset` is before `end`, and `end`
    /// not after the record's.
    pub(super) fn find(&self, offset: u64, end: u64) -> Place {
        if offset < self.tail_begin() {
            let spill = match &self.overflow {
                Overflow::File(spill) | Overflow::Full(spill)
                    if offset < spill.end() && !spill.is_removed() =>
                {
                    spill
                }
                _ => return Place::Gone(self.tail_begin().min(end)),
            };
            return match spill.extract(offset) {
                Some(extract) => Place::File(extract),
                // Removed just now.
                None => Place::Gone(self.tail_begin().min(end)),
            };
        }
        // Without a chunk at or before the offset, 0 wraps to an index that the tail does not have.
        let found = self.tail.partition_point(|chunk| chunk.offset <= offset);
        let piece = self.tail.get(found.wrapping_sub(1)).and_then(|chunk| {
            Piece::Data {
                offset: chunk.offset,
                channel: chunk.channel,
                bytes: chunk.bytes.clone(),
            }
            .between(offset, end)
        });
        // The tail has no gap, so there is one.
        piece.map_or(Place::Gone(end), Place::Memory)
    }

    /// Returns whether bytes at or after `position` leave the memory when up to `room` bytes are appended; at most half of the
    /// memory counts as room.
    pub(super) fn would_forget(&self, position: u64, room: usize) -> bool {
        let rest = self.memory - room.min(self.memory / 2);
        let (count, _) = self.beyond(rest, 0);
        let begin = self
            .tail
            .get(count)
            .map_or(self.length, |chunk| chunk.offset);
        count > 0 && position < begin
    }

    /// Returns the offset of the part in memory.
    pub(super) fn tail_begin(&self) -> u64 {
        self.tail.front().map_or(self.length, |chunk| chunk.offset)
    }

    /// Returns the end of what is stored before the tail.
    fn retained_end(&self) -> u64 {
        match &self.overflow {
            Overflow::None { .. } => self.tail_begin(),
            Overflow::File(spill) | Overflow::Full(spill) if !spill.is_removed() => spill.end(),
            Overflow::File(_) | Overflow::Full(_) | Overflow::Forgotten => 0,
        }
    }

    /// Returns how many of the oldest chunks must be removed for the tail to cost no more than `rest`, and its cost without
    /// them; `least` chunks remain.
    fn beyond(&self, rest: usize, least: usize) -> (usize, usize) {
        let mut count = 0;
        let mut cost = self.cost;
        while cost > rest && count + least < self.tail.len() {
            cost -= self.tail[count].bytes.len() + CHUNK_COST;
            count += 1;
        }
        (count, cost)
    }

    /// Moves the older part of the tail to the file, until the rest costs no more than `rest`.
    fn overflow(&mut self, rest: usize) {
        let (mut count, mut cost) = self.beyond(rest, 0);
        if let Overflow::None { spool, limit } = &self.overflow {
            self.overflow = Overflow::File(Spill::new(Arc::clone(spool), *limit));
        }
        if let Overflow::File(spill) = &mut self.overflow {
            let batch = self.tail.iter().take(count);
            let result = spill.append(batch.map(|chunk| (chunk.channel, &chunk.bytes)));
            if let Err(error) = result
                && let Overflow::File(spill) =
                    std::mem::replace(&mut self.overflow, Overflow::Forgotten)
            {
                tracing::warn!(%error, "an output is not kept whole");
                self.overflow = Overflow::Full(spill);
            }
        }
        if matches!(self.overflow, Overflow::Full(_)) {
            // The middle is dropped: the end of an output is worth more than the memory.
            (count, cost) = self.beyond(rest.max(RECORD_SETTLED_BYTES), 1);
        }
        self.tail.drain(..count);
        self.cost = cost;
        self.let_go();
    }
}

fn channel_index(channel: Channel) -> usize {
    match channel {
        Channel::Stdout => 0,
        Channel::Stderr => 1,
    }
}

/// The size up to which chunks are joined.
const SMALL: usize = 1024;

/// The overhead of a chunk, in bytes.
const CHUNK_COST: usize = 64;
