//! The codecs of feature `tokio`.
#![cfg(feature = "tokio")]

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sandbox_logcodec::Channel::{self, Stderr, Stdout};
use sandbox_logcodec::frame::{FrameError, Reader, Writer};
use sandbox_logcodec::{FrameCodec, LogCodec, demux_log};
use tokio_util::codec::{Decoder, Encoder, FramedRead};

/// Reads all items from bytes in memory, which never make anybody wait.
fn read<D: Decoder<Error = io::Error>>(bytes: &[u8], codec: D) -> Vec<io::Result<D::Item>> {
    let mut items = Vec::new();
    let mut stream = pin!(FramedRead::with_capacity(bytes, codec, 1));
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        items.push(item);
    }
    items
}

#[test]
fn a_marker_stream_is_read() {
    let log = b"nobody's\x01\x01\x01a\x02\x02\x02b\x01\x01";
    let items = read(log, LogCodec::new());
    let found: Vec<(Channel, Bytes)> = items.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        found,
        [
            (Stdout, "a".into()),
            (Stderr, "b".into()),
            (Stderr, "\u{1}\u{1}".into()),
        ]
    );
}

#[test]
fn a_marker_stream_is_written() -> io::Result<()> {
    let mut codec = LogCodec::new();
    let mut log = BytesMut::new();
    codec.encode((Stdout, "\u{1}"), &mut log)?;
    codec.encode((Stdout, b"\x01\x01a".to_vec()), &mut log)?;
    codec.encode((Stderr, Bytes::from_static(b"b")), &mut log)?;
    assert_eq!(demux_log(&log), (b"\x01\x01\x01a".to_vec(), b"b".to_vec()));
    Ok(())
}

#[test]
fn frames_are_written_and_read() -> io::Result<()> {
    let mut codec = FrameCodec::new();
    let mut stream = BytesMut::new();
    codec.encode((Stdout, "a"), &mut stream)?;
    codec.encode((Stderr, "b"), &mut stream)?;
    let frames = read(&stream, FrameCodec::new());
    let found: Vec<_> = frames.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        found
            .iter()
            .map(|frame| (frame.channel, frame.offset))
            .collect::<Vec<_>>(),
        [(Stdout, 0), (Stderr, 1)]
    );

    // The second frame by itself.
    let codec = FrameCodec::resume(Reader::resume(25, 1), Writer::resume(1));
    assert_eq!(read(&stream[25..], codec)[0].as_ref().unwrap(), &found[1]);
    Ok(())
}

#[test]
fn a_broken_stream_of_frames_is_an_error() {
    let mut stream = BytesMut::new();
    Writer::new().encode(Stdout, b"a", &mut stream);
    let check = |stream: &[u8], kind, expect| {
        let items = read(stream, FrameCodec::new());
        let error = items.into_iter().next().unwrap().unwrap_err();
        assert_eq!(error.kind(), kind);
        let error = error
            .into_inner()
            .unwrap()
            .downcast::<FrameError>()
            .unwrap();
        assert_eq!(*error, expect);
    };
    check(
        &stream[..20],
        io::ErrorKind::UnexpectedEof,
        FrameError::Truncated {
            position: 8,
            found: 12,
        },
    );
    check(b"sbx!", io::ErrorKind::InvalidData, FrameError::Header);
}
