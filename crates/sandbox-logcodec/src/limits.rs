//! The bounds of this crate.

/// The most bytes of a message from an [`Encoder`](crate::Encoder) that was given no other limit: 8 KiB.
///
/// Larger messages are no faster to speak of for the stock Python client. The TypeScript one takes the square of the time for a
/// message with many markers, and fails above 125,000 bytes.
pub const MESSAGE_BYTES: usize = 8 * 1024;
