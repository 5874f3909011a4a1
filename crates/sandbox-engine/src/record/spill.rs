//! The part of a record that does not fit in memory: append-only frames on disk.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::Channel;
use sandbox_logcodec::frame::{Reader, Writer};

use super::budget::Evict;
use super::piece::Piece;
use super::spool::{Extent, Range, Spool};
use crate::sync::lock;

/// The frames, in one range of the spool per batch. Their space is released when this is dropped.
#[derive(Debug)]
pub(super) struct Spill {
    spool: Arc<Spool>,
    writer: Writer,
    /// The size of all complete frames, in bytes.
    position: u64,
    /// An index of some frames: offset in the record, position among the frames; at least [`FRAME_BYTES`] apart within a batch, so
    /// that the index is small, and little more than that, so that one read is small. The first frame of each batch is one
    /// of them.
    index: Vec<(u64, u64)>,
    batches: Arc<Batches>,
    limit: u64,
    has_ended: bool,
}

/// The frames themselves, which may be removed to make room for others.
#[derive(Debug)]
struct Batches {
    /// `None` after they were removed.
    list: Mutex<Option<Vec<Batch>>>,
}

/// The position of the batch's first frame, and the range of its frames.
type Batch = (u64, Arc<Extent>);

/// A range of frames to read.
#[derive(Debug)]
pub(super) struct Extract {
    range: Range,
    position: u64,
    /// The offset of the frame at `position`.
    offset: u64,
}

impl Spill {
    pub(super) fn new(spool: Arc<Spool>, limit: u64) -> Self {
        Self {
            spool,
            writer: Writer::new(),
            position: 0,
            index: Vec::new(),
            batches: Arc::new(Batches {
                list: Mutex::new(Some(Vec::new())),
            }),
            limit,
            has_ended: false,
        }
    }

    /// Allows the frames to be removed when space is needed: the command has ended.
    pub(super) fn end_of_command(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.spool.budget().ended(&self.batches);
        }
    }

    /// Returns whether the frames were removed.
    pub(super) fn is_removed(&self) -> bool {
        self.batches.list().is_none()
    }

    /// Returns the offset after the last byte in the frames.
    pub(super) fn end(&self) -> u64 {
        self.writer.offset()
    }

    /// Appends a batch that begins at [`end`](Self::end). An error leaves the spill unchanged.
    pub(super) fn append<'a>(
        &mut self,
        batch: impl Iterator<Item = (Channel, &'a Bytes)> + Clone,
    ) -> io::Result<()> {
        let cost = batch.clone().map(|(_, bytes)| bytes.len() + FRAME_COST);
        let mut buffer = self.spool.take_buffer(cost.sum::<usize>() + FRAME_COST);
        let result = self.append_in(&mut buffer, batch);
        self.spool.put_buffer(buffer);
        result
    }

    fn append_in<'a>(
        &mut self,
        buffer: &mut BytesMut,
        batch: impl Iterator<Item = (Channel, &'a Bytes)>,
    ) -> io::Result<()> {
        // A copy, so that an error leaves the offset as it is.
        let mut writer = self.writer.clone();
        let mut marks = Vec::new();
        let mut next_mark = 0;
        // Small pieces of one channel become one frame, to reduce the overhead of frames.
        let mut run = Vec::new();
        let mut batch = batch.peekable();
        while let Some((channel, bytes)) = batch.next() {
            let length = run.len() + bytes.len();
            let goes_on = batch.peek().is_some_and(|(next, bytes)| {
                *next == channel && length + bytes.len() <= FRAME_BYTES
            });
            // A large piece is a frame by itself, and not copied into a run.
            let is_alone = run.is_empty() && !goes_on;
            if !is_alone {
                run.extend_from_slice(bytes);
            }
            if !goes_on {
                if buffer.len() >= next_mark {
                    marks.push((writer.offset(), self.position + buffer.len() as u64));
                    next_mark = buffer.len() + FRAME_BYTES;
                }
                let payload = if is_alone { bytes } else { &run[..] };
                writer.encode(channel, payload, buffer);
                run.clear();
            }
        }
        if self.position + buffer.len() as u64 > self.limit {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let extent = Arc::new(self.spool.write(buffer)?);
        match &mut *self.batches.list() {
            Some(list) => list.push((self.position, extent)),
            // A child that the command left running is still writing.
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        self.index.extend(marks);
        self.position += buffer.len() as u64;
        self.writer = writer;
        Ok(())
    }

    /// Returns the range to read for the bytes at `offset`, which the frames hold: those around it.
    pub(super) fn extract(&self, offset: u64) -> Option<Extract> {
        let next = self.index.partition_point(|(begin, _)| *begin <= offset);
        let (begin, position) = *self.index.get(next.checked_sub(1)?)?;
        let end = self
            .index
            .get(next)
            .map_or(self.position, |(_, position)| *position);
        let list = self.batches.list();
        let list = list.as_ref()?;
        let batch = list.partition_point(|(begin, _)| *begin <= position);
        let (batch_begin, extent) = list.get(batch.checked_sub(1)?)?;
        let length = usize::try_from(end - position).ok()?;
        Some(Extract {
            range: extent.range(position - batch_begin, length)?,
            position,
            offset: begin,
        })
    }
}

impl Batches {
    fn list(&self) -> MutexGuard<'_, Option<Vec<Batch>>> {
        lock(&self.list)
    }
}

impl Evict for Batches {
    fn evict(&self) {
        // Dropped outside of the lock: releasing the space can take the file system a while.
        let list = self.list().take();
        drop(list);
    }
}

impl Extract {
    /// Reads the pieces; blocks on the disk.
    pub(super) fn read(self) -> io::Result<Vec<Piece>> {
        let mut bytes = BytesMut::zeroed(self.range.length());
        self.range.read(&mut bytes)?;
        let mut reader = Reader::resume(self.position, self.offset);
        let mut pieces = Vec::new();
        while let Some(frame) = reader.decode(&mut bytes).map_err(io::Error::other)? {
            pieces.push(Piece::Data {
                offset: frame.offset,
                channel: frame.channel,
                bytes: frame.payload,
            });
        }
        Ok(pieces)
    }
}

const FRAME_BYTES: usize = 64 * 1024;

/// The size of a frame beside its payload, and at least that of the header.
const FRAME_COST: usize = 16;
