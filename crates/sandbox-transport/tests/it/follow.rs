//! Logs that are cut, and go on where they were.

use std::time::Duration;

use futures_util::SinkExt;
use sandbox_logcodec::frame::Writer;
use sandbox_logcodec::{Channel, Encoder};
use sandbox_transport::{
    Delivery, Error, ErrorKind, LogEvent, LogOptions, LogSource, LogStream, ProcessApi,
};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::daemon::read_all;
use crate::fake::{Manual, close, kinds, no_such_route};

/// Numbers that look random, the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// A log, piece by piece, with what looks like markers in it.
fn log(numbers: &mut Numbers) -> Vec<(Channel, Vec<u8>)> {
    let channels = [Channel::Stdout, Channel::Stderr];
    (0..400)
        .map(|_| {
            let channel = channels[numbers.below(2)];
            let length = numbers.below(200);
            let bytes = (0..length).map(|_| [1, 2, b'a', 0xff][numbers.below(4)]);
            (channel, bytes.collect())
        })
        .collect()
}

fn outputs(log: &[(Channel, Vec<u8>)]) -> [Vec<u8>; 2] {
    [Channel::Stdout, Channel::Stderr].map(|wanted| {
        let pieces = log.iter().filter(|(channel, _)| *channel == wanted);
        pieces.flat_map(|(_, bytes)| bytes.clone()).collect()
    })
}

/// The log from `offset` on as frames, each a message.
fn frames(log: &[(Channel, Vec<u8>)], offset: u64) -> Vec<Message> {
    let mut writer = Writer::new();
    writer.skip(offset);
    let mut skip = usize::try_from(offset).unwrap();
    let mut messages = Vec::new();
    for (channel, bytes) in log {
        let rest = &bytes[skip.min(bytes.len())..];
        skip = skip.saturating_sub(bytes.len());
        let mut message = bytes::BytesMut::new();
        if !rest.is_empty() {
            writer.encode(*channel, rest, &mut message);
            messages.push(Message::Binary(message.freeze()));
        }
    }
    messages
}

/// The whole log with markers, cut where it is worst.
fn marked(log: &[(Channel, Vec<u8>)], numbers: &mut Numbers) -> Vec<Message> {
    let mut encoder = Encoder::new();
    let mut stream = Vec::new();
    for (channel, bytes) in log {
        let mut bytes = &bytes[..];
        while let Some(message) = encoder.encode(*channel, &mut bytes) {
            stream.extend(message);
        }
    }
    stream.extend(encoder.finish().unwrap_or_default());
    let mut messages = Vec::new();
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let (message, behind) = rest.split_at(rest.len().min(1 + numbers.below(300)));
        messages.push(Message::Binary(message.to_vec().into()));
        rest = behind;
    }
    messages
}

/// Serves a log on one connection after the other, cutting all but the last.
async fn serve(manual: &mut Manual, log: &[(Channel, Vec<u8>)], has_offsets: bool, seed: u64) {
    let mut numbers = Numbers(seed);
    for cuts_left in (0..12).rev() {
        let protocol = has_offsets.then_some("sandbox.log.v1");
        let (mut web, request) = manual.accept(protocol).await;
        let offset = request.line().split_once("offset=");
        let offset = offset.map_or(0, |(_, offset)| offset.parse().unwrap());
        let messages = if has_offsets {
            frames(log, offset)
        } else {
            assert_eq!(offset, 0, "a daemon without offsets was asked for one");
            marked(log, &mut numbers)
        };
        if cuts_left == 0 {
            for message in messages {
                web.send(message).await.unwrap();
            }
            close(&mut web, 1000, "").await;
            return;
        }
        let count = if has_offsets {
            numbers.below(messages.len() / 2 + 1)
        } else if cuts_left % 4 == 0 {
            // Mostly a little further than before, sometimes within what came before.
            numbers.below(messages.len() / 4)
        } else {
            messages.len() * (12 - cuts_left) / 13 + numbers.below(3)
        };
        for message in messages.into_iter().take(count) {
            web.send(message).await.unwrap();
        }
        match numbers.below(4) {
            0 => close(&mut web, 1011, "").await,
            1 => close(&mut web, 1001, "shutting down").await,
            // A beginning of a message.
            2 => web.into_inner().write_all(b"\x82\x10sbx").await.unwrap(),
            _ => drop(web),
        }
        if numbers.below(3) == 0 {
            let refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
            manual.answer(refusal).await;
        }
    }
}

