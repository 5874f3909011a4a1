//! Logs, from the messages that contain them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::frame::Reader;
use sandbox_logcodec::{Channel, Decoder};

use crate::{Delivery, Error, ErrorKind, LogEvent};

/// A decoder of the frames of `sandbox-logcodec`.
#[derive(Debug)]
pub(crate) struct Frames {
    reader: Reader,
    buffer: BytesMut,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            reader: Reader::new(),
            buffer: BytesMut::new(),
        }
    }

    /// Decodes a message, and appends complete events to `events`. `offset` is where the next event belongs.
    pub(crate) fn push(
        &mut self,
        message: &[u8],
        offset: &mut u64,
        events: &mut VecDeque<LogEvent>,
    ) -> Result<(), Error> {
        // Messages and frames are cut independently: a frame may begin in one message and end in
        // another.
        self.buffer.extend_from_slice(message);
        while let Some(frame) = self.reader.decode(&mut self.buffer).map_err(damaged)? {
            let Some(missing) = frame.offset.checked_sub(*offset) else {
                return Err(bad("the log came from before where it was asked for"));
            };
            if missing > 0 {
                events.push_back(LogEvent::Gap {
                    offset: *offset,
                    length: missing,
                });
            }
            *offset = self.reader.offset();
            // An empty frame only reports the offset, after a gap that nothing follows.
            if !frame.payload.is_empty() {
                events.push_back(LogEvent::Output {
                    channel: frame.channel,
                    offset: frame.offset,
                    bytes: frame.payload,
                });
            }
        }
        Ok(())
    }

    /// Checks that nothing is left at the end.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        self.reader.finish(&self.buffer).map_err(damaged)
    }
}

/// A decoder of a marker stream that begins where the log does; it leaves out what came before.
#[derive(Debug)]
pub(crate) struct Marked {
    decoder: Decoder,
    /// The number of bytes of the log that this stream has brought.
    seen: u64,
    digest: Digest,
    /// The digest of the log when it was read before, up to that point.
    expected: Option<Digest>,
}

