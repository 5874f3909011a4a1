//! Terminals.

use futures_util::{SinkExt, StreamExt};
use sandbox_transport::{
    Delivery, Error, ErrorKind, Limit, ProcessApi, PtyAttachRequest, PtyConnection, PtyEvent,
    PtyRequest, PtySize, Termination,
};
use tokio_tungstenite::tungstenite::Message;

use crate::fake::{Fake, Manual, Script, Web, answer, close, json, kinds};

const CONNECTED: &str = r#"{"type":"control","status":"connected"}"#;

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn binary(bytes: &'static [u8]) -> Message {
    Message::Binary(bytes.into())
}

fn with_variables() -> PtyRequest {
    PtyRequest {
        id: "a b".to_owned(),
        cwd: Some("/x&y".to_owned()),
        env: [
            ("A".to_owned(), "é\n".to_owned()),
            ("B".to_owned(), String::new()),
        ]
        .into(),
        size: Some(PtySize { rows: 7, cols: 80 }),
        ..PtyRequest::default()
    }
}

async fn open(manual: &mut Manual, messages: &[Message]) -> (PtyConnection, Web) {
    let client = manual.client();
    let serve = async {
        let (mut web, _) = manual.accept(Some("X-Daytona-Pty-Exit-Control")).await;
        for message in messages {
            web.send(message.clone()).await.unwrap();
        }
        web
    };
    let (pty, web) = tokio::join!(client.open_pty(PtyRequest::default()), serve);
    (pty.unwrap(), web)
}

async fn rest(pty: &mut PtyConnection) -> Result<(Vec<u8>, Option<PtyEvent>), Error> {
    let mut shown = Vec::new();
    while let Some(event) = pty.events.next().await {
        match event? {
            PtyEvent::Output { bytes } => shown.extend(bytes),
            event => {
                assert!(pty.events.next().await.is_none());
                return Ok((shown, Some(event)));
            }
        }
    }
    Ok((shown, None))
}

#[tokio::test]
async fn a_terminal_is_made_and_typed_into() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let serve = async {
        let (mut web, request) = manual.accept(Some("X-Daytona-Pty-Exit-Control")).await;
        web.send(text(CONNECTED)).await.unwrap();
        (web, request)
    };
    let (pty, (mut web, request)) = tokio::join!(client.open_pty(with_variables()), serve);
    let mut pty = pty.unwrap();
    assert_eq!(
        request.line(),
        "GET /process/pty/create-connect?id=a%20b&cols=80&rows=7&cwd=%2Fx%26y"
    );
    // {"A":"é\n","B":""}
    let offer = "X-Daytona-Pty-Exit-Control, X-Daytona-Pty-Envs~eyJBIjoiw6lcbiIsIkIiOiIifQ";
    assert_eq!(request.header("sec-websocket-protocol"), Some(offer));
    assert_eq!((pty.id.as_str(), pty.offset), ("a b", Some(0)));

    // A long paste travels in pieces that a stock daemon takes, in order.
    let paste: Vec<u8> = (0..200_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    let typed = pty.control.write(paste.clone().into());
    let read = async {
        let mut got = Vec::new();
        while got.len() < paste.len() {
            let message = web.next().await.unwrap().unwrap();
            let Message::Binary(bytes) = message else {
                panic!("{message:?}");
            };
            assert!(bytes.len() < 64 * 1024);
            got.extend(bytes);
        }
        got
    };
    let (typed, got) = tokio::join!(typed, read);
    typed.unwrap();
    assert_eq!(got, paste);
    drop(web);
    let error = pty.events.next().await.unwrap().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::Uncertain));
    let error = pty.control.write("x".into()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::NotSent));
}

