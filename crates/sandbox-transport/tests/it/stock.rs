//! Daemons without any extension.

use futures_util::SinkExt;
use sandbox_transport::{
    CommandInput, Delivery, ErrorKind, ExecStreamRequest, LogOptions, LogSource, ProcessApi,
    RunRequest, Signal,
};
use tokio_tungstenite::tungstenite::Message;

use crate::daemon::read_all;
use crate::fake::{Fake, Manual, Script, answer, close, json, kinds, no_such_route};

#[tokio::test]
async fn markers_may_be_split_anywhere() {
    let log = b"\x01\x01\x01out\n\x02\x02\x02err\n\x01\x01\x01\x02\x02more";
    let mut manual = Manual::start().await;
    let client = manual.client();
    for cut in 0..=log.len() {
        let following = client.follow_log(LogSource::command("s", "c"), LogOptions::new());
        let serve = async {
            let (mut web, request) = manual.accept(None).await;
            assert_eq!(
                request.line(),
                "GET /process/session/s/command/c/logs?follow=true"
            );
            for part in [&log[..cut], &log[cut..]] {
                web.send(Message::Binary(part.to_vec().into()))
                    .await
                    .unwrap();
            }
            close(&mut web, 1000, "").await;
        };
        let read = async { read_all(following.await.unwrap(), 0).await };
        let (outputs, ()) = tokio::join!(read, serve);
        let expect = [b"out\n\x02\x02more".to_vec(), b"err\n".to_vec()];
        assert_eq!(outputs.unwrap(), expect, "{cut}");
    }
}

#[tokio::test]
async fn an_offset_is_left_out_by_ourselves() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let source = || LogSource::command("s", "c");
    for (offset, expect) in [(2, Some(&b"cd"[..])), (4, Some(b"")), (5, None)] {
        let read = async {
            let options = LogOptions::new().offset(offset);
            read_all(client.follow_log(source(), options).await?, offset).await
        };
        let serve = async {
            let (_first, request) = manual.accept(None).await;
            assert!(
                request
                    .line()
                    .ends_with(&format!("follow=true&offset={offset}"))
            );
            let (mut web, request) = manual.accept(None).await;
            assert!(request.line().ends_with("/logs?follow=true"));
            web.send(Message::Binary(b"\x02\x02\x02abcd".as_slice().into()))
                .await
                .unwrap();
            close(&mut web, 1000, "").await;
        };
        let (outputs, ()) = tokio::join!(read, serve);
        match expect {
            Some(expect) => assert_eq!(outputs.unwrap()[1], expect),
            None => {
                let error = outputs.unwrap_err();
                assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::Rejected));
            }
        }
    }
    // What is not followed is not taken from the stream, whose end such daemons lose.
    let options = LogOptions::new().snapshot().offset(1);
    let read = async { read_all(client.follow_log(source(), options).await?, 1).await };
    let serve = async {
        let (_web, _) = manual.accept(None).await;
        let body = r#"{"output":"\u0001\u0001\u0001abc","stdout":"abc","stderr":""}"#;
        let request = manual.answer(&json(body)).await;
        assert_eq!(request.line(), "GET /process/session/s/command/c/logs");
    };
    let (outputs, ()) = tokio::join!(read, serve);
    assert_eq!(outputs.unwrap()[0], b"bc");
}

#[tokio::test]
async fn only_lines_are_given() {
    let version = Script::Cut(json(r#"{"version":"v0.190.0"}"#));
    let fake = Fake::start([
        version,
        Script::Cut(no_such_route()),
        Script::Cut(answer(204, "", "")),
    ])
    .await;
    let client = fake.client();
    for input in [
        CommandInput::raw("a"),
        CommandInput::eof(),
        CommandInput::line("a").then_eof(),
    ] {
        let error = client.session_input("s", "c", input).await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::Unsupported, Delivery::NotSent));
    }
    let capabilities = client.capabilities().await.unwrap();
    assert_eq!(
        (capabilities.version.as_str(), capabilities.extensions),
        ("v0.190.0", false)
    );
    // It was asked once.
    assert_eq!(
        (fake.request(0).line(), fake.request(1).line()),
        ("GET /version?support=true", "GET /healthz")
    );
    assert_eq!(fake.count(), 2);
    for (text, expect) in [("a", r#"{"data":"a"}"#), ("", r#"{"data":"\n"}"#)] {
        client
            .session_input("s", "c d", CommandInput::line(text))
            .await
            .unwrap();
        let request = fake.request(fake.count() - 1);
        assert_eq!(
            request.line(),
            "POST /process/session/s/command/c%20d/input"
        );
        assert_eq!(request.body, expect.as_bytes());
    }
}

#[tokio::test]
async fn what_is_missing_says_so() {
    let fake = Fake::start([Script::Answer(no_such_route())]).await;
    let client = fake.client();
    let signal = client.session_signal("s", "c", Signal::TERM).await;
    let stream = client.execute_stream(ExecStreamRequest::default()).await;
    let run = client.code_run(RunRequest::default()).await;
    for error in [signal.unwrap_err(), stream.unwrap_err(), run.unwrap_err()] {
        assert_eq!(kinds(&error), (ErrorKind::Unsupported, Delivery::Rejected));
    }
    // A daemon that makes a WebSocket of anything does not stream commands either.
    let mut manual = Manual::start().await;
    let client = manual.client();
    let stream = client.execute_stream(ExecStreamRequest::default());
    let (stream, _) = tokio::join!(stream, manual.accept(None));
    assert_eq!(
        kinds(&stream.unwrap_err()),
        (ErrorKind::Unsupported, Delivery::NotSent)
    );
}