impl Marked {
    /// Creates a decoder. `expected` is the digest of the bytes before the offset at which this resumes, if they were
    /// read before.
    pub(crate) fn new(expected: Option<Digest>) -> Self {
        Self {
            decoder: Decoder::new(),
            seen: 0,
            digest: Digest::new(),
            expected,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut message: Bytes,
        offset: &mut u64,
        events: &mut VecDeque<LogEvent>,
    ) -> Result<(), Error> {
        while let Some((channel, bytes)) = self.decoder.decode(&mut message) {
            self.take(channel, bytes, offset, events)?;
        }
        Ok(())
    }

    /// Returns what was held back, because nothing follows.
    pub(crate) fn finish(
        &mut self,
        offset: &mut u64,
        events: &mut VecDeque<LogEvent>,
    ) -> Result<(), Error> {
        if let Some((channel, bytes)) = self.decoder.finish() {
            self.take(channel, bytes, offset, events)?;
        }
        match self.seen.cmp(offset) {
            // Only at the end: until then, the rest of what is known may still come.
            std::cmp::Ordering::Less => {
                let message = format!("the log has {} bytes, less than {offset}", self.seen);
                let kind = match self.expected {
                    Some(_) => ErrorKind::Conflict,
                    None => ErrorKind::InvalidInput,
                };
                Err(Error::new(kind, Delivery::Rejected, message))
            }
            _ => Ok(()),
        }
    }

    /// Returns the digest of the log before `offset`, if it was read up to there.
    pub(crate) fn digest_at(&self, offset: u64) -> Option<Digest> {
        (self.seen == offset).then_some(self.digest)
    }

    fn take(
        &mut self,
        channel: Channel,
        mut bytes: Bytes,
        offset: &mut u64,
        events: &mut VecDeque<LogEvent>,
    ) -> Result<(), Error> {
        // A stock daemon sends the log from its beginning on each connection: what was read before
        // is only compared.
        if self.seen < *offset {
            let known = usize::try_from(*offset - self.seen).unwrap_or(usize::MAX);
            let known = bytes.split_to(known.min(bytes.len()));
            self.seen += known.len() as u64;
            self.digest.add(channel, &known);
            let is_back = self.seen == *offset;
            // Compared once, where the two readings meet: a digest needs no copy of the log.
            if is_back
                && self
                    .expected
                    .is_some_and(|expected| expected != self.digest)
            {
                let message = "the log is not the one that was followed before the cut";
                return Err(Error::new(ErrorKind::Conflict, Delivery::Rejected, message));
            }
        }
        if !bytes.is_empty() {
            self.digest.add(channel, &bytes);
            let begin = *offset;
            *offset += bytes.len() as u64;
            self.seen = *offset;
            events.push_back(LogEvent::Output {
                channel,
                offset: begin,
                bytes,
            });
        }
        Ok(())
    }
}

/// A digest of a log (FNV-1a), to compare two readings of it, however they were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    fn new() -> Self {
        // Detects another log, not a forged one: a daemon that forges logs needs no collision.
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, channel: Channel, bytes: &[u8]) {
        let channel = match channel {
            Channel::Stdout => 0,
            Channel::Stderr => 0x100,
        };
        for byte in bytes {
            // A bit beyond the byte, so that the same bytes of the other channel have another
            // digest.
            self.0 = (self.0 ^ u64::from(*byte) ^ channel).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn damaged(error: sandbox_logcodec::frame::FrameError) -> Error {
    bad("the log came damaged").with_source(error)
}

fn bad(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Stderr, Stdout};

    fn output(channel: Channel, offset: u64, bytes: &'static [u8]) -> LogEvent {
        let bytes = Bytes::from_static(bytes);
        LogEvent::Output {
            channel,
            offset,
            bytes,
        }
    }

    #[test]
    fn a_marker_stream_goes_on_where_it_was() {
        let log = Bytes::from_static(b"\x01\x01\x01abc\x02\x02\x02de\x01\x01\x01f");
        let mut offset = 0;
        let mut events = VecDeque::new();
        let mut first = Marked::new(None);
        // The log is cut within the second marker.
        first
            .push(log.slice(..7), &mut offset, &mut events)
            .unwrap();
        assert_eq!(events, [output(Stdout, 0, b"abc")]);
        let digest = first.digest_at(offset);
        assert!(digest.is_some());
        for cut in 0..log.len() {
            let (mut offset, mut events) = (offset, VecDeque::new());
            let mut second = Marked::new(digest);
            second
                .push(log.slice(..cut), &mut offset, &mut events)
                .unwrap();
            second
                .push(log.slice(cut..), &mut offset, &mut events)
                .unwrap();
            second.finish(&mut offset, &mut events).unwrap();
            let texts: Vec<_> = events
                .iter()
                .map(|event| match event {
                    LogEvent::Output { bytes, .. } => bytes.clone(),
                    LogEvent::Gap { .. } => panic!("{event:?}"),
                })
                .collect();
            assert_eq!(texts.concat(), b"def", "{cut}");
            assert_eq!(offset, 6);
        }
        // The same bytes on another channel are another log.
        for other in [
            &b"\x02\x02\x02abcde"[..],
            b"\x01\x01\x01abX",
            b"\x01\x01\x01ab",
        ] {
            let (mut offset, mut events) = (offset, VecDeque::new());
            let mut second = Marked::new(digest);
            let pushed = second.push(Bytes::from_static(other), &mut offset, &mut events);
            let error = pushed
                .and_then(|()| second.finish(&mut offset, &mut events))
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(events.is_empty());
        }
    }

    #[test]
    fn frames_have_gaps() {
        use sandbox_logcodec::frame::Writer;
        let mut stream = BytesMut::new();
        let mut writer = Writer::new();
        writer.skip(10);
        writer.encode(Stderr, b"a", &mut stream);
        writer.skip(5);
        writer.encode(Stdout, b"", &mut stream);
        let check = |begin, expect: &[LogEvent]| {
            for cut in 0..=stream.len() {
                let mut offset = begin;
                let mut events = VecDeque::new();
                let mut frames = Frames::new();
                let (before, behind) = stream.split_at(cut);
                frames.push(before, &mut offset, &mut events).unwrap();
                frames.push(behind, &mut offset, &mut events).unwrap();
                frames.finish().unwrap();
                assert_eq!(events, expect);
                assert_eq!(offset, 16);
            }
        };
        let last = LogEvent::Gap {
            offset: 11,
            length: 5,
        };
        check(10, &[output(Stderr, 10, b"a"), last.clone()]);
        let first = LogEvent::Gap {
            offset: 3,
            length: 7,
        };
        check(3, &[first, output(Stderr, 10, b"a"), last]);
        let mut frames = Frames::new();
        let error = frames.push(&stream, &mut 11, &mut VecDeque::new());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Protocol);
        let mut frames = Frames::new();
        frames
            .push(&stream[..9], &mut 0, &mut VecDeque::new())
            .unwrap();
        assert!(frames.finish().is_err());
    }
}
