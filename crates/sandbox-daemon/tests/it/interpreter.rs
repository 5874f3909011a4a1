//! Code over WebSocket: what the recordings do not hold.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sandbox_daemon::Access;
use sandbox_daemon::limits::INTERPRETER_MESSAGE_BYTES;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
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
async fn values_and_charts_are_sent_on_request() {
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
    let message = |length: usize| {
        let empty = json!({ "code": "print(len(''))" }).to_string().len();
        let code = format!("print(len('{}'))", "x".repeat(length - empty));
        json!({ "code": code }).to_string()
    };
    for (length, expect) in [
        (INTERPRETER_MESSAGE_BYTES, 1000),
        (INTERPRETER_MESSAGE_BYTES + 1, 1009),
    ] {
        let mut client = server.upgrade(PATH, &[]).await.ok().unwrap();
        let text = message(length);
        assert_eq!(text.len(), length);
        // What is too much comes alone and last: the close is not lost in what is still being sent.
        let (begin, end) = text.split_at(INTERPRETER_MESSAGE_BYTES - 1);
        client.send(fragment(begin, Data::Text, false)).await;
        client.send(fragment(end, Data::Continue, true)).await;
        let (messages, close) = rest(&mut client).await;
        assert_eq!((messages.is_empty(), close), (expect == 1009, expect));
    }
    server.end().await;
}

fn fragment(text: &str, data: Data, is_final: bool) -> Message {
    Message::Frame(Frame::message(
        text.to_owned(),
        OpCode::Data(data),
        is_final,
    ))
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
async fn a_client_that_reads_nothing_stalls_no_other() {
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
async fn contexts_have_languages() {
    let server = TestServer::unix(Access::Open).await;
    let path = "/process/interpreter/context";
    let asked = async |language: &str| {
        let request = json!({ "language": language });
        server.post(path, &[], request).await
    };
    let made = asked("typescript").await.json();
    assert_eq!(made["language"], "typescript");
    let typed = json!({"code": "let x: number = 1; console.log(x)", "contextId": made["id"]});
    assert_eq!(run(&server, typed).await, ("1\n".to_owned(), 1000));
    let made = asked("javascript").await.json();
    let id = made["id"].as_str().unwrap();
    let code = "console.log(process.env.A); console.error('e'); let kept = { a: [1, null] }; kept";
    let request = json!({"code": code, "contextId": id, "envs": {"A": "b"}});
    let (mut messages, close) = rest(&mut begin(&server, &[RICH], request.clone()).await).await;
    let last = messages.last_mut().and_then(Value::as_object_mut).unwrap();
    let termination = last.remove("termination").unwrap();
    assert_eq!(termination["kind"], "exited");
    assert!(termination["usage"].is_object());
    let text = |kind: &str, text: &str| json!({"type": kind, "text": text, "name": "", "value": "", "traceback": ""});
    let mut display = text("display", "{ a: [ 1, null ] }");
    display["data"] =
        json!({"text/plain": "{ a: [ 1, null ] }", "application/json": {"a": [1, null]}});
    let expect = [
        text("stdout", "b\n"),
        text("stderr", "e\n"),
        display,
        text("control", "completed"),
    ];
    assert_eq!((messages.as_slice(), close), (expect.as_slice(), 1000));
    let (messages, _) = rest(&mut begin(&server, &[], request).await).await;
    assert!(messages.iter().all(|message| message["type"] != "display"));
    assert!(
        messages
            .iter()
            .all(|message| message.get("termination").is_none())
    );
    let failing = json!({"code": "\nnone()", "contextId": id});
    let (messages, close) = rest(&mut begin(&server, &[], failing).await).await;
    let told = json!({
        "type": "error", "text": "", "name": "ReferenceError", "value": "none is not defined",
        "traceback": "ReferenceError: none is not defined\n    at [stdin]:2:1\n",
    });
    assert_eq!((&messages[0], close), (&told, 1000));
    for (code, expect) in [("for (;;);", 4008), ("process.reallyExit(1)", 1011)] {
        let request = json!({"code": code, "contextId": id, "timeout": 1});
        assert_eq!(run(&server, request).await.1, expect, "{code}");
        let next = json!({"code": "console.log(typeof kept)", "contextId": id});
        let kept = if expect == 4008 {
            "object\n"
        } else {
            "undefined\n"
        };
        assert_eq!(run(&server, next).await, (kept.to_owned(), 1000));
    }
    let wait = json!({"code": "console.log(1); for (;;);", "contextId": id});
    let mut client = begin(&server, &[], wait).await;
    assert!(next(&mut client).await.is_some());
    let interrupt = format!("{path}/{id}/interrupt");
    assert_eq!(server.send("POST", &interrupt, &[], b"").await.status, 204);
    let (messages, close) = rest(&mut client).await;
    assert_eq!(messages[0]["name"], "KeyboardInterrupt");
    assert_eq!((&messages[1]["text"], close), (&json!("interrupted"), 1000));
    for none in ["ruby", "bash", "Python", ""] {
        let answer = asked(none).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    let listed = server.send("GET", path, &[], b"").await.json();
    let languages: Vec<_> = listed["contexts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["language"].clone())
        .collect();
    assert_eq!(languages, ["typescript", "javascript"]);
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

/// The client does not read until the code is over, which does not wait for it.
#[tokio::test]
async fn a_gap_in_the_output_is_no_normal_close() {
    let server = TestServer::with_record_bytes(0).await;
    let home = tempfile::tempdir().unwrap();
    let over = home.path().join("over");
    let total = 8_000_000;
    let code = format!("print('x' * {total}, end='', flush=True); open({over:?}, 'x').close()");
    let mut client = begin(&server, &[], json!({ "code": code })).await;
    while !over.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (mut stdout, mut stderr) = (0, String::new());
    let close = loop {
        match next(&mut client).await {
            Some(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                let text = message["text"].as_str().unwrap_or_default();
                match message["type"].as_str() {
                    Some("stdout") => stdout += text.len(),
                    Some("stderr") => stderr.push_str(text),
                    _ => {}
                }
            }
            Some(Message::Close(Some(frame))) => break frame,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(u16::from(close.code), 1011);
    let missing = total - stdout;
    assert_eq!(
        &*close.reason,
        format!("{missing} bytes of the output were discarded")
    );
    assert!(
        missing > 0 && stderr.contains(" bytes of output were discarded]"),
        "{stderr}"
    );
    server.end().await;
}
