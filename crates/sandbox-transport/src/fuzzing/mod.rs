//! The bodies of the fuzz targets: properties that hold for any input from a server or a user.
//!
//! Each takes the fuzzer's bytes and panics if a property does not hold. Tests run them on the stable compiler.

mod sockets;

use std::collections::VecDeque;
use std::future::Future;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use sandbox_logcodec::frame::Writer;
use sandbox_logcodec::{Channel, demux_log};

use crate::exchange::answer::{envelope, refusal};
use crate::http::ws::handshake;
use crate::http::ws::log::{Frames, Marked};
use crate::limits::ERROR_TEXT_CHARACTERS;
use crate::source::Source;
use crate::{Endpoint, ExecEvent, LogEvent};
pub use sockets::{sockets, terminal_closes};

/// Checks that a URL that was read is written as one that reads as the same, and that every route of it is a URI.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn endpoint(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for url in [
        text.to_string(),
        format!("http://{text}"),
        format!("unix:{text}"),
    ] {
        let Ok(endpoint) = url.parse::<Endpoint>() else {
            continue;
        };
        let written = endpoint.to_string();
        assert_eq!(written.parse(), Ok(endpoint.clone()), "{written:?}");
        let uri = endpoint.uri("/version").expect("a route is a URI");
        assert!(uri.path().ends_with("/version"), "{uri}");
    }
}

/// Checks that any body of an error becomes a message of bounded length.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn error_body(input: &[u8]) {
    let read = envelope(input);
    if serde_json::from_slice::<serde_json::Value>(input).is_err() {
        assert!(read.message.chars().count() <= ERROR_TEXT_CHARACTERS);
    }
    assert!(!format!("{}", refusal(500, read)).is_empty());
}

/// Checks that only the response to this key opens a WebSocket.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn handshake_reply(input: &[u8]) {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let good = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let Ok(value) = HeaderValue::from_bytes(input) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, value.clone());
    let is_good = value.as_bytes().trim_ascii() == good.as_bytes();
    assert_eq!(handshake::check(&headers, key, &[]).is_ok(), is_good);

    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(good));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    if let Ok(Some(selected)) = handshake::check(&headers, key, &["a", "b"]) {
        assert!(["a", "b"].contains(&&*selected), "{selected:?}");
    }
}

/// Checks that a log of frames or of markers, cut into any messages, is the same log, without a hole in its offsets
/// except for gaps.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn log_messages(input: &[u8]) {
    let (size, log) = input.split_first().unwrap_or((&0, &[]));
    let size = 1 + usize::from(size % 32);
    assert_eq!(framed(log.chunks(size)), framed([log]));
    check_marked(size, log);

    // What this project's daemon writes is read completely.
    let mut writer = Writer::new();
    let mut written = BytesMut::new();
    for (index, payload) in log.chunks(size).enumerate() {
        let channel = [Channel::Stdout, Channel::Stderr][index % 2];
        writer.skip(u64::from(payload[0] / 128));
        writer.encode(channel, payload, &mut written);
    }
    let (output, is_whole) = framed(written.chunks(size));
    assert!(is_whole);
    assert_eq!(output.concat(), log);
}

/// Returns the output of a log of frames, each channel's pieces in their order, and whether the log was read to its
/// end.
fn framed<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, bool) {
    let mut frames = Frames::new();
    let (mut offset, mut events) = (0, VecDeque::new());
    let read = messages
        .into_iter()
        .try_for_each(|message| frames.push(message, &mut offset, &mut events));
    let is_whole = read.and_then(|()| frames.finish()).is_ok();
    (outputs(&events), is_whole)
}

/// Returns the output of events, after checking that their offsets follow each other.
pub(crate) fn outputs(events: &VecDeque<LogEvent>) -> Vec<Bytes> {
    let mut next = 0;
    let mut found = Vec::new();
    for event in events {
        match event {
            LogEvent::Output { offset, bytes, .. } => {
                assert_eq!(*offset, next);
                assert!(!bytes.is_empty());
                next += bytes.len() as u64;
                found.push(bytes.clone());
            }
            LogEvent::Gap { offset, length } => {
                assert_eq!(*offset, next);
                assert!(*length > 0);
                next += length;
            }
        }
    }
    found
}

fn check_marked(size: usize, log: &[u8]) {
    let mut marked = Marked::new(None);
    let (mut offset, mut events) = (0, VecDeque::new());
    for message in log.chunks(size) {
        let message = Bytes::copy_from_slice(message);
        let pushed = marked.push(message, &mut offset, &mut events);
        assert!(pushed.is_ok());
    }
    assert!(marked.finish(&mut offset, &mut events).is_ok());
    let (out, err) = demux_log(log);
    assert_eq!(offset, (out.len() + err.len()) as u64);
    assert_eq!(outputs(&events).concat().len() as u64, offset);
}

/// Checks that any bytes in response to any call of gRPC have the same result however they are cut: events that fit
/// each other, or an error.
///
/// The input is the bytes, or the messages that they consist of: each a length of one byte and its data.
///
/// # Panics
///
/// Panics if that does not hold.
#[cfg(feature = "grpc")]
pub fn calls(input: &[u8]) {
    crate::grpc::fuzzing::calls(input);
}

/// Runs a future of a fuzz target, which waits for nothing but its input.
pub(crate) fn finish(future: impl Future<Output = ()>) {
    // Without I/O, so that no target can depend on a network.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime can be made").block_on(future);
}

/// Reads all events, and returns whether they were read to their end.
pub(crate) async fn events<T>(mut source: impl Source<T>) -> (Vec<T>, bool) {
    let mut events = Vec::new();
    loop {
        match source.next().await {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, true),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return (events, false);
            }
        }
    }
}

/// Checks that only the last event is an end if the stream is whole, and that none is if it is not.
pub(crate) fn one_end<T>(events: &[T], is_whole: bool, ends: impl Fn(&T) -> bool) {
    let last = events.len().saturating_sub(1);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(ends(event), is_whole && index == last, "{index} of {last}");
    }
    assert!(!is_whole || !events.is_empty());
}

/// Checks the events of a command: the output has no hole except for gaps, and the end comes last.
pub(crate) fn command(events: &[ExecEvent], is_whole: bool) {
    one_end(events, is_whole, |event| {
        matches!(event, ExecEvent::Ended { .. })
    });
    let mut logged = VecDeque::new();
    for event in events {
        match event {
            ExecEvent::Output {
                channel,
                offset,
                bytes,
            } => logged.push_back(LogEvent::Output {
                channel: *channel,
                offset: *offset,
                bytes: bytes.clone(),
            }),
            ExecEvent::Gap { offset, length } => logged.push_back(LogEvent::Gap {
                offset: *offset,
                length: *length,
            }),
            ExecEvent::Refused { .. } | ExecEvent::Ended { .. } => {}
        }
    }
    outputs(&logged);
}
