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
    #[inline]
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
    #[inline]
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
    #[inline]
    fn follow(self, payload: &[u8]) -> (usize, Self) {
        let is_short = (1..=SHORT).contains(&payload.len());
        if is_short && is_above_markers(payload) {
            return (payload.len(), Self::default());
        }
        self.search(payload)
    }

    /// Does what [`follow`](Self::follow) does, for any payload.
    #[inline(never)]
    fn search(self, payload: &[u8]) -> (usize, Self) {
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

/// Returns whether no byte is a marker's or 0: without the start of a search, which takes longer than the rest of what is done for
/// a short payload.
#[inline]
fn is_above_markers(payload: &[u8]) -> bool {
    let (words, rest) = payload.as_chunks();
    // The highest bit of a byte is set if the byte is less than 3 (or, after one that is, if it is 3).
    let found = words.iter().fold(0, |found, word| {
        let word = u64::from_le_bytes(*word);
        found | (word.wrapping_sub(LEAST) & !word)
    });
    found & HIGHEST == 0 && rest.iter().all(|byte| *byte > 2)
}

/// A byte 3 in each byte of a word.
const LEAST: u64 = u64::from_le_bytes([3; 8]);
const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);

/// The longest payload that is looked at word by word first.
const SHORT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_payloads_with_a_marker_byte_are_searched() {
        for length in 1..=20 {
            assert!(is_above_markers(&b"\x04 ~\x7f\x80\xff".repeat(4)[..length]));
            for at in 0..length {
                for before in [0x03, 0x04, 0x80, 0xff] {
                    let mut payload = vec![before; length];
                    for byte in [0x01, 0x02] {
                        payload[at] = byte;
                        assert!(!is_above_markers(&payload), "{payload:?}");
                    }
                }
            }
        }
    }
}
