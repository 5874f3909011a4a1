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
pub(crate) async fn read(client: &mut Client) -> (Vec<Value>, [Vec<u8>; 2], u16) {
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
async fn output_comes_as_it_is_written_and_the_end_after_it() {
    let server = TestServer::unix(Access::Open).await;
    let command = "echo out; echo err >&2; seq 1 100000; exit 3";
    let start = json!({"type": "start", "request": {"command": command}});
    let mut client = open(&server, start).await;
    let (mut texts, [stdout, stderr], code) = read(&mut client).await;
    let used = texts[1]["termination"]["usage"].take();
    assert!(
        used["wallMicros"].as_u64().is_some_and(|time| time > 0),
        "{used}"
    );
    let mut expect = "out\n".to_owned();
    expect.extend((1..=100_000).map(|n| format!("{n}\n")));
    assert!(stdout == expect.as_bytes());
    assert_eq!(stderr, b"err\n");
    let termination = json!({"kind": "exited", "exitCode": 3, "usage": null});
    let ended = json!({"type": "ended", "exitCode": 3, "termination": termination});
    assert!(texts[0]["pid"].as_u64().is_some_and(|pid| pid > 1));
    assert_eq!(
        texts,
        [
            json!({"type": "started", "pid": texts[0]["pid"], "isolationLevel": "none"}),
            ended
        ]
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
    // Without input there is nothing to write to; that is reported, and ends nothing.
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
async fn a_command_whose_client_has_disconnected_finds_the_end_of_its_input() {
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

/// The next text.
async fn text(client: &mut Client) -> Value {
    loop {
        match client.socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_stream_has_a_terminal() {
    let server = TestServer::unix(Access::Open).await;
    // It shows nothing before a line was typed: `text` skips output.
    let request = json!({"command": "read line; stty size; exit 5"});
    let tty = json!({"cols": 90, "rows": 20});
    let start = json!({"type": "start", "input": true, "request": request, "tty": tty});
    let mut client = open(&server, start).await;
    let resize = json!({"type": "resize", "cols": 80, "rows": 24}).to_string();
    assert_eq!(text(&mut client).await["type"], "started");
    for bad in [
        json!({"type": "resize"}),
        json!({"type": "resize", "cols": 0, "rows": 1}),
    ] {
        let bad = Message::text(bad.to_string());
        client.socket.send(bad).await.unwrap();
        assert_eq!(text(&mut client).await["code"], "BAD_REQUEST");
    }
    client.socket.send(Message::text(resize)).await.unwrap();
    let line = Message::binary(b"\n".to_vec());
    client.socket.send(line).await.unwrap();
    let (texts, [stdout, stderr], code) = read(&mut client).await;
    let shown = String::from_utf8(stdout).unwrap();
    assert!(shown.ends_with("\r\n24 80\r\n"), "{shown:?}");
    assert_eq!(
        (texts[0]["exitCode"].as_i64(), stderr.len(), code),
        (Some(5), 0, 1000)
    );

    for tty in [
        json!({"cols": 0, "rows": 20}),
        json!({"cols": 90, "rows": 1001}),
    ] {
        let start = json!({"type": "start", "request": {"command": "true"}, "tty": tty});
        let (texts, ..) = read(&mut open(&server, start).await).await;
        assert_eq!(texts[0]["code"], "BAD_REQUEST", "{texts:?}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_that_heeds_its_window_is_always_read() {
    use sandbox_daemon::limits::INPUT_WINDOW_BYTES;
    let server = TestServer::unix(Access::Open).await;
    let piece = vec![b'x'; 64 * 1024];
    let send = async |client: &mut Client| {
        for _ in 0..INPUT_WINDOW_BYTES / piece.len() as u64 {
            let piece = Message::binary(piece.clone());
            client.socket.send(piece).await.unwrap();
        }
    };
    let start = |command: &str| {
        json!({
            "type": "start", "input": true, "inputWindow": true, "request": {"command": command},
        })
    };
    let mut client = open(&server, start("cat > /dev/null; echo end")).await;
    let window = INPUT_WINDOW_BYTES;
    assert_eq!(text(&mut client).await["inputWindow"], window);
    send(&mut client).await;
    // The last part of it that is less than a quarter may wait to be reported.
    let mut taken = 0;
    while taken <= window - window / 4 {
        let told = text(&mut client).await;
        assert_eq!(told["type"], "input_taken", "{told}");
        let bytes = told["bytes"].as_u64().unwrap();
        assert!(bytes >= taken + window / 4 && bytes <= window, "{told}");
        taken = bytes;
    }
    let eof = Message::text(json!({"type": "eof"}).to_string());
    client.socket.send(eof).await.unwrap();
    let (_, [stdout, _], _) = read(&mut client).await;
    assert_eq!(stdout, b"end\n");

    let mut client = open(&server, start("exec sleep 600")).await;
    text(&mut client).await;
    send(&mut client).await;
    let signal = json!({"type": "signal", "signal": "TERM"}).to_string();
    client.socket.send(Message::text(signal)).await.unwrap();
    let (texts, ..) = read(&mut client).await;
    assert_eq!(texts.last().unwrap()["exitCode"], 143, "{texts:?}");
    server.end().await;
}

/// A key finds the command that was started with it, whatever became of its connection.
#[tokio::test]
async fn a_stream_with_a_key_starts_once() {
    let server = TestServer::unix(Access::Open).await;
    let directory = tempfile::tempdir().unwrap();
    let command = "echo x >> count; wc -l < count; read line; echo \"$line\"";
    let request = json!({"command": command, "cwd": directory.path()});
    let start = json!({"type": "start", "input": true, "request": request});
    let headers = [PROTOCOL[0], ("Idempotency-Key", "one")];
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = server.upgrade(PATH, &headers).await.ok().unwrap();
        let start = Message::text(start.to_string());
        client.socket.send(start).await.unwrap();
        assert_eq!(text(&mut client).await["type"], "started");
        clients.push(client);
    }
    let line = Message::binary(b"line\n".to_vec());
    clients[1].socket.send(line).await.unwrap();
    for client in &mut clients {
        let (_, [stdout, _], code) = read(client).await;
        assert_eq!((stdout.trim_ascii(), code), (&b"1\nline"[..], 1000));
    }
    let other = json!({"type": "start", "request": {"command": "true"}});
    let mut client = server.upgrade(PATH, &headers).await.ok().unwrap();
    client
        .socket
        .send(Message::text(other.to_string()))
        .await
        .unwrap();
    let (texts, ..) = read(&mut client).await;
    assert_eq!(texts[0]["type"], "error", "{texts:?}");
    server.end().await;
}