#[tokio::test]
async fn all_that_is_shown_comes_before_the_end() {
    let mut manual = Manual::start().await;
    let messages = [
        // Some daemons show something before they say that the client is connected.
        binary(b"early "),
        text(CONNECTED),
        binary(b"\xff\0"),
        binary(b""),
        text("text "),
        text(r#"{"type":"other"}"#),
        text(r#"{"type":"control","status":"later version"}"#),
        text(r#"{"type":"control","status":"exited","exitCode":7,"exitReason":"non-zero exit"}"#),
    ];
    let (mut pty, _web) = open(&mut manual, &messages).await;
    let (shown, end) = rest(&mut pty).await.unwrap();
    assert_eq!(shown, b"early \xff\0text {\"type\":\"other\"}");
    let reason = Some("non-zero exit".to_owned());
    let exit_code = Some(7);
    assert_eq!(end, Some(exited(exit_code, reason)));
}

/// Returns the event of an exit of which the daemon reports nothing else.
fn exited(exit_code: Option<i32>, reason: Option<String>) -> PtyEvent {
    PtyEvent::Exited {
        exit_code,
        reason,
        termination: Termination::from_exit_code(exit_code),
        usage: None,
    }
}

#[tokio::test]
async fn the_end_of_a_shell_has_its_termination_and_usage() {
    let mut manual = Manual::start().await;
    let messages = [
        text(CONNECTED),
        text(
            r#"{"type":"control","status":"exited","exitCode":137,"termination":{"kind":"out_of_memory",
            "limit":"memory","usage":{"wallMicros":5,"userMicros":3,"systemMicros":1,"memoryKills":1,"refusedForks":0}}}"#,
        ),
    ];
    let (mut pty, _web) = open(&mut manual, &messages).await;
    let (_, end) = rest(&mut pty).await.unwrap();
    let Some(PtyEvent::Exited {
        termination, usage, ..
    }) = end
    else {
        panic!("{end:?}");
    };
    let limit = Limit::Memory;
    assert_eq!(termination, Termination::LimitExceeded { limit });
    assert_eq!(usage.unwrap().memory_kills, 1);
}

#[tokio::test]
async fn a_close_reports_how_the_shell_ended() {
    let mut manual = Manual::start().await;
    let exited =
        |exit_code, reason: Option<&str>| Ok(Some(exited(exit_code, reason.map(str::to_owned))));
    for (code, reason, expect) in [
        (1000, "", exited(Some(0), None)),
        (1000, r#"{"exitCode":0}"#, exited(Some(0), None)),
        (
            1011,
            r#"{"exitCode":137,"exitReason":"SIGKILL"}"#,
            exited(Some(137), Some("SIGKILL")),
        ),
        // A stock daemon does not know.
        (
            1011,
            r#"{"exitCode":-1,"exitReason":"non-zero exit"}"#,
            exited(None, Some("non-zero exit")),
        ),
        (1011, "", exited(None, None)),
        (
            1011,
            "PTY session unavailable",
            exited(None, Some("PTY session unavailable")),
        ),
        (1001, "", Err(ErrorKind::Closed)),
        (1008, "slow consumer", Err(ErrorKind::Closed)),
    ] {
        let (mut pty, mut web) = open(&mut manual, &[text(CONNECTED), binary(b"last")]).await;
        let serve = close(&mut web, code, reason);
        let (result, ()) = tokio::join!(rest(&mut pty), serve);
        match expect {
            Ok(end) => assert_eq!(result.unwrap(), (b"last".to_vec(), end)),
            Err(kind) => assert_eq!(result.unwrap_err().kind(), kind),
        }
    }
}

#[tokio::test]
async fn a_terminal_that_is_not_there() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let told = r#"{"type":"control","status":"error","error":"PTY session x not found"}"#;
    let serve = async {
        let (mut web, request) = manual.accept(None).await;
        web.send(text(told)).await.unwrap();
        // Some daemons just hang up then.
        drop(web);
        request
    };
    let connecting = client.connect_pty(PtyAttachRequest::new("x"));
    let (pty, request) = tokio::join!(connecting, serve);
    assert_eq!(request.line(), "GET /process/pty/x/connect");
    let error = pty.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::NotFound, Delivery::Rejected));
    assert_eq!(error.to_string(), "PTY session x not found");

    // Nor does one that only ever shows something.
    let serve = async {
        let (mut web, _) = manual.accept(None).await;
        let flood = Message::Binary(vec![b'x'; 1 << 20].into());
        while web.send(flood.clone()).await.is_ok() {}
    };
    let (pty, ()) = tokio::join!(client.connect_pty(PtyAttachRequest::new("x")), serve);
    assert_eq!(pty.unwrap_err().kind(), ErrorKind::Protocol);

    let conflict = answer(409, "application/json", r#"{"error":"in use"}"#);
    let opening = client.open_pty(PtyRequest::default());
    let (pty, _) = tokio::join!(opening, manual.answer(&conflict));
    let error = pty.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
    assert_eq!(error.to_string(), "in use");
}

