//! The forms in which a follower gets a log.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sandbox_engine::record::Piece;
use sandbox_logcodec::frame::Writer;
use sandbox_logcodec::{Channel, Encoder};

use crate::limits::LOG_PIECE_BYTES;

/// Makes messages of a record's pieces.
#[derive(Debug)]
pub(super) enum Rendering {
    /// A marker stream, cut where stock clients do not lose a byte. Gaps do not show.
    Marked(Encoder),
    /// The bytes of both channels. Gaps do not show.
    Plain(BytesMut),
    /// Frames with offsets, which also tell gaps.
    Frames(Frames),
}

#[derive(Debug)]
pub(super) struct Frames {
    writer: Writer,
    buffer: BytesMut,
    /// Whether no frame has told of the last gap yet.
    owes_gap: bool,
}

impl Rendering {
    pub(super) fn marked() -> Self {
        Self::Marked(Encoder::new())
    }

    pub(super) fn plain() -> Self {
        Self::Plain(BytesMut::new())
    }

    /// Frames of a log from `offset` on.
    pub(super) fn frames(offset: u64) -> Self {
        let mut writer = Writer::new();
        writer.skip(offset);
        Self::Frames(Frames {
            writer,
            buffer: BytesMut::new(),
            owes_gap: false,
        })
    }

    /// Takes a piece, and puts the messages that are full behind the others.
    pub(super) fn push(&mut self, piece: Piece, messages: &mut VecDeque<Bytes>) {
        match (self, piece) {
            (Self::Marked(encoder), Piece::Data { channel, bytes, .. }) => {
                let mut rest = &bytes[..];
                messages.extend(std::iter::from_fn(|| encoder.encode(channel, &mut rest)));
            }
            (Self::Plain(buffer), Piece::Data { bytes, .. }) => {
                buffer.extend_from_slice(&bytes);
                while buffer.len() >= LOG_PIECE_BYTES {
                    messages.push_back(buffer.split_to(LOG_PIECE_BYTES).freeze());
                }
            }
            (Self::Marked(_) | Self::Plain(_), Piece::Gap { .. }) => {}
            (Self::Frames(frames), Piece::Data { channel, bytes, .. }) => {
                frames.owes_gap = false;
                for bytes in bytes.chunks(LOG_PIECE_BYTES) {
                    frames.writer.encode(channel, bytes, &mut frames.buffer);
                    if frames.buffer.len() >= LOG_PIECE_BYTES {
                        messages.push_back(frames.buffer.split().freeze());
                    }
                }
            }
            (Self::Frames(frames), Piece::Gap { length, .. }) => {
                frames.writer.skip(length);
                frames.owes_gap = true;
            }
        }
    }

    /// The message that is not full, because there is no more for now.
    pub(super) fn flush(&mut self) -> Option<Bytes> {
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
    pub(super) fn finish(&mut self) -> Option<Bytes> {
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

    fn render(mut rendering: Rendering, pieces: Vec<Piece>) -> VecDeque<Bytes> {
        let mut messages = VecDeque::new();
        for piece in pieces {
            rendering.push(piece, &mut messages);
        }
        messages.extend(rendering.finish());
        messages.extend(rendering.finish());
        messages
    }

    fn data(offset: u64, channel: Channel, bytes: impl Into<Bytes>) -> Piece {
        let bytes = bytes.into();
        Piece::Data {
            offset,
            channel,
            bytes,
        }
    }

    #[test]
    fn plain_messages_are_bounded() {
        let big = vec![b'x'; LOG_PIECE_BYTES * 2];
        let messages = render(
            Rendering::plain(),
            vec![data(0, Stdout, "a"), data(1, Stderr, big)],
        );
        let lengths: Vec<_> = messages.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [LOG_PIECE_BYTES, LOG_PIECE_BYTES, 1]);
        assert!(render(Rendering::plain(), vec![]).is_empty());
    }

    #[test]
    fn frames_tell_offsets_and_gaps() {
        let gap = |offset| Piece::Gap { offset, length: 5 };
        let pieces = vec![
            gap(10),
            data(15, Stdout, "ab"),
            data(17, Stderr, vec![b'y'; 100_000]),
            gap(100_017),
        ];
        let messages = render(Rendering::frames(10), pieces);
        assert!(
            messages
                .iter()
                .all(|message| message.len() < 2 * LOG_PIECE_BYTES)
        );
        let mut stream: BytesMut = messages
            .iter()
            .flat_map(|message| message.to_vec())
            .collect();
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
        assert_eq!(frames.last(), Some(&(Stdout, 100_022, 0)));
        assert!(render(Rendering::frames(7), vec![]).is_empty());
    }
}
