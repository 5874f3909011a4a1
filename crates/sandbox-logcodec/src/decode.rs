//! Takes a marker stream apart as it arrives.

use std::mem;
use std::ops::Range;

use bytes::{Buf, Bytes};

use crate::channel::{Channel, STDERR_MARKER, STDOUT_MARKER};
use crate::marker;

/// Splits a marker stream, piece by piece, into chunks of its two channels.
///
/// The pieces may be cut anywhere, inside a marker too: the bytes of each channel are the same for every cutting, and the
/// same that [`demux_log`](crate::demux_log) finds in the whole. Every input is a marker stream, so nothing here fails.
/// Bytes before the first marker belong to no channel and are dropped.
///
/// The decoder keeps no input. At the end of a piece, one or two bytes that may begin a marker are held back (as a count)
/// until the next piece shows what they are; everything else comes out at once. Chunks are never empty.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use sandbox_logcodec::{Channel, Decoder};
///
/// let mut decoder = Decoder::new();
/// let mut chunks = Vec::new();
/// // The second marker is cut in two.
/// for piece in [&b"\x01\x01\x01to out\n\x02"[..], b"\x02\x02to err\n"] {
///     let mut piece = Bytes::from_static(piece);
///     while let Some(chunk) = decoder.decode(&mut piece) {
///         chunks.push(chunk);
///     }
/// }
/// chunks.extend(decoder.finish());
///
/// assert_eq!(chunks, [
///     (Channel::Stdout, Bytes::from("to out\n")),
///     (Channel::Stderr, Bytes::from("to err\n")),
/// ]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    /// Where the next payload byte belongs; `None` before the first marker.
    channel: Option<Channel>,
    /// The beginning of a marker at the end of the input so far.
    held: Option<Held>,
}

/// One or two equal marker bytes.
#[derive(Debug, Clone, Copy)]
struct Held {
    marker: Channel,
    /// 1 or 2.
    count: usize,
}

impl Decoder {
    /// Makes a decoder that stands at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk off `input`, or returns `None` when `input` is used up.
    ///
    /// To push a piece of the stream, call this until it returns `None`; then `input` is empty and the next piece may
    /// come. From [`Bytes`] and [`BytesMut`](bytes::BytesMut) a chunk is a slice of the same memory, neither copied nor
    /// allocated for; other kinds of [`Buf`] decide themselves what it costs to take bytes off them. A chunk of held-back
    /// bytes is static.
    #[inline]
    pub fn decode<B: Buf>(&mut self, input: &mut B) -> Option<(Channel, Bytes)> {
        while input.has_remaining() {
            let (found, used) = self.next(input.chunk());
            match found {
                Some((channel, Chunk::Held(payload))) => {
                    input.advance(used);
                    return Some((channel, Bytes::from_static(payload)));
                }
                Some((channel, Chunk::Input(range))) => {
                    input.advance(range.start);
                    let payload = input.copy_to_bytes(range.len());
                    input.advance(used - range.end);
                    return Some((channel, payload));
                }
                None => input.advance(used),
            }
        }
        None
    }

    /// Takes the next chunk off `input` as [`decode`](Self::decode) does, but borrows it.
    ///
    /// This is the faster one for small chunks, which need not be counted as owners of their memory.
    #[inline]
    pub fn decode_slice<'a>(&mut self, input: &mut &'a [u8]) -> Option<(Channel, &'a [u8])> {
        let (found, used) = self.next(input);
        let (piece, rest) = input.split_at(used);
        *input = rest;
        match found? {
            (channel, Chunk::Held(payload)) => Some((channel, payload)),
            (channel, Chunk::Input(range)) => Some((channel, &piece[range])),
        }
    }

    /// Ends the stream and returns the bytes held back, which turned out to be payload.
    ///
    /// Afterwards the decoder stands at the beginning of a new stream.
    pub fn finish(&mut self) -> Option<(Channel, Bytes)> {
        let Self { channel, held } = mem::take(self);
        Some((channel?, Bytes::from_static(held?.payload())))
    }

    /// Finds the first chunk in a piece of input, and how much of the piece is done with then: all, if there is no chunk.
    #[inline]
    fn next(&mut self, piece: &[u8]) -> (Option<(Channel, Chunk)>, usize) {
        let mut used = 0;
        if let Some(held) = self.held.take() {
            let equal = held.count_equal(piece);
            used = equal;
            if held.count + equal == marker::LENGTH {
                self.channel = Some(held.marker);
            } else if equal == piece.len() {
                let count = held.count + equal;
                self.held = Some(Held { count, ..held });
                return (None, used);
            } else {
                used = 0;
                if let Some(channel) = self.channel {
                    return (Some((channel, Chunk::Held(held.payload()))), used);
                }
            }
        }
        while let Some((length, next)) = marker::find(&piece[used..]) {
            let payload = used..used + length;
            used = payload.end + marker::LENGTH;
            if let Some(channel) = self.channel.replace(next)
                && length > 0
            {
                return (Some((channel, Chunk::Input(payload))), used);
            }
        }
        self.held = Held::at_end(&piece[used..]);
        let payload = used..piece.len() - self.held.map_or(0, |held| held.count);
        let chunk = match self.channel {
            Some(channel) if !payload.is_empty() => Some((channel, Chunk::Input(payload))),
            _ => None,
        };
        (chunk, piece.len())
    }
}

