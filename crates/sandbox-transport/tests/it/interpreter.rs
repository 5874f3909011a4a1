//! Runs in interpreters.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sandbox_transport::{
    Channel, ContextRequest, Delivery, Display, Error, ErrorKind, InterpretRequest,
    InterpreterEvent, InterpreterOutcome, InterpreterStream, ProcessApi,
};
use tokio_tungstenite::tungstenite::Message;

use crate::fake::{Fake, Manual, Script, close, json, kinds};

fn message(kind: &str, text: &str) -> String {
    format!(r#"{{"type":"{kind}","text":"{text}","name":"N","value":"V","traceback":"T"}}"#)
}

/// Runs code on a server that says this and closes so.
async fn run(
    manual: &mut Manual,
    messages: &[String],
    code: u16,
    reason: &str,
) -> Result<Vec<InterpreterEvent>, Error> {
    let client = manual.client();
    let request = InterpretRequest {
        code: "1".to_owned(),
        context_id: Some("c".to_owned()),
        timeout: Some(Duration::from_millis(4001)),
        ..InterpretRequest::default()
    };
    let serve = async {
        let (mut web, request) = manual.accept(None).await;
        assert_eq!(request.line(), "GET /process/interpreter/execute");
        let offered = request.header("sec-websocket-protocol");
        assert_eq!(offered, Some("sandbox.interpreter.v1"));
        let asked = web.next().await.unwrap().unwrap();
        let expect = r#"{"code":"1","contextId":"c","timeout":5}"#;
        assert_eq!(asked, Message::Text(expect.into()));
        for message in messages {
            web.send(Message::Text(message.into())).await.unwrap();
        }
        match code {
            0 => drop(web),
            code => close(&mut web, code, reason).await,
        }
    };
    let read = async { read(client.interpret(request).await?).await };
    tokio::join!(read, serve).0
}

async fn read(mut stream: InterpreterStream) -> Result<Vec<InterpreterEvent>, Error> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event?);
    }
    assert!(stream.next().await.is_none());
    Ok(events)
}

#[tokio::test]
async fn a_run_reports_what_it_does() {
    let mut manual = Manual::start().await;
    let messages = [
        message("stdout", "a"),
        message("stderr", "b"),
        message("stdout", ""),
        message("of a later version", "x"),
        r#"{"type":"chart","text":"","data":{"type":"line"}}"#.to_owned(),
        r#"{"type":"display","text":"7","data":{"text/plain":"7"},"omitted":{"image/png":9}}"#
            .to_owned(),
        r#"{"type":"display","text":"no data"}"#.to_owned(),
        message("error", ""),
        message("control", "completed"),
    ];
    let chart = InterpreterEvent::Chart {
        chart: serde_json::json!({"type": "line"}),
    };
    let display = InterpreterEvent::Display(Display {
        text: "7".to_owned(),
        data: [("text/plain".to_owned(), "7".into())].into(),
        omitted: [("image/png".to_owned(), 9)].into(),
    });
    let output = |channel, text: &str| InterpreterEvent::Output {
        channel,
        bytes: text.to_owned().into(),
    };
    let error = InterpreterEvent::Error {
        name: "N".to_owned(),
        value: "V".to_owned(),
        traceback: "T".to_owned(),
    };
    let ended = |outcome| InterpreterEvent::Ended {
        outcome,
        termination: None,
        usage: None,
    };
    let events = run(&mut manual, &messages, 1000, "").await.unwrap();
    let expect = [
        output(Channel::Stdout, "a"),
        output(Channel::Stderr, "b"),
        chart,
        display,
        error,
        ended(InterpreterOutcome::Completed),
    ];
    assert_eq!(events, expect);

    let interrupted = [message("control", "interrupted")];
    let completed = [message("control", "completed")];
    let gone = InterpreterOutcome::WorkerEnded {
        reason: "worker process ended".to_owned(),
    };
    for (messages, code, reason, outcome) in [
        (&interrupted[..], 1000, "", InterpreterOutcome::Interrupted),
        (&interrupted, 4008, "", InterpreterOutcome::TimedOut),
        (&[], 4008, "", InterpreterOutcome::TimedOut),
        (&[], 1001, "worker process ended", gone.clone()),
        (&interrupted, 1001, "worker process ended", gone.clone()),
        (&[], 1011, "worker process ended", gone),
        (&completed, 1000, "", InterpreterOutcome::Completed),
    ] {
        let events = run(&mut manual, messages, code, reason).await.unwrap();
        assert_eq!(events, [ended(outcome)]);
    }
}

#[tokio::test]
async fn runs_without_an_outcome() {
    let mut manual = Manual::start().await;
    let began = [message("stdout", "a")];
    let completed = [message("control", "completed")];
    use Delivery::{Rejected, Uncertain};
    for (messages, code, reason, expect) in [
        (
            &[][..],
            1002,
            "invalid JSON payload",
            (ErrorKind::InvalidInput, Rejected),
        ),
        (
            &[],
            1008,
            "code is required",
            (ErrorKind::InvalidInput, Rejected),
        ),
        (
            &[],
            1008,
            "context not found: c",
            (ErrorKind::NotFound, Rejected),
        ),
        (&[], 1008, "slow consumer", (ErrorKind::Closed, Uncertain)),
        (
            &began,
            1008,
            "slow consumer",
            (ErrorKind::Closed, Uncertain),
        ),
        (
            &[],
            1011,
            "default context cannot start",
            (ErrorKind::Server, Uncertain),
        ),
        (&began, 1001, "", (ErrorKind::Closed, Uncertain)),
        // It says 1000 and has not run.
        (&[], 1000, "", (ErrorKind::Closed, Uncertain)),
        (&began, 0, "", (ErrorKind::Closed, Uncertain)),
        (&completed, 0, "", (ErrorKind::Closed, Uncertain)),
        (
            &["{".to_owned()],
            1000,
            "",
            (ErrorKind::Protocol, Uncertain),
        ),
    ] {
        let error = run(&mut manual, messages, code, reason).await.unwrap_err();
        assert_eq!(kinds(&error), expect, "{code} {reason}");
    }
}

#[tokio::test]
async fn contexts_are_made_listed_interrupted_and_deleted() {
    let context = r#"{"id":"c","cwd":"/","createdAt":"t","active":true,"language":"python"}"#;
    let list = json(&format!(r#"{{"contexts":[{context}]}}"#));
    let scripts = [
        json(context),
        list,
        json("{}"),
        json("{}"),
        json(r#"{"message":"m"}"#),
    ];
    let scripts = scripts.map(Script::Cut);
    let fake = Fake::start(scripts).await;
    let client = fake.client();
    let request = ContextRequest::default();
    assert_eq!(client.create_context(request).await.unwrap().id, "c");
    assert_eq!(client.list_contexts().await.unwrap().len(), 1);
    client.interrupt_context("c").await.unwrap();
    client.restart_context("c").await.unwrap();
    client.delete_context("c").await.unwrap();
    let lines: Vec<_> = (0..5)
        .map(|index| fake.request(index).line().to_owned())
        .collect();
    let contexts = "/process/interpreter/context";
    let expect = [
        format!("POST {contexts}"),
        format!("GET {contexts}"),
        format!("POST {contexts}/c/interrupt"),
        format!("POST {contexts}/c/restart"),
        format!("DELETE {contexts}/c"),
    ];
    assert_eq!(lines, expect);
}
