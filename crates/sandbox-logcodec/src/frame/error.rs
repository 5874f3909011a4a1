//! What can be wrong with a stream of frames.

use thiserror::Error;

use super::VERSION;
use crate::limits::FRAME_PAYLOAD_BYTES;

/// Why a stream of frames cannot be read on.
///
/// The positions are bytes from the beginning of the stream, header included: that of the frame at fault, before which
/// everything is whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream begins with something else than the header.
    #[error("not a stream of frames")]
    Header,

    /// The stream is in a version of the format that this crate does not know.
    #[error("frames of version {found}, only {VERSION} is known")]
    Version {
        /// What the header says.
        found: u16,
    },

    /// A frame is of no known channel.
    #[error("frame at byte {position} has the unknown channel {found}")]
    Channel {
        /// Where the frame begins.
        position: u64,
        /// What the frame says.
        found: u8,
    },

    /// A frame is longer than [`FRAME_PAYLOAD_BYTES`].
    #[error("frame at byte {position} has {found} bytes, only {FRAME_PAYLOAD_BYTES} are allowed")]
    Length {
        /// Where the frame begins.
        position: u64,
        /// What the frame says.
        found: usize,
    },

    /// A frame stands before the end of the one before, or reaches beyond the largest offset.
    #[error(
        "frame at byte {position} has the offset {found}, but {expected} is the first that it can have"
    )]
    Offset {
        /// Where the frame begins.
        position: u64,
        /// The end of the frame before.
        expected: u64,
        /// What the frame says.
        found: u64,
    },

    /// The bytes of a frame are not those that were written.
    #[error("frame at byte {position} is damaged")]
    Checksum {
        /// Where the frame begins.
        position: u64,
    },

    /// The stream ends within its header or a frame.
    #[error("frame at byte {position} ends after {found} bytes")]
    Truncated {
        /// Where the frame begins.
        position: u64,
        /// How many bytes of it there are.
        found: usize,
    },
}

impl FrameError {
    /// Returns where the frame at fault begins: the number of bytes from the beginning of the stream that are whole.
    pub fn position(&self) -> u64 {
        match *self {
            Self::Header | Self::Version { .. } => 0,
            Self::Channel { position, .. }
            | Self::Length { position, .. }
            | Self::Offset { position, .. }
            | Self::Checksum { position }
            | Self::Truncated { position, .. } => position,
        }
    }
}
