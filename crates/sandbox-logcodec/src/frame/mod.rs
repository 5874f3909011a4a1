//! Our own framing of a log: lossless, with offsets, for records on disk and between a client and a server that agree on it.
//!
//! Unlike a marker stream it needs no escapes, says where each byte stands in the output, and detects damage. Numbers are
//! little-endian.
//!
//! ```text
//! stream    header, then frames until the end
//!
//! header    73 62 78 6c 6f 67   "sbxlog"
//!           01 00               version of the format
//!
//! frame     cc                  channel: 01 stdout, 02 stderr
//!           ll ll ll            length of the payload, at most 1 MiB
//!           oo oo oo oo oo oo oo oo
//!                               offset: payload bytes of both channels before this frame
//!           ..                  payload
//!           xx xx xx xx         the low half of XXH64, seed 0, of the frame so far
//! ```
//!
//! Offsets grow by the payload. A frame may have a larger offset, which means that the bytes in between are missing;
//! never a smaller one. A frame may be empty, for such a gap at the end. A stream without any byte is one without frames.
//!
//! # Examples
//!
//! ```
//! use bytes::BytesMut;
//! use sandbox_logcodec::Channel;
//! use sandbox_logcodec::frame::{FrameError, Reader, Writer};
//!
//! let mut file = BytesMut::new();
//! let mut writer = Writer::new();
//! writer.encode(Channel::Stdout, b"to out\n", &mut file);
//! writer.encode(Channel::Stderr, b"to err\n", &mut file);
//! // The machine stopped within the second frame.
//! file.truncate(file.len() - 5);
//!
//! let mut reader = Reader::new();
//! let frame = reader.decode(&mut file)?.expect("the first frame is whole");
//! assert_eq!((frame.channel, frame.offset), (Channel::Stdout, 0));
//! assert_eq!(frame.payload, "to out\n");
//! assert_eq!(reader.decode(&mut file)?, None);
//! assert_eq!(reader.finish(&file), Err(FrameError::Truncated { position: 31, found: 18 }));
//!
//! // A writer cuts the file there and goes on.
//! assert_eq!((reader.position(), reader.offset()), (31, 7));
//! let mut writer = Writer::resume(reader.offset());
//! # let mut rest = BytesMut::new();
//! # writer.encode(Channel::Stderr, b"again", &mut rest);
//! # assert_eq!(reader.decode(&mut rest)?.map(|frame| frame.payload), Some("again".into()));
//! # Ok::<(), FrameError>(())
//! ```

mod checksum;
mod error;
mod reader;
mod writer;

pub use error::FrameError;
pub use reader::{Frame, Reader};
pub use writer::Writer;

/// The version of the format that this crate writes and reads.
pub const VERSION: u16 = 1;

/// What a stream begins with.
const HEADER: [u8; 8] = {
    let [low, high] = VERSION.to_le_bytes();
    [b's', b'b', b'x', b'l', b'o', b'g', low, high]
};

/// How much of [`HEADER`] does not depend on the version.
const MAGIC_LENGTH: usize = 6;

/// The channel and the length.
const HEAD_LENGTH: usize = 4;

/// The bytes of a frame before its payload.
const PREFIX_LENGTH: usize = HEAD_LENGTH + 8;

/// The checksum after the payload.
const SUFFIX_LENGTH: usize = 4;
