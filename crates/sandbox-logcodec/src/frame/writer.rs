//! Puts output into frames.

use bytes::{BufMut, BytesMut};

use super::checksum::xxh64;
use super::{HEAD_LENGTH, HEADER, PREFIX_LENGTH, SUFFIX_LENGTH};
use crate::channel::Channel;
use crate::limits::FRAME_PAYLOAD_BYTES;

/// Writes output as frames that a [`Reader`](super::Reader) takes apart.
///
/// The writer keeps no output, only the offset of the next frame.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    offset: u64,
    has_header: bool,
}

impl Writer {
    /// Makes a writer for a new stream, which begins with a header and the offset 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a writer that goes on after a whole frame, at the offset of a [`Reader`](super::Reader).
    pub fn resume(offset: u64) -> Self {
        Self {
            offset,
            has_header: true,
        }
    }

    /// Returns the offset of the next frame: how many payload bytes are before it, missing ones included.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Leaves out `gone` bytes of output that cannot be had, so that readers learn how many.
    ///
    /// The next frame reports them; if there will be none, encode an empty one.
    pub fn skip(&mut self, gone: u64) {
        self.offset = self.offset.saturating_add(gone);
    }

    /// Appends `payload` to `out` as a frame, or several where it is longer than [`FRAME_PAYLOAD_BYTES`].
    ///
    /// An empty payload becomes an empty frame. The first call puts the header in front. Each frame has 16 bytes beside its
    /// payload.
    pub fn encode(&mut self, channel: Channel, payload: &[u8], out: &mut BytesMut) {
        if !self.has_header {
            out.put_slice(&HEADER);
            self.has_header = true;
        }
        let (first, rest) = payload.split_at(payload.len().min(FRAME_PAYLOAD_BYTES));
        self.put(channel, first, out);
        for payload in rest.chunks(FRAME_PAYLOAD_BYTES) {
            self.put(channel, payload, out);
        }
    }

    /// Appends one frame.
    fn put(&mut self, channel: Channel, payload: &[u8], out: &mut BytesMut) {
        let length = payload.len() as u64;
        let begin = out.len();
        out.reserve(PREFIX_LENGTH + payload.len() + SUFFIX_LENGTH);
        let head = u64::from(channel.byte()) | length << 8;
        out.put_slice(&head.to_le_bytes()[..HEAD_LENGTH]);
        out.put_u64_le(self.offset);
        out.put_slice(payload);
        let checksum = xxh64(&out[begin..]).to_le_bytes();
        out.put_slice(&checksum[..SUFFIX_LENGTH]);
        self.offset = self.offset.saturating_add(length);
    }
}
