//! Frames that are damaged, cut off, too long, or begin in the middle.

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::Channel::{Stderr, Stdout};
use sandbox_logcodec::frame::{Frame, FrameError, Reader, Writer};
use sandbox_logcodec::limits::FRAME_PAYLOAD_BYTES;

/// A stream of three frames, and where each begins; after the second a byte is missing.
fn sample() -> (Vec<u8>, [usize; 3]) {
    let mut out = BytesMut::new();
    let mut writer = Writer::new();
    writer.encode(Stdout, b"first", &mut out);
    let second = out.len();
    writer.encode(Stderr, b"second", &mut out);
    let third = out.len();
    writer.skip(1);
    writer.encode(Stdout, b"third", &mut out);
    (out.to_vec(), [8, second, third])
}

/// Reads all there is.
fn read(reader: &mut Reader, stream: &[u8]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut input = BytesMut::from(stream);
    let mut frames = Vec::new();
    loop {
        match reader.decode(&mut input) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, reader.finish(&input)),
            Err(error) => {
                assert_eq!(reader.decode(&mut input), Err(error.clone()));
                return (frames, Err(error));
            }
        }
    }
}

#[test]
fn no_bit_can_change_unnoticed() {
    let (stream, begins) = sample();
    for bit in 0..8 * stream.len() {
        let mut damaged = stream.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let mut reader = Reader::new();
        let (frames, result) = read(&mut reader, &damaged);
        let whole = begins.iter().filter(|&&begin| begin <= bit / 8).count();
        let position = match whole {
            0 => 0,
            _ => begins[whole - 1] as u64,
        };
        let error = result.expect_err("a bit has changed");
        assert_eq!((error.position(), reader.position()), (position, position));
        assert_eq!(frames.len(), whole.saturating_sub(1), "bit {bit}: {error}");
    }
}

#[test]
fn a_stream_may_end_anywhere_and_go_on() {
    let (stream, begins) = sample();
    let (frames, _) = read(&mut Reader::new(), &stream);
    for end in 0..=stream.len() {
        let mut reader = Reader::new();
        let (mut found, result) = read(&mut reader, &stream[..end]);
        let position = usize::try_from(reader.position()).unwrap();
        match result {
            Ok(()) => assert_eq!(position, end),
            Err(error) => {
                let (position, found) = (reader.position(), end - position);
                assert_eq!(error, FrameError::Truncated { position, found });
                assert!(!begins.contains(&end));
            }
        }
        // Another reader takes over what is left.
        let mut reader = Reader::resume(reader.position(), reader.offset());
        let (rest, result) = read(&mut reader, &stream[position..]);
        found.extend(rest);
        assert_eq!((found, result), (frames.clone(), Ok(())));
        assert_eq!(
            (reader.position(), reader.offset()),
            (stream.len() as u64, 17)
        );
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let check = |damage: &dyn Fn(&mut Vec<u8>), expect: FrameError, message: &str| {
        let (mut stream, _) = sample();
        damage(&mut stream);
        let (_, result) = read(&mut Reader::new(), &stream);
        assert_eq!(result, Err(expect.clone()));
        assert_eq!(expect.to_string(), message);
    };
    check(
        &|stream| *stream = b"\x01\x01\x01a".to_vec(),
        FrameError::Header,
        "not a stream of frames",
    );
    check(
        &|stream| stream[6] = 2,
        FrameError::Version { found: 2 },
        "frames of version 2, only 1 is known",
    );
    check(
        &|stream| stream[8] = 3,
        FrameError::Channel {
            position: 8,
            found: 3,
        },
        "frame at byte 8 has the unknown channel 3",
    );
    check(
        &|stream| stream[11] = 0x10,
        FrameError::Length {
            position: 8,
            found: FRAME_PAYLOAD_BYTES + 5,
        },
        "frame at byte 8 has 1048581 bytes, only 1048576 are allowed",
    );
    check(
        &|stream| stream[33] = 4,
        FrameError::Offset {
            position: 29,
            expected: 5,
            found: 4,
        },
        "frame at byte 29 has the offset 4, but 5 is the first that it can have",
    );
    check(
        &|stream| stream[41] ^= 1,
        FrameError::Checksum { position: 29 },
        "frame at byte 29 is damaged",
    );
    check(
        &|stream| stream.truncate(40),
        FrameError::Truncated {
            position: 29,
            found: 11,
        },
        "frame at byte 29 ends after 11 bytes",
    );
    // A file that grew but was not written before the machine stopped.
    check(
        &|stream| stream.extend([0; 100]),
        FrameError::Channel {
            position: 72,
            found: 0,
        },
        "frame at byte 72 has the unknown channel 0",
    );
}

#[test]
fn long_payloads_are_several_frames() {
    let payload: Vec<u8> = (0..=255)
        .cycle()
        .take(2 * FRAME_PAYLOAD_BYTES + 1)
        .collect();
    let mut out = BytesMut::new();
    Writer::new().encode(Stderr, &payload, &mut out);
    let (frames, result) = read(&mut Reader::new(), &out);
    assert_eq!(result, Ok(()));
    let lengths: Vec<_> = frames.iter().map(|frame| frame.payload.len()).collect();
    assert_eq!(lengths, [FRAME_PAYLOAD_BYTES, FRAME_PAYLOAD_BYTES, 1]);
    let payloads: Vec<_> = frames.into_iter().map(|frame| frame.payload).collect();
    assert_eq!(payloads.concat(), payload);
}

#[test]
fn offsets_end_where_numbers_do() {
    let mut out = BytesMut::new();
    let mut writer = Writer::resume(u64::MAX - 1);
    writer.encode(Stdout, b"a", &mut out);
    let whole = out.len();
    writer.encode(Stdout, b"b", &mut out);
    assert_eq!(writer.offset(), u64::MAX);
    let mut reader = Reader::resume(8, 0);
    let (frames, result) = read(&mut reader, &out);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        result,
        Err(FrameError::Offset {
            position: 8 + whole as u64,
            expected: u64::MAX,
            found: u64::MAX,
        })
    );
    writer.skip(1);
    assert_eq!(writer.offset(), u64::MAX);
}

#[test]
fn payloads_are_slices_of_the_input() {
    let (stream, _) = sample();
    let mut input = BytesMut::from(&stream[..]);
    let memory = input.as_ptr_range();
    let mut reader = Reader::new();
    while let Some(Frame { payload, .. }) = reader.decode(&mut input).unwrap() {
        assert!(memory.contains(&payload.as_ptr()));
    }
}

#[test]
fn an_empty_frame_is_a_gap_at_the_end() {
    let mut out = BytesMut::new();
    let mut writer = Writer::new();
    writer.skip(10);
    writer.encode(Stdout, b"", &mut out);
    let mut reader = Reader::new();
    let frame = reader.decode(&mut out).unwrap().unwrap();
    assert_eq!((frame.offset, frame.payload), (10, Bytes::new()));
    assert_eq!(reader.offset(), 10);
}
