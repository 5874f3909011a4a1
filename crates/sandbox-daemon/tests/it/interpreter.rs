//! Code over WebSocket: what the recordings do not hold.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sandbox_daemon::Access;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::TestServer;
use crate::socket::Client;

const PATH: &str = "/process/interpreter/execute";

const RICH: (&str, &str) = ("Sec-WebSocket-Protocol", "sandbox.interpreter.v1");

async fn begin(server: &TestServer, headers: &[(&str, &str)], request: Value) -> Client {
    let mut client = server.upgrade(PATH, headers).await.ok().unwrap();
    client.send(Message::Text(request.to_string().into())).await;
    client
}

/// The next message that is not a ping; `None` at the end, which must come within a minute.
async fn next(client: &mut Client) -> Option<Message> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), client.socket.next());
        match next.await.expect("a message or the end") {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message)) => return Some(message),
            Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return None,
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

/// Everything up to the close, and its code.
async fn rest(client: &mut Client) -> (Vec<Value>, u16) {
    let mut messages = Vec::new();
    loop {
        match next(client).await {
            Some(Message::Text(text)) => messages.push(serde_json::from_str(&text).unwrap()),
            Some(Message::Close(Some(frame))) => return (messages, frame.code.into()),
            other => panic!("{other:?} behind {messages:?}"),
        }
    }
}

async fn run(server: &TestServer, request: Value) -> (String, u16) {
    let (messages, code) = rest(&mut begin(server, &[], request).await).await;
    let text = messages
        .iter()
        .filter(|message| message["type"] == "stdout");
    (
        text.map(|message| message["text"].as_str().unwrap())
            .collect(),
        code,
    )
}

