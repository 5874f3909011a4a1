//! The forms in which a follower receives a log.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::frame::Writer;
use sandbox_logcodec::{Channel, Encoder, gap_notice};

use crate::limits::LOG_PIECE_BYTES;

/// Renders the content of a record as messages.
#[derive(Debug)]
pub(in crate::http) enum Rendering {
    /// A marker stream, split where stock clients do not lose a byte.
    Marked { encoder: Encoder, missing: u64 },
    /// The bytes of both channels.
    Plain { buffer: BytesMut, missing: u64 },
    /// Frames with offsets, which also report gaps.
    Frames(Frames),
}

#[derive(Debug)]
pub(in crate::http) struct Frames {
    writer: Writer,
    buffer: BytesMut,
    /// Whether no frame has reported the last gap yet.
    owes_gap: bool,
}

impl Rendering {
    pub(in crate::http) fn marked() -> Self {
        Self::Marked {
            encoder: Encoder::new(),
            missing: 0,
        }
    }

    pub(in crate::http) fn plain() -> Self {
        Self::Plain {
            buffer: BytesMut::new(),
            missing: 0,
        }
    }

    /// Renders frames of a log from `offset` on.
    pub(in crate::http) fn frames(offset: u64) -> Self {
        let mut writer = Writer::new();
        // A frame's offset is one of the log, not of this response.
        writer.skip(offset);
        Self::Frames(Frames {
            writer,
            buffer: BytesMut::new(),
            owes_gap: false,
        })
    }

    /// Renders output, and appends the messages that are full to `full`.
    pub(in crate::http) fn push(
        &mut self,
        channel: Channel,
        mut bytes: &[u8],
        full: &mut VecDeque<Bytes>,
    ) {
        match self {
            Self::Marked { encoder, .. } => {
                full.extend(std::iter::from_fn(|| encoder.encode(channel, &mut bytes)));
            }
            Self::Plain { buffer, .. } => {
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

    /// Skips bytes that the record does not have. The forms that cannot express a gap get a line on stderr in its place,
    /// for people; for programs see [`unreported_gap`](Self::unreported_gap).
    pub(in crate::http) fn skip(&mut self, gone: u64, full: &mut VecDeque<Bytes>) {
        match self {
            Self::Frames(frames) => {
                frames.writer.skip(gone);
                frames.owes_gap = true;
                return;
            }
            Self::Marked { missing, .. } | Self::Plain { missing, .. } => *missing += gone,
        }
        self.push(Channel::Stderr, gap_notice(gone).as_bytes(), full);
    }

    /// Returns how many bytes are missing without a message that a program could parse: the stream must not end like a
    /// complete one.
    ///
    /// How clients react: on a close code other than 1000 the Python SDKs from 0.130 to 0.226 raise `DaytonaError` from
    /// `get_session_command_logs_async`, from 0.167 on with the reason of the close. The TypeScript SDKs up to 0.218 ignore
    /// the code, and resolve; they only have the line on stderr. A body that is cut off raises in every client of HTTP
    /// except Python's SDK 0.130, which takes it for the end.
    pub(in crate::http) fn unreported_gap(&self) -> u64 {
        match self {
            Self::Marked { missing, .. } | Self::Plain { missing, .. } => *missing,
            Self::Frames(_) => 0,
        }
    }

    /// Returns the message that is not full, because no more output is available now.
    pub(in crate::http) fn flush(&mut self) -> Option<Bytes> {
        let buffer = match self {
            Self::Marked { encoder, .. } => return encoder.flush(),
            Self::Plain { buffer, .. } => buffer,
            Self::Frames(frames) => {
                if std::mem::take(&mut frames.owes_gap) {
                    let channel = Channel::Stdout;
                    // An empty frame has an offset too, by which the client sees the gap although
                    // nothing follows.
                    frames.writer.encode(channel, b"", &mut frames.buffer);
                }
                &mut frames.buffer
            }
        };
        (!buffer.is_empty()).then(|| buffer.split().freeze())
    }

    /// Returns the last message, because there is no more output.
    pub(in crate::http) fn finish(&mut self) -> Option<Bytes> {
        match self {
            Self::Marked { encoder, .. } => encoder.finish(),
            Self::Plain { .. } | Self::Frames(_) => self.flush(),
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
    fn gaps_are_lines_on_stderr_and_no_normal_end() {
        for (mut rendering, expect) in [
            (
                Rendering::marked(),
                &b"\x01\x01\x01ab\x02\x02\x02\n[... 7 bytes discarded ...]\n\x01\x01\x01yz"[..],
            ),
            (Rendering::plain(), b"ab\n[... 7 bytes discarded ...]\nyz"),
        ] {
            let mut full = VecDeque::new();
            rendering.push(Stdout, b"ab", &mut full);
            assert_eq!(rendering.unreported_gap(), 0);
            rendering.skip(7, &mut full);
            rendering.push(Stdout, b"yz", &mut full);
            assert_eq!(rendering.unreported_gap(), 7);
            assert_eq!(
                finish(rendering, full)
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>(),
                expect
            );
        }
    }

    #[test]
    fn frames_have_offsets_and_gaps() {
        let mut rendering = Rendering::frames(10);
        let mut full = VecDeque::new();
        rendering.skip(5, &mut full);
        rendering.push(Stdout, b"ab", &mut full);
        for _ in 0..3 {
            rendering.push(Stderr, &[b'y'; LOG_PIECE_BYTES], &mut full);
        }
        rendering.skip(5, &mut full);
        assert_eq!(rendering.unreported_gap(), 0);
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
