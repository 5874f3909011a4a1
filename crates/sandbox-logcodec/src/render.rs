//! Writes a marker stream in which no payload byte can be taken for a marker.
//!
//! The payload is cut into segments, each after a label: the marker of its channel and, where the byte before the label
//! is that marker's own, the other marker in front of it. Two rules make every stream come apart as it was put together:
//!
//! 1. a segment holds no three equal marker bytes in a row;
//! 2. the first byte of a label is never the byte before it.
//!
//! By the second no marker begins in a segment and ends in a label, so that readers, which take the leftmost marker, take
//! those of the labels, and by the first they find no others.

use std::mem;

use bytes::BufMut;
use memchr::memchr2_iter;

use crate::channel::Channel;
use crate::marker;

/// The writer's view of the stream so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Renderer {
    channel: Option<Channel>,
    tail: Tail,
}

/// The equal marker bytes at the end of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tail {
    byte: u8,
    /// 0, 1 or 2.
    length: usize,
}

impl Renderer {
    /// The channel of the segment that payload would go on with; `None` before the first label.
    pub(crate) fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// Writes payload with all the labels that it needs.
    pub(crate) fn write(&mut self, channel: Channel, payload: &[u8], out: &mut impl BufMut) {
        let mut rest = payload;
        while !rest.is_empty() {
            if self.channel != Some(channel) || self.extend(&mut rest, usize::MAX, out) == 0 {
                self.label(channel, out);
            }
        }
    }

    /// Begins a segment.
    pub(crate) fn label(&mut self, channel: Channel, out: &mut impl BufMut) {
        if self.tail.length > 0 && self.tail.byte == channel.byte() {
            out.put_slice(&channel.other().marker());
        }
        out.put_slice(&channel.marker());
        self.channel = Some(channel);
        self.tail = Tail::default();
    }

    /// Moves payload, `most` bytes of it at most, to the segment.
    ///
    /// Returns how many bytes were moved; 0 says that the next one would be the third of its kind and needs a label.
    pub(crate) fn extend(
        &mut self,
        payload: &mut &[u8],
        most: usize,
        out: &mut impl BufMut,
    ) -> usize {
        let (length, tail) = self.tail.follow(&payload[..most.min(payload.len())]);
        let (segment, rest) = payload.split_at(length);
        out.put_slice(segment);
        *payload = rest;
        self.tail = tail;
        length
    }

    /// Whether the stream ends in two bytes equal to `byte`, so that a third one would make a marker.
    pub(crate) fn ends_in_two(&self, byte: u8) -> bool {
        self.tail == Tail { byte, length: 2 }
    }

    /// Completes the two equal bytes at the end of the stream to a marker, and returns one of them.
    pub(crate) fn take_back_two(&mut self, out: &mut impl BufMut) -> u8 {
        let Tail { byte, .. } = mem::take(&mut self.tail);
        out.put_u8(byte);
        self.channel = Channel::from_byte(byte);
        byte
    }

    /// Notes that the last segment, of one byte, begins one byte earlier, with an equal one.
    pub(crate) fn double_tail(&mut self) {
        self.tail.length = 2;
    }
}

impl Tail {
    /// Returns how much of `payload` can follow without three equal marker bytes in a row, and the tail after it.
    fn follow(self, payload: &[u8]) -> (usize, Self) {
        let mut tail = self;
        let mut end = 0;
        for at in memchr2_iter(0x01, 0x02, payload) {
            let byte = payload[at];
            let length = if at == end && byte == tail.byte {
                tail.length + 1
            } else {
                1
            };
            if length == marker::LENGTH {
                return (at, tail);
            }
            tail = Self { byte, length };
            end = at + 1;
        }
        if end == payload.len() {
            (end, tail)
        } else {
            (payload.len(), Self::default())
        }
    }
}
