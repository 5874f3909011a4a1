//! Logs over WebSocket, with clients that read slowly, go away, or send what they should not.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use sandbox_daemon::limits::CLOSE_SILENCE;
use sandbox_logcodec::Channel;
use sandbox_logcodec::frame::Reader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::client::TestServer;
use crate::sessions::NEW;
use crate::socket::{Client, Received};

/// A command that writes 8 MB.
const FLOOD: &str = "seq 1 1200000; echo end >&2";

async fn flood(server: &TestServer) -> String {
    let command = server.start_command(FLOOD).await;
    assert_eq!(server.exit_code(&command).await, 0);
    format!("{command}/logs")
}

fn is_flood(received: &Received) -> bool {
    let [stdout, stderr] = received.split();
    let expect: Vec<u8> = (1..=1_200_000_u32)
        .flat_map(|n| format!("{n}\n").into_bytes())
        .collect();
    stdout == expect && stderr == b"end\n"
}

#[tokio::test]
async fn a_follower_may_come_at_any_time() {
    let server = TestServer::with_session().await;
    // It waits after this one.
    let first = server.start_command("sleep 0.3").await;
    let command = server
        .start_command("echo a; sleep 0.3; echo b >&2; exit 3")
        .await;
    let path = format!("{command}/logs");
    let mut early = server.follow(&path, &NEW).await;
    let mut of_nothing = server.follow(&format!("{first}/logs"), &NEW).await;
    assert_eq!(of_nothing.read_to_end().await.bytes(), b"");
    let mut during = server.follow(&path, &NEW).await;
    for client in [&mut early, &mut during] {
        let received = client.read_to_end().await;
        assert_eq!(received.split(), [b"a\n", b"b\n"]);
        received.expect_close(1000);
        let exit_code = &server.get(&command, &[]).await.json()["exitCode"];
        assert_eq!(exit_code, 3, "not there at the end of the log");
    }
    let mut late = server.follow(&path, &NEW).await;
    let received = late.read_to_end().await;
    assert_eq!(received.split(), [b"a\n", b"b\n"]);
    received.expect_close(1000);
    let empty = format!("{first}/logs");
    for path in [empty.clone(), format!("{empty}?follow=true")] {
        let mut client = server.upgrade(&path, &NEW).await.ok().unwrap();
        let received = client.read_to_end().await;
        assert!(received.messages.is_empty());
        received.expect_close(1000);
    }
    server.end().await;
}

#[tokio::test]
async fn without_follow_there_is_the_log_so_far() {
    let server = TestServer::with_session().await;
    let command = server.start_command("sleep 1000").await;
    for query in ["", "?follow=false", "?follow=TRUE", "?follow=1"] {
        let path = format!("{command}/logs{query}");
        let mut client = server.upgrade(&path, &NEW).await.ok().unwrap();
        let begin = Instant::now();
        client.read_to_end().await.expect_close(1000);
        assert!(begin.elapsed() < crate::robust::PATIENCE, "{query}");
    }
    server.ask_to_end();
    server.end().await;
}

#[tokio::test]
async fn pings_get_pongs_in_a_flood_and_in_silence() {
    let server = TestServer::with_session().await;
    let path = flood(&server).await;
    let mut client = server.follow(&path, &NEW).await;
    let mut received = 0;
    let mut at_pong = None;
    client.send(Message::Ping("hey".into())).await;
    while let Some(Ok(message)) = client.socket.next().await {
        match message {
            Message::Binary(bytes) => received += bytes.len(),
            Message::Pong(bytes) => {
                assert_eq!(bytes, "hey");
                at_pong = Some(received);
            }
            _ => {}
        }
    }
    let at_pong = at_pong.expect("a pong");
    assert!(
        at_pong < received / 2,
        "after {at_pong} of {received} bytes"
    );

    let silent = server.start_command("sleep 1000").await;
    let mut client = server.follow(&format!("{silent}/logs"), &NEW).await;
    client.send(Message::Ping("you".into())).await;
    let pong = tokio::time::timeout(crate::robust::PATIENCE, client.socket.next()).await;
    assert_eq!(pong.unwrap().unwrap().unwrap(), Message::Pong("you".into()));
    server.ask_to_end();
    server.end().await;
}