#[tokio::test]
async fn a_daemon_without_create_connect_takes_two_requests() {
    let missing = answer(
        404,
        "application/json",
        r#"{"error":"PTY session create-connect not found"}"#,
    );
    let created = answer(201, "application/json", r#"{"sessionId":"a b"}"#);
    let mut manual = Manual::start().await;
    let client = manual.client();
    let serve = async {
        manual.answer(&missing).await;
        let create = manual.answer(&created).await;
        let (mut web, connect) = manual.accept(None).await;
        web.send(text(CONNECTED)).await.unwrap();
        (web, create, connect)
    };
    let (pty, (_web, create, connect)) = tokio::join!(client.open_pty(with_variables()), serve);
    assert_eq!(pty.unwrap().id, "a b");
    assert_eq!(create.line(), "POST /process/pty");
    let body: serde_json::Value = serde_json::from_slice(&create.body).unwrap();
    let expect = serde_json::json!({
        "id": "a b", "cwd": "/x&y", "envs": {"A": "é\n", "B": ""}, "cols": 80, "rows": 7, "lazyStart": true
    });
    assert_eq!(body, expect);
    assert_eq!(connect.line(), "GET /process/pty/a%20b/connect");

    // One that cannot be connected to is not left open.
    let serve = async {
        manual.answer(&missing).await;
        manual.answer(&created).await;
        manual.answer(&answer(500, "", "broken")).await;
        manual.answer(&answer(200, "application/json", "{}")).await
    };
    let (pty, deleted) = tokio::join!(client.open_pty(with_variables()), serve);
    assert_eq!(pty.unwrap_err().to_string(), "broken");
    assert_eq!(deleted.line(), "DELETE /process/pty/a%20b");
}

#[tokio::test]
async fn extensions_of_terminals_are_asked_for_where_they_are() {
    let version = json(r#"{"version":"v1"}"#);
    let health = json(r#"{"status":"ok"}"#);
    let request = || PtyAttachRequest::new("x").offset(5).read_only();
    let mut manual = Manual::start().await;
    let client = manual.client();
    let serve = async {
        manual.answer(&version).await;
        manual.answer(&health).await;
        let (mut web, request) = manual.accept(None).await;
        web.send(text(CONNECTED)).await.unwrap();
        (web, request)
    };
    let (pty, (_web, asked)) = tokio::join!(client.connect_pty(request()), serve);
    assert_eq!(pty.unwrap().offset, Some(5));
    let expect = "GET /process/pty/x/connect?since=5&mode=viewer";
    assert_eq!(asked.line(), expect);

    let stock = [version, answer(404, "text/plain", "")].map(Script::Cut);
    let fake = Fake::start(stock).await;
    let error = fake.client().connect_pty(request()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Unsupported, Delivery::NotSent));
    assert_eq!(fake.count(), 2);
}

#[tokio::test]
async fn terminals_are_listed_sized_and_deleted() {
    let info = r#"{"id":"p","cwd":"/","envs":{},"cols":80,"rows":24,"createdAt":"t","active":true,"lazyStart":false}"#;
    let list = json(&format!(r#"{{"sessions":[{info}]}}"#));
    let gone = answer(410, "application/json", r#"{"message":"it has ended"}"#);
    let scripts = [list, json(info), json(info), gone, json("{}")].map(Script::Cut);
    let fake = Fake::start(scripts).await;
    let client = fake.client();
    let size = PtySize { cols: 1, rows: 2 };
    assert_eq!(client.list_ptys().await.unwrap()[0].id, "p");
    assert_eq!(client.pty_info("p").await.unwrap().cols, 80);
    assert!(client.resize_pty("p", size).await.unwrap().active);
    assert_eq!(
        client.resize_pty("p", size).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    client.delete_pty("p").await.unwrap();
    let lines: Vec<_> = (0..5)
        .map(|index| fake.request(index).line().to_owned())
        .collect();
    let resize = "POST /process/pty/p/resize";
    let expect = [
        "GET /process/pty",
        "GET /process/pty/p",
        resize,
        resize,
        "DELETE /process/pty/p",
    ];
    assert_eq!(lines, expect);
    assert_eq!(fake.request(2).body, br#"{"cols":1,"rows":2}"#);
}