async fn followed(has_offsets: bool, seed: u64) {
    let mut manual = Manual::start().await;
    let log = log(&mut Numbers(seed));
    let client = manual.client();
    let read = async {
        let source = LogSource::command("s", "c");
        let log = client.follow_log(source, LogOptions::new()).await?;
        read_all(log, 0).await
    };
    // An error ends the reading, and there is no reader left to be served.
    let read = async {
        read.await
            .unwrap_or_else(|error| panic!("{seed} {has_offsets}: {error:?}"))
    };
    let (read, ()) = tokio::join!(read, serve(&mut manual, &log, has_offsets, seed));
    assert_eq!(read, outputs(&log), "{seed} {has_offsets}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_comes_once_over_many_cuts() {
    let all: Vec<_> = (1..9)
        .flat_map(|seed| [true, false].map(|has_offsets| (seed * 7919, has_offsets)))
        .map(|(seed, has_offsets)| tokio::spawn(followed(has_offsets, seed)))
        .collect();
    for one in all {
        one.await.unwrap();
    }
}

/// Follows a log whose first connection brings `first` and is cut.
async fn cut_behind(manual: &mut Manual, protocol: Option<&str>, first: &[u8]) -> LogStream {
    let client = manual.client();
    let following = client.follow_log(LogSource::command("s", "c"), LogOptions::new());
    let (log, (mut web, _)) = tokio::join!(following, manual.accept(protocol));
    web.send(Message::Binary(first.to_vec().into()))
        .await
        .unwrap();
    drop(web);
    let mut log = log.unwrap();
    assert!(matches!(
        log.next().await,
        Some(Ok(LogEvent::Output { .. }))
    ));
    log
}

async fn fails(log: &mut LogStream) -> Error {
    let error = log.next().await.unwrap().unwrap_err();
    assert!(log.next().await.is_none());
    let message = error.to_string();
    assert_eq!(message, "the log cannot be followed on from byte 3");
    error
}

#[tokio::test]
async fn a_removed_or_replaced_log_is_not_resumed() {
    let mut manual = Manual::start().await;
    let first = b"\x01\x01\x01abc";
    let mut log = cut_behind(&mut manual, None, first).await;
    let gone = no_such_route();
    let (error, _) = tokio::join!(fails(&mut log), manual.answer(&gone));
    assert_eq!(kinds(&error), (ErrorKind::NotFound, Delivery::Rejected));

    // The same length, other bytes; and a log that is shorter now.
    for (other, expect) in [
        (
            &b"\x01\x01\x01abX\n"[..],
            "the log is not the one that was followed before the cut",
        ),
        (
            b"\x02\x02\x02abc\n",
            "the log is not the one that was followed before the cut",
        ),
        (b"\x01\x01\x01ab", "the log has 2 bytes, less than 3"),
    ] {
        let mut log = cut_behind(&mut manual, None, first).await;
        let serve = async {
            let (mut web, _) = manual.accept(None).await;
            web.send(Message::Binary(other.to_vec().into()))
                .await
                .unwrap();
            close(&mut web, 1000, "").await;
        };
        let (event, ()) = tokio::join!(log.next(), serve);
        let error = event.unwrap().unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
        assert_eq!(error.to_string(), expect);
    }

    // A daemon that knows offsets, and one that does not in its place.
    let mut message = bytes::BytesMut::new();
    Writer::new().encode(Channel::Stdout, b"abc", &mut message);
    let mut log = cut_behind(&mut manual, Some("sandbox.log.v1"), &message).await;
    let (error, (_, request)) = tokio::join!(fails(&mut log), manual.accept(None));
    assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
    assert!(request.line().ends_with("?follow=true&offset=3"));
}

#[tokio::test]
async fn following_a_log_ends_when_no_daemon_serves_it() {
    let mut manual = Manual::start().await;
    let mut log = cut_behind(&mut manual, None, b"\x01\x01\x01abc").await;
    drop(manual);
    tokio::time::pause();
    let begin = Instant::now();
    let error = fails(&mut log).await;
    assert!(error.is_connect() || error.is_timeout(), "{error:?}");
    assert!(begin.elapsed() >= Duration::from_secs(30));
    assert!(begin.elapsed() <= Duration::from_secs(60));
}

#[tokio::test]
async fn a_quiet_log_may_be_cut_for_ever() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let following = client.follow_log(LogSource::command("s", "c"), LogOptions::new());
    let (log, first) = tokio::join!(following, manual.accept(None));
    let mut log = log.unwrap();
    let serve = async {
        let mut web = first.0;
        tokio::time::pause();
        // Half an hour behind a proxy that cuts quiet connections.
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(15)).await;
            drop(web);
            web = manual.accept(None).await.0;
        }
        tokio::time::resume();
        close(&mut web, 1000, "").await;
    };
    let (event, ()) = tokio::join!(log.next(), serve);
    assert!(event.is_none(), "{event:?}");
}

#[tokio::test]
async fn gaps_are_reported() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let options = LogOptions::new().offset(5);
    let following = client.follow_log(LogSource::command("s", "c"), options);
    let (log, (mut web, request)) = tokio::join!(following, manual.accept(Some("sandbox.log.v1")));
    assert!(request.line().ends_with("/logs?follow=true&offset=5"));
    let mut message = bytes::BytesMut::new();
    let mut writer = Writer::new();
    writer.skip(8);
    writer.encode(Channel::Stderr, b"abc", &mut message);
    web.send(Message::Binary(message.freeze())).await.unwrap();
    let mut log = log.unwrap();
    let gap = log.next().await.unwrap().unwrap();
    assert_eq!(
        gap,
        LogEvent::Gap {
            offset: 5,
            length: 3
        }
    );
    let output = log.next().await.unwrap().unwrap();
    assert!(
        matches!(output, LogEvent::Output { offset: 8, .. }),
        "{output:?}"
    );
    // A whole stream does not end within a frame.
    web.send(Message::Binary(b"\x01\x05".as_slice().into()))
        .await
        .unwrap();
    let ((), event) = tokio::join!(close(&mut web, 1000, ""), log.next());
    assert_eq!(event.unwrap().unwrap_err().kind(), ErrorKind::Protocol);
}