#[tokio::test]
async fn a_slow_follower_stalls_no_other_and_loses_nothing() {
    let server = TestServer::with_session().await;
    let path = flood(&server).await;
    // It reads some of the bytes on the wire, and stands still until another one has read all.
    let slow = server.follow(&path, &NEW).await;
    let mut slow_stream = slow.socket.into_inner();
    let mut begun = vec![0; 4096];
    slow_stream.read_exact(&mut begun).await.unwrap();
    let mut client = server.follow(&path, &NEW).await;
    let received = client.read_to_end().await;
    received.expect_close(1000);
    assert!(is_flood(&received));
    let answer = server.get("/version", &[]).await;
    let socket = WebSocketStream::from_partially_read(slow_stream, begun, Role::Client, None).await;
    let received = Client { socket, answer }.read_to_end().await;
    received.expect_close(1000);
    assert!(is_flood(&received), "the slow one lost something");
    server.end().await;
}

#[tokio::test]
async fn two_hundred_followers_get_the_same() {
    let server = TestServer::with_session().await;
    let command = server.start_command("sleep 0.5; seq 1 20000").await;
    let path = format!("{command}/logs");
    let followers = (0..200).map(|_| async {
        let mut client = server.follow(&path, &NEW).await;
        let received = client.read_to_end().await;
        received.expect_close(1000);
        received.split()[0].len()
    });
    for length in join_all(followers).await {
        assert_eq!(length, 108_894);
    }
    server.end().await;
}

#[tokio::test]
async fn disconnects_harm_no_other_client() {
    let server = TestServer::with_session().await;
    let path = flood(&server).await;
    for read in (0..40).map(|n| n * 97) {
        let client = server.follow(&path, &NEW).await;
        let mut stream = client.socket.into_inner();
        let mut some = vec![0; read];
        stream.read_exact(&mut some).await.unwrap();
    }
    let silent = server.start_command("sleep 1000").await;
    for _ in 0..20 {
        drop(server.follow(&format!("{silent}/logs"), &NEW).await);
    }
    let mut client = server.follow(&path, &NEW).await;
    assert!(is_flood(&client.read_to_end().await));
    // None of those who went is still waited for.
    let begin = Instant::now();
    server.end().await;
    assert!(begin.elapsed() < CLOSE_SILENCE);
}

#[tokio::test]
async fn a_log_is_resumed_at_an_offset() {
    let server = TestServer::with_session().await;
    let command = server
        .start_command("seq 1 200000; echo end >&2; printf '\\1\\1\\1\\2\\2'")
        .await;
    server.exit_code(&command).await;
    let path = format!("{command}/logs");
    let from = async |offset: usize, headers: &[(&str, &str)]| {
        let path = format!("{path}?follow=true&offset={offset}");
        let mut client = server.upgrade(&path, headers).await.ok().unwrap();
        let received = client.read_to_end().await;
        received.expect_close(1000);
        (client, received)
    };
    let whole = from(0, &[]).await.1.bytes();
    for offset in [0, 1, 4095, 4096, 1_000_003, whole.len() - 1, whole.len()] {
        let (_, plain) = from(offset, &[]).await;
        assert!(plain.bytes() == whole[offset..], "plain from {offset}");
        let frames = [("Sec-WebSocket-Protocol", "sandbox.log.v1")];
        let (client, received) = from(offset, &frames).await;
        let selected = client.answer.header("sec-websocket-protocol");
        assert_eq!(selected, Some("sandbox.log.v1"));
        let mut stream = BytesMut::from(&received.bytes()[..]);
        let mut reader = Reader::new();
        let mut payload = Vec::new();
        let mut split = [Vec::new(), Vec::new()];
        while let Some(frame) = reader.decode(&mut stream).unwrap() {
            assert_eq!(frame.offset, (offset + payload.len()) as u64);
            payload.extend_from_slice(&frame.payload);
            split[usize::from(frame.channel == Channel::Stderr)].extend_from_slice(&frame.payload);
        }
        reader.finish(&stream).unwrap();
        assert!(payload == whole[offset..], "frames from {offset}");
        let (_, marked) = from(offset, &NEW).await;
        assert!(marked.split() == split, "marked from {offset}");
    }
    let beyond = format!("{path}?follow=true&offset={}", whole.len() + 1);
    let refused = server.upgrade(&beyond, &NEW).await.err().unwrap();
    refused.expect_error(416, "RANGE_NOT_SATISFIABLE");
    server.end().await;
}