async fn make(server: &TestServer) -> String {
    let made = server
        .post("/process/interpreter/context", &[], json!({}))
        .await;
    assert_eq!(made.status, 200);
    made.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn values_and_charts_are_for_those_who_ask() {
    let server = TestServer::unix(Access::Open).await;
    let code = "class R:\n def _repr_html_(self): return '<b>'\n def _repr_png_(self): return b'png'\n\
                \x20def _repr_json_(self): return [1]\n def __repr__(self): return 'R'\nprint('out')\nR()";
    let mut client = begin(&server, &[RICH], json!({ "code": code })).await;
    assert_eq!(client.answer.header("sec-websocket-protocol"), Some(RICH.1));
    let (messages, close) = rest(&mut client).await;
    let kinds: Vec<_> = messages
        .iter()
        .map(|message| message["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["stdout", "display", "control"]);
    let expect = json!({
        "type": "display", "text": "R", "name": "", "value": "", "traceback": "",
        "data": {"text/plain": "R", "text/html": "<b>", "image/png": "cG5n", "application/json": [1]},
    });
    assert_eq!(messages[1], expect);
    assert_eq!(close, 1000);
    let big = "class B:\n def __repr__(self): return 'x' * 20_000_000\nB()";
    let (messages, _) = rest(&mut begin(&server, &[RICH], json!({ "code": big })).await).await;
    assert_eq!(messages[0]["omitted"], json!({"text/plain": 20_000_000}));
    let plain = rest(&mut begin(&server, &[], json!({ "code": code })).await)
        .await
        .0;
    assert!(plain.iter().all(|message| message["type"] != "display"));
    server.end().await;
}

#[tokio::test]
async fn code_is_bounded() {
    let server = TestServer::unix(Access::Open).await;
    let long = format!("print(len('{}'))", "x".repeat(8_000_000));
    assert_eq!(
        run(&server, json!({ "code": long })).await,
        ("8000000\n".to_owned(), 1000)
    );
    let mut client = server.upgrade(PATH, &[]).await.ok().unwrap();
    let longer = json!({ "code": "#".repeat(16 * 1024 * 1024) }).to_string();
    // The server may have closed before all of it was sent.
    let _ = futures_util::SinkExt::send(&mut client.socket, Message::Text(longer.into())).await;
    match next(&mut client).await {
        Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1009),
        Some(other) => panic!("{other:?}"),
        None => {}
    }
    server.end().await;
}

#[tokio::test]
async fn characters_are_whole_wherever_messages_are_cut() {
    let server = TestServer::unix(Access::Open).await;
    let code = "import os, sys\nprint('x' + '\\u6f22' * 100_000)\n\
                for byte in '\\u00e9\\u6f22'.encode(): os.write(1, bytes([byte])); os.write(2, b'e')\n\
                os.write(1, b'\\xe6\\xbc')";
    let (output, close) = run(&server, json!({ "code": code })).await;
    let expect = format!("x{}\n\u{e9}\u{6f22}\u{fffd}", "\u{6f22}".repeat(100_000));
    assert_eq!((output == expect, close), (true, 1000));
    server.end().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_stalls_nobody() {
    let server = TestServer::unix(Access::Open).await;
    let id = make(&server).await;
    let flood =
        json!({"code": "for i in range(50): print('x' * 999_999)\nprint('end')", "contextId": id});
    let mut slow = begin(&server, &[], flood).await;
    // Its own context goes on, and so do others.
    let begin = Instant::now();
    for context in [json!(null), json!(id)] {
        let answer = run(&server, json!({"code": "print(1)", "contextId": context})).await;
        assert_eq!(answer, ("1\n".to_owned(), 1000));
    }
    assert!(begin.elapsed() < Duration::from_secs(60));
    let (messages, code) = rest(&mut slow).await;
    let length: usize = messages
        .iter()
        .map(|message| message["text"].as_str().unwrap().len())
        .sum();
    assert_eq!((length, code), (50_000_004 + "completed".len(), 1000));
    server.end().await;
}

#[tokio::test]
async fn many_wait_and_some_go_away() {
    let server = TestServer::unix(Access::Open).await;
    let id = make(&server).await;
    let request = |code: &str| json!({"code": code, "contextId": id});
    let mut first = begin(
        &server,
        &[],
        request("import time; n = 0; print('go'); time.sleep(1)"),
    )
    .await;
    assert!(matches!(next(&mut first).await, Some(Message::Text(_))));
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(begin(&server, &[], request("n += 1; print(n)")).await);
    }
    for (index, mut client) in waiting.into_iter().enumerate() {
        if index % 2 == 0 {
            continue; // Its connection is cut off here, and its code runs all the same.
        }
        assert_eq!(rest(&mut client).await.1, 1000);
    }
    // The order between connections is chance, the count is not.
    let mut count = String::new();
    while count != "200\n" {
        count = run(&server, request("print(n)")).await.0;
    }
    server.end().await;
}

#[tokio::test]
async fn contexts_are_interrupted_and_restarted() {
    let server = TestServer::unix(Access::Open).await;
    let id = make(&server).await;
    for (id, context) in [(id.as_str(), json!(id)), ("default", json!(null))] {
        let path = format!("/process/interpreter/context/{id}");
        let wait = json!({"code": "kept = 1\nprint(1)\nimport time; time.sleep(60)", "contextId": context});
        for (verb, control, code) in [("interrupt", "interrupted", 1000), ("restart", "", 1011)] {
            let mut client = begin(&server, &[], wait.clone()).await;
            assert!(next(&mut client).await.is_some());
            let answer = server
                .send("POST", &format!("{path}/{verb}"), &[], b"")
                .await;
            assert_eq!(answer.status, 204);
            let (messages, closed) = rest(&mut client).await;
            let name = if verb == "restart" {
                "WorkerEnded"
            } else {
                "KeyboardInterrupt"
            };
            assert_eq!((&messages[0]["name"], closed), (&json!(name), code));
            assert_eq!(
                messages
                    .get(1)
                    .map_or("", |message| message["text"].as_str().unwrap()),
                control
            );
            let show = json!({"code": "print('kept' in globals())", "contextId": context});
            let expect = if verb == "restart" {
                "False\n"
            } else {
                "True\n"
            };
            assert_eq!(run(&server, show).await.0, expect);
            // Nothing runs.
            assert_eq!(
                server
                    .send("POST", &format!("{path}/{verb}"), &[], b"")
                    .await
                    .status,
                204
            );
        }
    }
    for verb in ["interrupt", "restart"] {
        let path = format!("/process/interpreter/context/none/{verb}");
        server
            .send("POST", &path, &[], b"")
            .await
            .expect_error(404, "NOT_FOUND");
    }
    server.end().await;
}

#[tokio::test]
async fn the_end_of_the_server_is_the_end_of_what_runs() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = begin(
        &server,
        &[],
        json!({"code": "print(1)\nimport time; time.sleep(60)"}),
    )
    .await;
    assert!(next(&mut client).await.is_some());
    let ended = tokio::spawn(server.end());
    assert_eq!(rest(&mut client).await.1, 1001);
    drop(client);
    ended.await.unwrap();
}
