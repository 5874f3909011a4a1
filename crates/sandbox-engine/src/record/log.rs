//! What a record holds, and where: the end of it in memory, what was before in a file.

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
    /// The newest, without a gap.
    tail: VecDeque<Chunk>,
    /// What `tail` costs, its bookkeeping included: a byte at a time must not cost a hundred times its size.
    cost: usize,
    memory: usize,
    /// Whether it is read once, up to its completion: what is appended later is dropped, and it need not go to its file.
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

/// What became of the bytes that memory had no room for.
#[derive(Debug)]
enum Overflow {
    /// There were none.
    None { spool: Arc<Spool>, limit: u64 },
    /// They are in a file.
    File(Spill),
    /// The first of them are in a file; it took no more, and those behind them are gone.
    Full(Spill),
    /// They are gone: there is to be no file.
    Forgotten,
}

/// Where the bytes at an offset are.
#[derive(Debug)]
pub(super) enum Place {
    Memory(Piece),
    File(Extract),
    /// Nowhere, up to this offset.
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

    /// For a record that is read once, as soon as it is complete.
    pub(super) fn read_once(self) -> Self {
        Self {
            is_read_once: true,
            ..self
        }
    }

    /// Keeps the newest bytes only, in memory.
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
            // Many small ones would be mostly bookkeeping.
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
            // A file takes much at a time.
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

    /// Lets what is on disk be removed for others when the command has ended; not that of a record which is about to be read.
    fn let_go(&mut self) {
        if self.completed_at.is_some()
            && !self.is_read_once
            && let Overflow::File(spill) | Overflow::Full(spill) = &mut self.overflow
        {
            spill.end_of_command();
        }
    }

    /// Moves all to the file, if there is more than a little.
    pub(super) fn settle(&mut self) {
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

    /// Bytes that are gone.
    pub(super) fn dropped(&self) -> u64 {
        self.tail_begin() - self.kept_end()
    }

    /// Where the bytes at `offset` are, of which none at or behind `end` are wanted. `offset` is before `end`, and `end`
    /// not behind the record's.
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

    /// Where the part in memory begins.
    pub(super) fn tail_begin(&self) -> u64 {
        self.tail.front().map_or(self.length, |chunk| chunk.offset)
    }

    /// The end of what was kept before the tail.
    fn kept_end(&self) -> u64 {
        match &self.overflow {
            Overflow::None { .. } => self.tail_begin(),
            Overflow::File(spill) | Overflow::Full(spill) if !spill.is_removed() => spill.end(),
            Overflow::File(_) | Overflow::Full(_) | Overflow::Forgotten => 0,
        }
    }

    /// How many of the oldest chunks are too many if the tail is to cost no more than `rest`, and what it costs without
    /// them; `least` chunks stay.
    fn beyond(&self, rest: usize, least: usize) -> (usize, usize) {
        let mut count = 0;
        let mut cost = self.cost;
        while cost > rest && count + least < self.tail.len() {
            cost -= self.tail[count].bytes.len() + CHUNK_COST;
            count += 1;
        }
        (count, cost)
    }

    /// Moves the older part of the tail to the file, until what stays costs no more than `rest`.
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
            // What is dropped is the middle: the end of an output is worth more than the memory.
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

/// Chunks are joined up to this size.
const SMALL: usize = 1024;

/// What a chunk costs beside its bytes.
const CHUNK_COST: usize = 64;
