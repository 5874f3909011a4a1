//! The forms in which a follower gets a log.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::frame::Writer;
use sandbox_logcodec::{Channel, Encoder};

use crate::limits::LOG_PIECE_BYTES;

/// Makes messages of what is in a record.
#[derive(Debug)]
pub(in crate::api) enum Rendering {
    /// A marker stream, cut where stock clients do not lose a byte. Gaps do not show.
    Marked(Encoder),
    /// The bytes of both channels. Gaps do not show.
    Plain(BytesMut),
    /// Frames with offsets, which also tell gaps.
    Frames(Frames),
}

#[derive(Debug)]
pub(in crate::api) struct Frames {
    writer: Writer,
    buffer: BytesMut,
    /// Whether no frame has told of the last gap yet.
    owes_gap: bool,
}

impl Rendering {
    pub(in crate::api) fn marked() -> Self {
        Self::Marked(Encoder::new())
    }

    pub(in crate::api) fn plain() -> Self {
        Self::Plain(BytesMut::new())
    }

    /// Frames of a log from `offset` on.
    pub(in crate::api) fn frames(offset: u64) -> Self {
        let mut writer = Writer::new();
        writer.skip(offset);
        Self::Frames(Frames {
            writer,
            buffer: BytesMut::new(),
            owes_gap: false,
        })
    }

    /// Takes output, and puts the messages that are full behind the others.
    pub(in crate::api) fn push(
        &mut self,
        channel: Channel,
        mut bytes: &[u8],
        full: &mut VecDeque<Bytes>,
    ) {
        match self {
            Self::Marked(encoder) => {
                full.extend(std::iter::from_fn(|| encoder.encode(channel, &mut bytes)));
            }
            Self::Plain(buffer) => {
                buffer.extend_from_slice(bytes);
                while buffer.len() >= LOG_PIECE_BYTES {
                    full.push_back(buffer.split_to(LOG_PIECE_BYTES).freeze());
                }
            }
            Self::Frames(frames) => {
                frames.owes_gap = false;
                frames.writer.encode(channel, bytes, &mut frames.buffer);
                if frames.buffer.len() >= LOG_PIECE_BYTES {
                    full.push_back(frames.buffer.split().freeze());
                }
            }
        }
    }

    /// Leaves out what the record has not.
    pub(in crate::api) fn skip(&mut self, gone: u64) {
        if let Self::Frames(frames) = self {
            frames.writer.skip(gone);
            frames.owes_gap = true;
        }
    }

    /// The message that is not full, because there is no more for now.
    pub(in crate::api) fn flush(&mut self) -> Option<Bytes> {
        let buffer = match self {
            Self::Marked(encoder) => return encoder.flush(),
            Self::Plain(buffer) => buffer,
            Self::Frames(frames) => {
                if std::mem::take(&mut frames.owes_gap) {
                    let channel = Channel::Stdout;
                    frames.writer.encode(channel, b"", &mut frames.buffer);
                }
                &mut frames.buffer
            }
        };
        (!buffer.is_empty()).then(|| buffer.split().freeze())
    }

    /// The last message, because there is no more.
    pub(in crate::api) fn finish(&mut self) -> Option<Bytes> {
        match self {
            Self::Marked(encoder) => encoder.finish(),
            Self::Plain(_) | Self::Frames(_) => self.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sandbox_logcodec::frame::Reader;

    use super::*;
    use Channel::{Stderr, Stdout};

    fn finish(mut rendering: Rendering, mut full: VecDeque<Bytes>) -> VecDeque<Bytes> {
        full.extend(rendering.finish());
        assert_eq!(rendering.finish(), None);
        full
    }

    #[test]
    fn plain_messages_are_bounded() {
        let mut rendering = Rendering::plain();
        let mut full = VecDeque::new();
        rendering.push(Stdout, b"a", &mut full);
        rendering.push(Stderr, &[b'x'; LOG_PIECE_BYTES * 2], &mut full);
        let messages = finish(rendering, full);
        let lengths: Vec<_> = messages.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [LOG_PIECE_BYTES, LOG_PIECE_BYTES, 1]);
        assert!(finish(Rendering::plain(), VecDeque::new()).is_empty());
    }

    #[test]
    fn frames_tell_offsets_and_gaps() {
        let mut rendering = Rendering::frames(10);
        let mut full = VecDeque::new();
        rendering.skip(5);
        rendering.push(Stdout, b"ab", &mut full);
        for _ in 0..3 {
            rendering.push(Stderr, &[b'y'; LOG_PIECE_BYTES], &mut full);
        }
        rendering.skip(5);
        let messages = finish(rendering, full);
        assert!(
            messages
                .iter()
                .all(|message| message.len() < 2 * LOG_PIECE_BYTES)
        );
        let mut stream: BytesMut = messages.iter().flatten().collect();
        let mut reader = Reader::new();
        let mut frames = Vec::new();
        while let Some(frame) = reader.decode(&mut stream).unwrap() {
            frames.push((frame.channel, frame.offset, frame.payload.len()));
        }
        reader.finish(&stream).unwrap();
        assert_eq!(
            frames[..2],
            [(Stdout, 15, 2), (Stderr, 17, LOG_PIECE_BYTES)]
        );
        let end = 17 + 3 * LOG_PIECE_BYTES as u64 + 5;
        assert_eq!(frames.last(), Some(&(Stdout, end, 0)));
        assert!(finish(Rendering::frames(7), VecDeque::new()).is_empty());
    }
}
