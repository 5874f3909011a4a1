//! The codecs for byte streams: feature `tokio`.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec;

use crate::channel::Channel;
use crate::decode::Decoder;
use crate::frame::{Frame, FrameError, Reader, Writer};
use crate::render::Renderer;

/// Reads and writes a marker stream over a byte stream, such as a file or the body of a response.
///
/// As a decoder it gives what [`Decoder`] does, and never fails by itself. As an encoder it takes output of any kind that has
/// bytes, and holds nothing back: where writes end means nothing in a byte stream. For messages to stock clients use
/// [`Encoder`](crate::Encoder).
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use sandbox_logcodec::{Channel, LogCodec};
/// use tokio_util::codec::{Encoder, FramedRead};
///
/// # fn main() -> std::io::Result<()> {
/// let mut log = BytesMut::new();
/// LogCodec::new().encode((Channel::Stderr, "oops\n"), &mut log)?;
///
/// // A `Stream` of `io::Result<(Channel, Bytes)>`, over anything that is `AsyncRead`.
/// let chunks = FramedRead::new(log.as_ref(), LogCodec::new());
/// # drop(chunks);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct LogCodec {
    decoder: Decoder,
    renderer: Renderer,
}

impl LogCodec {
    /// Makes a codec that stands at the beginning of both directions.
    pub fn new() -> Self {
        Self::default()
    }
}

impl codec::Decoder for LogCodec {
    type Item = (Channel, Bytes);
    type Error = io::Error;

    fn decode(&mut self, input: &mut BytesMut) -> io::Result<Option<Self::Item>> {
        Ok(self.decoder.decode(input))
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> io::Result<Option<Self::Item>> {
        let chunk = self.decoder.decode(input);
        Ok(chunk.or_else(|| self.decoder.finish()))
    }
}

impl<B: AsRef<[u8]>> codec::Encoder<(Channel, B)> for LogCodec {
    type Error = io::Error;

    fn encode(&mut self, (channel, payload): (Channel, B), out: &mut BytesMut) -> io::Result<()> {
        self.renderer.write(channel, payload.as_ref(), out);
        Ok(())
    }
}

/// Reads and writes a stream of [frames](crate::frame) over a byte stream.
///
/// A stream that is not whole is an [`io::Error`] whose inner error is the [`FrameError`]: of kind `UnexpectedEof` where the
/// stream ends too early, and of kind `InvalidData` otherwise.
#[derive(Debug, Default)]
pub struct FrameCodec {
    reader: Reader,
    writer: Writer,
}

impl FrameCodec {
    /// Makes a codec that stands at the beginning of both directions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a codec that goes on where `reader` and `writer` stand.
    pub fn resume(reader: Reader, writer: Writer) -> Self {
        Self { reader, writer }
    }
}

impl codec::Decoder for FrameCodec {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, input: &mut BytesMut) -> io::Result<Option<Frame>> {
        self.reader.decode(input).map_err(invalid)
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> io::Result<Option<Frame>> {
        let frame = self.reader.decode(input).map_err(invalid)?;
        if frame.is_none() {
            self.reader.finish(input).map_err(invalid)?;
        }
        Ok(frame)
    }
}

impl<B: AsRef<[u8]>> codec::Encoder<(Channel, B)> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, (channel, payload): (Channel, B), out: &mut BytesMut) -> io::Result<()> {
        self.writer.encode(channel, payload.as_ref(), out);
        Ok(())
    }
}

fn invalid(error: FrameError) -> io::Error {
    let kind = match error {
        FrameError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
