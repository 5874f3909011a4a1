//! Takes frames apart.

use bytes::{Buf, Bytes, BytesMut};

use super::checksum::xxh64;
use super::{FrameError, HEADER, MAGIC_LENGTH, PREFIX_LENGTH, SUFFIX_LENGTH, VERSION};
use crate::channel::Channel;
use crate::limits::FRAME_PAYLOAD_BYTES;

/// A piece of output and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where the payload was written.
    pub channel: Channel,
    /// How many payload bytes, of both channels, are before this frame.
    ///
    /// More than [`Reader::offset`] before this frame by the number of missing bytes.
    pub offset: u64,
    /// What was written; empty in a frame that only has an offset.
    pub payload: Bytes,
}

/// Reads frames from a stream that arrives piece by piece.
///
/// The reader keeps no input, only how far it has come. It stands before the first frame that it did not return, whatever
/// happened: [`position`](Self::position) and [`offset`](Self::offset) are what [`resume`](Self::resume) and
/// [`Writer::resume`](super::Writer::resume) go on from.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    position: u64,
    offset: u64,
}

impl Reader {
    /// Makes a reader that stands at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a reader that begins after a whole frame, at the offset of another reader.
    ///
    /// At position 0 the stream begins, with its header.
    pub fn resume(position: u64, offset: u64) -> Self {
        Self { position, offset }
    }

    /// Returns how many bytes of the stream were whole and taken, header included.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the end of the output so far, which is the offset of the next frame if nothing is missing.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next frame off `input`, or returns `None` when it is not whole yet.
    ///
    /// Append what arrives to `input` and call this until it returns `None`. At most one frame of at most
    /// [`FRAME_PAYLOAD_BYTES`] stays in `input`. The payload is a slice of the same memory.
    ///
    /// # Errors
    ///
    /// Every [`FrameError`] but `Truncated`, as soon as there are enough bytes to detect it. Nothing of the frame at fault is
    /// taken, and calling again gives the same error.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if self.position == 0 && !self.read_header(input)? {
            return Ok(None);
        }
        let Some(prefix) = self.read_prefix(input)? else {
            return Ok(None);
        };
        let content = PREFIX_LENGTH + prefix.length;
        let Some(frame) = input.get(..content + SUFFIX_LENGTH) else {
            return Ok(None);
        };
        let (content, suffix) = frame.split_at(content);
        if xxh64(content).to_le_bytes()[..SUFFIX_LENGTH] != *suffix {
            let position = self.position;
            return Err(FrameError::Checksum { position });
        }

        self.position = self.position.saturating_add(frame.len() as u64);
        self.offset = prefix.end;
        let mut payload = input.split_to(frame.len()).freeze();
        payload.advance(PREFIX_LENGTH);
        payload.truncate(prefix.length);
        Ok(Some(Frame {
            channel: prefix.channel,
            offset: prefix.offset,
            payload,
        }))
    }

    /// Ends the stream: checks that `rest`, which [`decode`](Self::decode) left over, is empty.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] if there are bytes of a header or a frame that is not whole.
    pub fn finish(&self, rest: &[u8]) -> Result<(), FrameError> {
        match rest.len() {
            0 => Ok(()),
            found => Err(FrameError::Truncated {
                position: self.position,
                found,
            }),
        }
    }

    /// Takes the header off the input, or returns false when it is not whole yet.
    fn read_header(&mut self, input: &mut BytesMut) -> Result<bool, FrameError> {
        let known = input.len().min(MAGIC_LENGTH);
        if input[..known] != HEADER[..known] {
            return Err(FrameError::Header);
        }
        let Some((header, _)) = input.split_first_chunk::<{ HEADER.len() }>() else {
            return Ok(false);
        };
        let found = u16::from_le_bytes([header[MAGIC_LENGTH], header[MAGIC_LENGTH + 1]]);
        if found != VERSION {
            return Err(FrameError::Version { found });
        }
        input.advance(HEADER.len());
        self.position = HEADER.len() as u64;
        Ok(true)
    }

    /// Reads what comes before a payload, or returns `None` when it is not whole yet.
    fn read_prefix(&self, input: &[u8]) -> Result<Option<Prefix>, FrameError> {
        let position = self.position;
        let Some((&[channel, a, b, c, ref offset @ ..], _)) =
            input.split_first_chunk::<PREFIX_LENGTH>()
        else {
            return Ok(None);
        };
        let Some(channel) = Channel::from_byte(channel) else {
            let found = channel;
            return Err(FrameError::Channel { position, found });
        };
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length > FRAME_PAYLOAD_BYTES {
            let found = length;
            return Err(FrameError::Length { position, found });
        }
        let offset = u64::from_le_bytes(*offset);
        match offset.checked_add(length as u64) {
            Some(end) if offset >= self.offset => Ok(Some(Prefix {
                channel,
                length,
                offset,
                end,
            })),
            _ => Err(FrameError::Offset {
                position,
                expected: self.offset,
                found: offset,
            }),
        }
    }
}

/// What comes before a payload.
struct Prefix {
    channel: Channel,
    length: usize,
    offset: u64,
    /// The offset after the payload.
    end: u64,
}