/// Where the bytes of a chunk are.
enum Chunk {
    Held(&'static [u8]),
    Input(Range<usize>),
}

impl Held {
    /// Returns the beginning of a marker at the end of a piece that holds no whole one.
    fn at_end(piece: &[u8]) -> Option<Self> {
        let &last = piece.last()?;
        let marker = Channel::from_byte(last)?;
        let is_double = piece.len() >= 2 && piece[piece.len() - 2] == last;
        let count = 1 + usize::from(is_double);
        Some(Self { marker, count })
    }

    /// Returns how many bytes at the start of the next piece go on with the marker.
    fn count_equal(self, piece: &[u8]) -> usize {
        let missing = marker::LENGTH - self.count;
        let next = piece.iter().take(missing);
        next.take_while(|&&byte| byte == self.marker.byte()).count()
    }

    fn payload(self) -> &'static [u8] {
        let marker: &[u8; marker::LENGTH] = match self.marker {
            Channel::Stdout => &STDOUT_MARKER,
            Channel::Stderr => &STDERR_MARKER,
        };
        &marker[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use Channel::{Stderr, Stdout};

    fn check(pieces: &[&'static [u8]], expect: &[(Channel, &'static [u8])]) {
        let mut decoder = Decoder::new();
        let mut found = Vec::new();
        for piece in pieces {
            let mut piece = Bytes::from_static(piece);
            found.extend(std::iter::from_fn(|| decoder.decode(&mut piece)));
            assert!(piece.is_empty());
        }
        found.extend(decoder.finish());
        let expect: Vec<_> = expect
            .iter()
            .map(|&(channel, bytes)| (channel, Bytes::from_static(bytes)))
            .collect();
        assert_eq!(found, expect, "{pieces:?}");
    }

    #[test]
    fn payload_goes_to_the_channel_of_the_marker_before_it() {
        check(&[], &[]);
        check(&[b""], &[]);
        check(&[b"nobody's"], &[]);
        check(&[b"nobody's\x01\x01\x01a"], &[(Stdout, b"a")]);
        check(
            &[b"\x01\x01\x01a\x02\x02\x02b\x01\x01\x01c"],
            &[(Stdout, b"a"), (Stderr, b"b"), (Stdout, b"c")],
        );
        check(
            &[b"\x01\x01\x01\x02\x02\x02\x02\x02\x02b"],
            &[(Stderr, b"b")],
        );
    }

    #[test]
    fn equal_bytes_bind_left_to_right() {
        check(&[b"\x01\x01\x01\x01"], &[(Stdout, b"\x01")]);
        check(&[b"\x01\x01\x01\x01\x01"], &[(Stdout, b"\x01\x01")]);
        check(&[b"\x01\x01\x01\x01\x01\x01"], &[]);
        check(
            &[b"\x01\x01\x01a\x02\x02\x02\x02b"],
            &[(Stdout, b"a"), (Stderr, b"\x02b")],
        );
    }

    #[test]
    fn a_marker_may_be_cut_anywhere() {
        check(&[b"\x01", b"\x01\x01a"], &[(Stdout, b"a")]);
        check(&[b"\x01\x01", b"\x01a"], &[(Stdout, b"a")]);
        check(&[b"\x01", b"\x01", b"", b"\x01", b"a"], &[(Stdout, b"a")]);
        check(
            &[b"\x01\x01\x01a\x02", b"\x02", b"\x02b"],
            &[(Stdout, b"a"), (Stderr, b"b")],
        );
    }

    #[test]
    fn what_was_no_marker_is_payload() {
        check(
            &[b"\x01\x01\x01a\x02\x02", b"b"],
            &[(Stdout, b"a"), (Stdout, b"\x02\x02"), (Stdout, b"b")],
        );
        check(
            &[b"\x01\x01\x01a\x02", b"\x01\x01", b"b"],
            &[
                (Stdout, b"a"),
                (Stdout, b"\x02"),
                (Stdout, b"\x01\x01"),
                (Stdout, b"b"),
            ],
        );
        check(&[b"\x01\x01\x01\x02\x02"], &[(Stdout, b"\x02\x02")]);
        check(&[b"\x02", b"a\x01\x01"], &[]);
    }

    #[test]
    fn finish_begins_anew() {
        let mut decoder = Decoder::new();
        let mut input = Bytes::from_static(b"\x01\x01\x01a\x02");
        assert_eq!(decoder.decode(&mut input), Some((Stdout, "a".into())));
        assert_eq!(decoder.finish(), Some((Stdout, "\x02".into())));
        assert_eq!(decoder.finish(), None);
        let mut input = Bytes::from_static(b"\x02\x02nobody's");
        assert_eq!(decoder.decode(&mut input), None);
    }

    #[test]
    fn chunks_are_slices_of_the_input() {
        let input = Bytes::from(b"\x01\x01\x01some\x02\x02\x02bytes".to_vec());
        let memory = input.as_ptr_range();
        let mut rest = input.clone();
        let mut decoder = Decoder::new();
        while let Some((_, chunk)) = decoder.decode(&mut rest) {
            assert!(memory.contains(&chunk.as_ptr()));
        }

        let mut input = BytesMut::from(&input[..]);
        let memory = input.as_ptr_range();
        while let Some((_, chunk)) = decoder.decode(&mut input) {
            assert!(memory.contains(&chunk.as_ptr()));
        }
    }

    #[test]
    fn a_buffer_in_two_parts_is_a_stream_in_two_pieces() {
        let mut input = (&b"\x01\x01\x01a\x02"[..]).chain(&b"\x02\x02b"[..]);
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(&mut input), Some((Stdout, "a".into())));
        assert_eq!(decoder.decode(&mut input), Some((Stderr, "b".into())));
        assert_eq!(decoder.decode(&mut input), None);
    }
}
