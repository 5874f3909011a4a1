//! The bounds of this crate.

/// The most bytes of a message from an [`Encoder`](crate::Encoder) that was given no other limit: 8 KiB.
///
/// Larger messages are no faster to speak of for the stock Python client. The TypeScript one takes the square of the time for a
/// message with many markers, and fails above 125,000 bytes.
pub const MESSAGE_BYTES: usize = 8 * 1024;

/// The most payload bytes of a [frame](crate::frame): 1 MiB.
///
/// A [`Writer`](crate::frame::Writer) cuts what is longer into several frames. To a [`Reader`](crate::frame::Reader) a longer
/// frame is an error, so that a damaged length cannot make it wait for more than this.
pub const FRAME_PAYLOAD_BYTES: usize = 1024 * 1024;
