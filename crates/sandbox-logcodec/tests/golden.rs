//! The bytes on the wire and on disk, as they are for ever.

use Channel::{Stderr, Stdout};
use bytes::{Bytes, BytesMut};
use sandbox_logcodec::frame::{Frame, Reader, Writer};
use sandbox_logcodec::{Channel, Encoder, STDERR_MARKER, STDOUT_MARKER, mux_log};

/// Something that a server does with its encoder.
enum Step {
    Write(Channel, &'static [u8]),
    Flush,
}
use Step::{Flush, Write};

/// Encodes output in messages of at most 64 bytes.
#[track_caller]
fn check(steps: &[Step], expect: &[&'static [u8]]) {
    let mut encoder = Encoder::with_message_limit(64);
    let mut messages: Vec<Bytes> = Vec::new();
    for step in steps {
        match *step {
            Write(channel, mut payload) => {
                messages.extend(std::iter::from_fn(|| encoder.encode(channel, &mut payload)));
            }
            Flush => messages.extend(encoder.flush()),
        }
    }
    messages.extend(encoder.finish());
    assert_eq!(messages, expect);
}

#[test]
fn markers() {
    assert_eq!(STDOUT_MARKER, *b"\x01\x01\x01");
    assert_eq!(STDERR_MARKER, *b"\x02\x02\x02");
    assert_eq!(
        (Stdout.marker(), Stderr.marker()),
        (STDOUT_MARKER, STDERR_MARKER)
    );
}

#[test]
fn text_has_a_marker_for_each_change_of_channel() {
    check(&[], &[]);
    check(&[Write(Stdout, b""), Flush], &[]);
    check(&[Write(Stdout, b"a")], &[b"\x01\x01\x01a"]);
    check(
        &[
            Write(Stdout, b"a\n"),
            Write(Stdout, b"b\n"),
            Write(Stderr, b"c\n"),
        ],
        &[b"\x01\x01\x01a\nb\n\x02\x02\x02c\n"],
    );
}

#[test]
fn each_message_names_its_channel() {
    check(
        &[
            Write(Stdout, b"a"),
            Flush,
            Write(Stdout, b"b"),
            Flush,
            Flush,
        ],
        &[b"\x01\x01\x01a", b"\x01\x01\x01b"],
    );
}

#[test]
fn a_full_message_is_followed_by_the_next() {
    let line: &[u8] = b"012345678901234567890123456789";
    check(
        &[Write(Stdout, line)],
        &[
            b"\x01\x01\x010123456789012",
            b"\x01\x01\x013456789012345",
            b"\x01\x01\x016789",
        ],
    );
    // A last byte is not left alone.
    check(
        &[Write(Stdout, &line[..14])],
        &[b"\x01\x01\x0101234567890123"],
    );
}

#[test]
fn payload_never_looks_like_a_marker() {
    check(
        &[Write(Stdout, b"a\x01\x01\x01b")],
        &[b"\x01\x01\x01a\x01\x01\x02\x02\x02\x01\x01\x01\x01b"],
    );
    check(
        &[Write(Stdout, b"a\x02\x02\x02b")],
        &[b"\x01\x01\x01a\x02\x02\x01\x01\x01\x02b"],
    );
    check(
        &[Write(Stdout, b"a\x02"), Write(Stderr, b"b")],
        &[b"\x01\x01\x01a\x02\x01\x01\x01\x02\x02\x02b"],
    );
    check(
        &[Write(Stdout, b"a\x01"), Flush, Write(Stdout, b"b")],
        &[b"\x01\x01\x01a\x01", b"\x02\x02\x02\x01\x01\x01b"],
    );
}

#[test]
fn two_bytes_follow_the_last_marker_of_a_message() {
    // Three equal bytes at the end are cut after the first, not after the second.
    check(
        &[Write(Stdout, b"a\x01\x01\x01")],
        &[b"\x01\x01\x01a\x01\x02\x02\x02\x01\x01\x01\x01\x01"],
    );
    // A byte that came alone waits for the next of its channel,
    check(
        &[Write(Stdout, b"\x01"), Flush, Write(Stdout, b"b")],
        &[b"\x01\x01\x01\x01b"],
    );
    // or for output of the other channel, which comes after it,
    check(
        &[Write(Stdout, b"\x01"), Flush, Write(Stderr, b"b")],
        &[b"\x01\x01\x01\x01\x02\x02\x02b"],
    );
    // or until the end, where it needs no marker if it goes on with what was sent last.
    check(
        &[Write(Stdout, b"a"), Flush, Write(Stdout, b"\x01"), Flush],
        &[b"\x01\x01\x01a", b"\x01"],
    );
    // If it is the third of its kind, it makes a marker of the two before, after which all three follow.
    check(
        &[Write(Stdout, b"\x01\x01"), Flush, Write(Stdout, b"\x01")],
        &[
            b"\x01\x01\x01\x01\x01",
            b"\x01\x01\x02\x02\x02\x01\x01\x01\x01\x01",
        ],
    );
    check(
        &[Write(Stdout, b"\x02\x02"), Flush, Write(Stdout, b"\x02")],
        &[
            b"\x01\x01\x01\x02\x02",
            b"\x02\x01\x01\x01\x02\x01\x01\x01\x02\x02",
        ],
    );
}

#[test]
fn a_byte_that_came_alone_keeps_its_place_if_it_can() {
    check(
        &[
            Write(Stderr, b"a"),
            Write(Stdout, b"\x01"),
            Write(Stderr, b"b"),
        ],
        &[b"\x02\x02\x02a\x01\x01\x01\x01\x02\x02\x02b"],
    );
    // At the end of a message it has none.
    check(
        &[
            Write(Stderr, b"a"),
            Write(Stderr, b"b"),
            Write(Stdout, b"\x02"),
            Flush,
        ],
        &[b"\x01\x01\x01\x02\x01\x01\x01\x02\x02\x02ab"],
    );
}

#[test]
fn finish_begins_anew() {
    let mut encoder = Encoder::new();
    for _ in 0..2 {
        assert_eq!(encoder.encode(Stdout, &mut &b"a\x01"[..]), None);
        assert_eq!(encoder.finish().unwrap(), &b"\x01\x01\x01a\x01"[..]);
        assert_eq!(encoder.finish(), None);
    }
    assert_eq!(encoder.encode(Stdout, &mut &b"\x01"[..]), None);
    assert_eq!(encoder.finish().unwrap(), &b"\x01\x01\x01\x01"[..]);
}

/// The one corner: no message shows this to clients before their repair.
#[test]
fn a_last_byte_by_itself_may_follow_a_marker() {
    check(&[Write(Stdout, b"\x01")], &[b"\x01\x01\x01\x01"]);
    check(
        &[Write(Stderr, b"a"), Flush, Write(Stdout, b"\x01")],
        &[b"\x02\x02\x02a", b"\x01\x01\x01\x01"],
    );
    check(
        &[
            Write(Stderr, b"a"),
            Flush,
            Write(Stdout, b"\x02"),
            Write(Stderr, b"\x01"),
        ],
        &[b"\x02\x02\x02a", b"\x01\x02\x02\x02\x01\x01\x01\x02"],
    );
}

#[test]
fn whole_logs() {
    let records = [
        (Stdout, &b"a\x01\x01\x01"[..]),
        (Stdout, b"b"),
        (Stderr, b"\x02"),
    ];
    assert_eq!(
        mux_log(records),
        b"\x01\x01\x01a\x01\x01\x02\x02\x02\x01\x01\x01\x01b\x02\x02\x02\x02"
    );
}

/// Computed by another implementation, in Python with the `xxhash` package.
const FRAMES: &[u8] = b"sbxlog\x01\x00\
    \x01\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00to out\n\xc1\x24\x50\xa5\
    \x02\x07\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00to err\n\x91\xe4\xd3\x45\
    \x01\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x9f\xe4\xbc\xd9\
    \x02\x03\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x20\xac\xfb\x92";

#[test]
fn frames_are_written() {
    let mut out = BytesMut::new();
    let mut writer = Writer::new();
    writer.encode(Stdout, b"to out\n", &mut out);
    writer.encode(Stderr, b"to err\n", &mut out);
    writer.skip(5);
    writer.encode(Stdout, b"", &mut out);
    writer.encode(Stderr, b"\x01\x01\x01", &mut out);
    assert_eq!(out, FRAMES);
    assert_eq!(writer.offset(), 22);
}

#[test]
fn frames_are_read() {
    let mut input = BytesMut::from(FRAMES);
    let mut reader = Reader::new();
    for (channel, offset, payload) in [
        (Stdout, 0, &b"to out\n"[..]),
        (Stderr, 7, b"to err\n"),
        (Stdout, 19, b""),
        (Stderr, 19, b"\x01\x01\x01"),
    ] {
        let payload = Bytes::from_static(payload);
        let expect = Frame {
            channel,
            offset,
            payload,
        };
        assert_eq!(reader.decode(&mut input), Ok(Some(expect)));
    }
    assert_eq!(reader.decode(&mut input), Ok(None));
    assert_eq!(reader.finish(&input), Ok(()));
    assert_eq!(
        (reader.position(), reader.offset()),
        (FRAMES.len() as u64, 22)
    );
}
