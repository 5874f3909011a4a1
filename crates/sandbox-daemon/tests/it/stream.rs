//! A command that is followed and fed while it runs, over a WebSocket.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use sandbox_daemon::Access;
use sandbox_logcodec::Channel;
use sandbox_logcodec::frame::Reader;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::TestServer;
use crate::socket::Client;

const PATH: &str = "/process/execute/connect";
const PROTOCOL: [(&str, &str); 1] = [("Sec-WebSocket-Protocol", "sandbox.exec.v1")];

async fn open(server: &TestServer, first: Value) -> Client {
    let mut client = server.upgrade(PATH, &PROTOCOL).await.ok().unwrap();
    assert_eq!(
        client.answer.header("sec-websocket-protocol"),
        Some("sandbox.exec.v1")
    );
    let first = Message::text(first.to_string());
    client.socket.send(first).await.unwrap();
    client
}

/// What came until the close: the texts, both outputs, and the close code.
async fn read(client: &mut Client) -> (Vec<Value>, [Vec<u8>; 2], u16) {
    let (mut texts, mut frames, mut code) = (Vec::new(), BytesMut::new(), 0);
    while let Some(Ok(message)) = client.socket.next().await {
        match message {
            Message::Text(text) => texts.push(serde_json::from_str(&text).unwrap()),
            Message::Binary(bytes) => frames.extend_from_slice(&bytes),
            Message::Close(Some(frame)) => code = frame.code.into(),
            _ => {}
        }
    }
    let mut reader = Reader::new();
    let mut channels = [Vec::new(), Vec::new()];
    while let Some(frame) = reader.decode(&mut frames).unwrap() {
        channels[usize::from(frame.channel == Channel::Stderr)].extend_from_slice(&frame.payload);
    }
    (texts, channels, code)
}

#[tokio::test]
async fn output_comes_as_it_is_written_and_the_end_behind_it() {
    let server = TestServer::unix(Access::Open).await;
    let command = "echo out; echo err >&2; seq 1 100000; exit 3";
    let start = json!({"type": "start", "request": {"command": command}});
    let mut client = open(&server, start).await;
    let (texts, [stdout, stderr], code) = read(&mut client).await;
    let mut expect = "out\n".to_owned();
    expect.extend((1..=100_000).map(|n| format!("{n}\n")));
    assert!(stdout == expect.as_bytes());
    assert_eq!(stderr, b"err\n");
    let termination = json!({"kind": "exited", "exitCode": 3});
    let ended = json!({"type": "ended", "exitCode": 3, "termination": termination});
    assert!(texts[0]["pid"].as_u64().is_some_and(|pid| pid > 1));
    assert_eq!(
        texts,
        [json!({"type": "started", "pid": texts[0]["pid"]}), ended]
    );
    assert_eq!(code, 1000);
    server.end().await;
}

#[tokio::test]
async fn a_stream_takes_input_signals_and_an_end() {
    let server = TestServer::unix(Access::Open).await;
    let start = json!({"type": "start", "input": true, "request": {"command": "cat; echo end"}});
    let mut client = open(&server, start).await;
    for part in [&b"a\0b"[..], b"\xff"] {
        client
            .socket
            .send(Message::binary(part.to_vec()))
            .await
            .unwrap();
    }
    let eof = json!({"type": "eof"}).to_string();
    client.socket.send(Message::text(eof)).await.unwrap();
    let (_, [stdout, _], code) = read(&mut client).await;
    assert_eq!((&stdout[..], code), (&b"a\0b\xffend\n"[..], 1000));

    let request = json!({"command": "sleep 30", "timeoutMillis": 20_000});
    let mut client = open(&server, json!({"type": "start", "request": request})).await;
    // Without input there is nothing to write to; that is told, and ends nothing.
    client
        .socket
        .send(Message::binary(b"x".to_vec()))
        .await
        .unwrap();
    let signal = json!({"type": "signal", "signal": "INT"}).to_string();
    client.socket.send(Message::text(signal)).await.unwrap();
    let (texts, _, code) = read(&mut client).await;
    assert_eq!(code, 1000);
    assert!(
        texts.iter().any(|text| text["code"] == "CONFLICT"),
        "{texts:?}"
    );
    assert_eq!(texts.last().unwrap()["exitCode"], 130, "{texts:?}");

    let request = json!({"command": "echo part; sleep 1000", "timeoutMillis": 3000});
    let mut client = open(&server, json!({"type": "start", "request": request})).await;
    let (texts, [stdout, _], _) = read(&mut client).await;
    assert_eq!(stdout, b"part\n");
    assert_eq!(texts.last().unwrap()["termination"]["kind"], "timed_out");
    server.end().await;
}

