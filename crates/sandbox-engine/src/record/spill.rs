//! The part of a record that memory does not hold: a file of frames that is only appended to.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::Channel;
use sandbox_logcodec::frame::{Reader, Writer};

use super::Piece;

/// The file, which is open only while it is written to or read from: there may be more records than descriptors.
#[derive(Debug)]
pub(super) struct Spill {
    path: Arc<Path>,
    writer: Writer,
    /// Bytes of whole frames in the file.
    position: u64,
    /// Where some frames begin: offset in the record, position in the file; at least [`FRAME_BYTES`] apart, so that it
    /// stays small, and little more than that, so that what a reader takes at a time does.
    index: Vec<(u64, u64)>,
    limit: u64,
}

/// A piece of the file to read.
#[derive(Debug)]
pub(super) struct Extract {
    path: Arc<Path>,
    position: u64,
    length: usize,
    /// The offset of the frame at `position`.
    offset: u64,
}

impl Spill {
    /// Makes the file, which must not exist.
    pub(super) fn create(path: PathBuf, limit: u64) -> io::Result<Self> {
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            path: path.into(),
            writer: Writer::new(),
            position: 0,
            index: Vec::new(),
            limit,
        })
    }

    /// The offset behind the last byte in the file.
    pub(super) fn end(&self) -> u64 {
        self.writer.offset()
    }

    /// Appends a batch that begins at [`end`](Self::end). After an error the file is as it was before.
    pub(super) fn append<'a>(
        &mut self,
        batch: impl Iterator<Item = (Channel, &'a Bytes)>,
    ) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        let mut writer = self.writer.clone();
        let mut marks = Vec::new();
        let mut next_mark = 0;
        // Small pieces of one channel become one frame, so that the file is not mostly frames.
        let mut run = Vec::new();
        let mut batch = batch.peekable();
        while let Some((channel, bytes)) = batch.next() {
            run.extend_from_slice(bytes);
            let goes_on = batch.peek().is_some_and(|(next, bytes)| {
                *next == channel && run.len() + bytes.len() <= FRAME_BYTES
            });
            if !goes_on {
                if buffer.len() >= next_mark {
                    marks.push((writer.offset(), self.position + buffer.len() as u64));
                    next_mark = buffer.len() + FRAME_BYTES;
                }
                writer.encode(channel, &run, &mut buffer);
                run.clear();
            }
        }
        if self.position + buffer.len() as u64 > self.limit {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut file = File::options().append(true).open(&self.path)?;
        if let Err(error) = file.write_all(&buffer) {
            // A part of a frame behind the whole ones would be damage to a reader.
            file.set_len(self.position)?;
            return Err(error);
        }
        self.index.extend(marks);
        self.position += buffer.len() as u64;
        self.writer = writer;
        Ok(())
    }

    /// What to read for the bytes at `offset`, which the file holds: the frames around it.
    pub(super) fn extract(&self, offset: u64) -> Option<Extract> {
        let next = self.index.partition_point(|(begin, _)| *begin <= offset);
        let (begin, position) = *self.index.get(next.checked_sub(1)?)?;
        let end = self
            .index
            .get(next)
            .map_or(self.position, |(_, position)| *position);
        Some(Extract {
            path: Arc::clone(&self.path),
            position,
            length: usize::try_from(end - position).ok()?,
            offset: begin,
        })
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // Gone already, if somebody cleaned up.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Extract {
    /// Reads the pieces; blocks on the disk.
    pub(super) fn read(self) -> io::Result<Vec<Piece>> {
        let mut bytes = BytesMut::zeroed(self.length);
        File::open(self.path)?.read_exact_at(&mut bytes, self.position)?;
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
