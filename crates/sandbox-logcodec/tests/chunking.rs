//! Any cutting of a stream gives the same bytes.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use sandbox_logcodec::frame::{Frame, Reader, Writer};
use sandbox_logcodec::{Channel, Decoder, TextDecoder, demux_log, mux_log};

type Outputs = (Vec<u8>, Vec<u8>);

fn output(outputs: &mut Outputs, channel: Channel) -> &mut Vec<u8> {
    match channel {
        Channel::Stdout => &mut outputs.0,
        Channel::Stderr => &mut outputs.1,
    }
}

/// Cuts bytes at any places.
fn pieces<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for &length in lengths {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let dense = prop_oneof![3 => Just(0x01), 3 => Just(0x02), 1 => Just(b'a'), 1 => any::<u8>()];
    prop_oneof![
        vec(dense, 0..80),
        vec(any::<u8>(), 0..200),
        ".{0,40}".prop_map(Vec::from)
    ]
}

fn records() -> impl Strategy<Value = Vec<(Channel, Vec<u8>)>> {
    let channel = prop_oneof![Just(Channel::Stdout), Just(Channel::Stderr)];
    vec((channel, payload()), 0..12)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(0..12_usize, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_bytes_are_a_stream(stream in payload(), lengths in lengths()) {
        let whole = demux_log(&stream);
        let mut owned = (Decoder::new(), Outputs::default());
        let mut borrowed = owned.clone();
        for piece in pieces(&stream, &lengths) {
            let mut rest = Bytes::copy_from_slice(piece);
            while let Some((channel, chunk)) = owned.0.decode(&mut rest) {
                output(&mut owned.1, channel).extend_from_slice(&chunk);
            }
            let mut rest = piece;
            while let Some((channel, chunk)) = borrowed.0.decode_slice(&mut rest) {
                output(&mut borrowed.1, channel).extend_from_slice(chunk);
            }
            prop_assert!(rest.is_empty());
        }
        for (mut decoder, mut found) in [owned, borrowed] {
            if let Some((channel, chunk)) = decoder.finish() {
                output(&mut found, channel).extend_from_slice(&chunk);
            }
            prop_assert_eq!(&found, &whole);
        }
    }

    #[test]
    fn what_is_joined_comes_apart(records in records()) {
        let mut written = Outputs::default();
        for (channel, payload) in &records {
            output(&mut written, *channel).extend_from_slice(payload);
        }
        let log = mux_log(records.iter().map(|(channel, payload)| (*channel, payload.as_slice())));
        prop_assert!(log.len() <= 7 * (written.0.len() + written.1.len()));
        prop_assert_eq!(demux_log(&log), written);
    }

    #[test]
    fn text_is_that_of_the_whole(bytes in payload(), lengths in lengths()) {
        let mut decoder = TextDecoder::new();
        let mut text = String::new();
        for piece in pieces(&bytes, &lengths) {
            text.push_str(&decoder.decode(Channel::Stdout, piece));
        }
        text.push_str(decoder.finish(Channel::Stdout));
        prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn frames_come_apart(records in records(), lengths in lengths()) {
        let mut stream = BytesMut::new();
        let mut writer = Writer::new();
        let mut expect = Vec::new();
        for (channel, payload) in records {
            let offset = writer.offset();
            writer.encode(channel, &payload, &mut stream);
            expect.push(Frame { channel, offset, payload: payload.into() });
        }
        let mut reader = Reader::new();
        let mut input = BytesMut::new();
        let mut frames = Vec::new();
        for piece in pieces(&stream, &lengths) {
            input.extend_from_slice(piece);
            while let Some(frame) = reader.decode(&mut input).unwrap() {
                frames.push(frame);
            }
        }
        prop_assert_eq!(frames, expect);
        prop_assert_eq!(reader.finish(&input), Ok(()));
        prop_assert_eq!(reader.offset(), writer.offset());
    }
}