#[tokio::test]
async fn a_stream_without_a_command_is_refused() {
    let server = TestServer::unix(Access::Open).await;
    let Err(answer) = server.upgrade(PATH, &[]).await else {
        panic!("no subprotocol, and upgraded");
    };
    answer.expect_error(400, "BAD_REQUEST");
    for (first, error) in [
        (json!({"type": "eof"}), "BAD_REQUEST"),
        (json!({"type": "start"}), "BAD_REQUEST"),
        (
            json!({"type": "start", "request": {"command": " "}}),
            "BAD_REQUEST",
        ),
        (
            json!({"type": "start", "request": {"command": "true", "envs": {"A-B": ""}}}),
            "BAD_REQUEST",
        ),
        (
            json!({"type": "start", "request": {"command": "true", "cwd": "/nope-x"}}),
            "UNPROCESSABLE_ENTITY",
        ),
        (json!(7), "BAD_REQUEST"),
    ] {
        let mut client = open(&server, first.clone()).await;
        let (texts, _, code) = read(&mut client).await;
        assert_eq!(texts.len(), 1, "{first}");
        assert_eq!(
            (texts[0]["code"].as_str(), code),
            (Some(error), 1008),
            "{first}: {texts:?}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn a_command_whose_client_has_gone_finds_the_end_of_its_input() {
    let server = TestServer::unix(Access::Open).await;
    let command = "cat >/dev/null; echo gone >done";
    let start = json!({"type": "start", "input": true, "request": {"command": command}});
    let mut client = open(&server, start).await;
    assert!(matches!(
        client.socket.next().await,
        Some(Ok(Message::Text(_)))
    ));
    drop(client);
    let path = server.engine.work_dir().join("done");
    for _ in 0..1000 {
        if path.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(path.exists());
    server.end().await;
}

#[tokio::test]
async fn the_environment_of_what_comes_later_is_changed() {
    let server = TestServer::unix(Access::Open).await;
    let body = json!({"set": {"PROBE_A": "1", "PROBE_B": "secret-2", "PROBE_C": null}});
    let answer = server
        .send("POST", "/env", &[], body.to_string().as_bytes())
        .await;
    assert_eq!(
        (answer.status, answer.json()["PROBE_A"].as_str()),
        (200, Some("1"))
    );
    let echo = json!({"command": "echo $PROBE_A,$PROBE_B,${PROBE_C-unset}"}).to_string();
    assert_eq!(
        server.execute(echo.as_bytes()).await.json()["result"],
        "1,secret-2,\n"
    );
    let body =
        json!({"unset": ["PROBE_A"], "unsetValuePrefix": "secret", "set": {"PROBE_D": "secret"}});
    let answer = server
        .send("POST", "/env", &[], body.to_string().as_bytes())
        .await;
    let now = answer.json();
    assert!(
        now["PROBE_A"].is_null() && now["PROBE_B"].is_null(),
        "{now}"
    );
    assert_eq!(now["PROBE_D"], "secret");
    for bad in [json!({"set": {"A-B": "x"}}), json!({"set": 7}), json!([])] {
        let answer = server
            .send("POST", "/env", &[], bad.to_string().as_bytes())
            .await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    server.end().await;
}