#[tokio::test]
async fn the_close_handshake_is_completed() {
    let server = TestServer::with_session().await;
    let command = server.start_command("true").await;
    let path = format!("{command}/logs");
    let mut stream = server.follow(&path, &NEW).await.socket.into_inner();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x88, 2, 0x03, 0xe8], "a close frame with 1000");
    // The server waits for the response and does not cut the connection.
    let wait = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await;
    assert!(wait.is_err(), "{wait:?}");
    let answer = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
    stream.write_all(&answer).await.unwrap();
    let end = tokio::time::timeout(CLOSE_SILENCE, stream.read_u8()).await;
    assert!(end.expect("closed at once").is_err());

    // The other way round.
    let silent = server.start_command("sleep 1000").await;
    let mut client = server.follow(&format!("{silent}/logs"), &NEW).await;
    client.socket.close(None).await.unwrap();
    let received = client.read_to_end().await;
    assert!(received.close.is_some());
    server.ask_to_end();
    server.end().await;
}

#[tokio::test]
async fn messages_of_clients_are_ignored_and_bounded() {
    let server = TestServer::with_session().await;
    let silent = server.start_command("sleep 1000").await;
    let path = format!("{silent}/logs");
    let mut client = server.follow(&path, &NEW).await;
    client.send(Message::Text("hello".into())).await;
    client.send(Message::Binary(vec![0; 60_000].into())).await;
    client.send(Message::Ping("still".into())).await;
    assert!(matches!(
        client.socket.next().await,
        Some(Ok(Message::Pong(_)))
    ));

    let mut client = server.follow(&path, &NEW).await;
    // The server may end while this is still being sent.
    let _ = client
        .socket
        .send(Message::Binary(vec![0; 70_000].into()))
        .await;
    client.read_to_end().await.expect_close(1009);

    // A message in fragments without end.
    let mut stream = server.follow(&path, &NEW).await.socket.into_inner();
    let mut fragment = vec![0x00, 0xfe, 0x03, 0xe8, 0, 0, 0, 0];
    fragment.resize(8 + 1000, b'x');
    let mut first = fragment.clone();
    first[0] = 0x02;
    stream.write_all(&first).await.unwrap();
    for _ in 0..70 {
        if stream.write_all(&fragment).await.is_err() {
            break;
        }
    }
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x88, 2, 0x03, 0xf1], "a close frame with 1009");

    // What is no frame at all.
    let mut stream = server.follow(&path, &NEW).await.socket.into_inner();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x88, 2, 0x03, 0xea], "a close frame with 1002");
    server.ask_to_end();
    server.end().await;
}

#[tokio::test]
async fn followers_are_notified_of_the_shutdown() {
    let server = TestServer::with_session().await;
    let silent = server.start_command("sleep 1000").await;
    let path = format!("{silent}/logs");
    let mut client = server.follow(&path, &NEW).await;
    // One that never responds is not waited for long.
    let _dead = server.follow(&path, &NEW).await;
    server.ask_to_end();
    let begin = Instant::now();
    client.read_to_end().await.expect_close(1001);
    server.end().await;
    assert!(begin.elapsed() < CLOSE_SILENCE);
}
