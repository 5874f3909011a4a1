//! What a stock daemon was recorded to send, frame by frame.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use sandbox_transport::{
    Channel, Delivery, ErrorKind, InterpretRequest, InterpreterEvent, InterpreterOutcome,
    ProcessApi, PtyAttachRequest, PtyEvent,
};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::fake::{Manual, close, kinds};

/// One exchange that a single client had.
struct Exchange {
    name: String,
    /// What the daemon sent.
    frames: Vec<Value>,
}

fn exchanges(json: &str) -> Vec<Exchange> {
    let entries: Vec<Value> = serde_json::from_str(json).unwrap();
    // Frames that were too long to keep are only described.
    let is_kept = |frame: &Value| {
        !matches!(frame["op"].as_str(), Some("text" | "binary"))
            || frame["text"].is_string()
            || frame["base64"].is_string()
    };
    let of_one = |entry: &&Value| {
        let frames = entry["frames"].as_array();
        entry["clients"].is_null() && frames.is_some_and(|frames| frames.iter().all(is_kept))
    };
    let exchange = |entry: &Value| {
        let frames = entry["frames"].as_array().unwrap().iter();
        let received = frames.filter(|frame| frame["dir"] == "recv" && frame["fin"].is_null());
        Exchange {
            name: entry["name"].as_str().unwrap().to_owned(),
            frames: received.cloned().collect(),
        }
    };
    entries.iter().filter(of_one).map(exchange).collect()
}

impl Exchange {
    /// The close at its end: the code and the reason.
    fn end(&self) -> Option<(u64, &str)> {
        let last = self.frames.iter().find(|frame| frame["op"] == "close")?;
        Some((last["code"].as_u64()?, last["reason"].as_str()?))
    }

    fn texts(&self) -> impl Iterator<Item = Value> {
        let texts = self.frames.iter().filter(|frame| frame["op"] == "text");
        texts.filter_map(|frame| serde_json::from_str(frame["text"].as_str()?).ok())
    }

    /// Sends it all, after the first message of a client that has to ask.
    async fn serve(&self, manual: &mut Manual, asks: bool) {
        let (mut web, _) = manual.accept(None).await;
        if asks {
            web.next().await.unwrap().unwrap();
        }
        for frame in &self.frames {
            match frame["op"].as_str().unwrap() {
                "text" => {
                    let text = frame["text"].as_str().unwrap().to_owned();
                    web.send(Message::Text(text.into())).await.unwrap();
                }
                "binary" => {
                    web.send(Message::Binary(bytes_of(frame).into()))
                        .await
                        .unwrap();
                }
                "close" => {
                    let (code, reason) = self.end().unwrap();
                    return close(&mut web, u16::try_from(code).unwrap(), reason).await;
                }
                "eof" => return,
                // A silence, or the response to a ping of the client that was recorded.
                _ => {}
            }
        }
    }
}

fn bytes_of(frame: &Value) -> Vec<u8> {
    match frame["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => BASE64_STANDARD
            .decode(frame["base64"].as_str().unwrap())
            .unwrap(),
    }
}

#[tokio::test]
async fn runs_of_a_stock_interpreter() {
    let exchanges = exchanges(include_str!(
        "../../../sandbox-daemon/tests/data/ws-interpreter.json"
    ));
    assert!(exchanges.len() > 50);
    let mut manual = Manual::start().await;
    let client = manual.client();
    for exchange in exchanges {
        let name = &exchange.name;
        let read = async {
            let mut stream = client.interpret(InterpretRequest::default()).await?;
            let (mut written, mut errors) = ([String::new(), String::new()], Vec::new());
            while let Some(event) = stream.next().await {
                match event? {
                    InterpreterEvent::Output { channel, bytes } => {
                        let text = std::str::from_utf8(&bytes).unwrap();
                        written[usize::from(channel == Channel::Stderr)].push_str(text);
                    }
                    InterpreterEvent::Error { name, value, .. } => errors.push((name, value)),
                    InterpreterEvent::Ended { outcome, .. } => {
                        return Ok((written, errors, outcome));
                    }
                    event => panic!("{event:?}"),
                }
            }
            panic!("{name}: no last event")
        };
        let (result, ()) = tokio::join!(read, exchange.serve(&mut manual, true));
        let of = |kind: &str, field: &str| -> Vec<String> {
            let texts = exchange.texts().filter(|text| text["type"] == kind);
            texts
                .map(|text| text[field].as_str().unwrap().to_owned())
                .collect()
        };
        let control = of("control", "text").last().cloned();
        let expect = match (exchange.end(), control.as_deref()) {
            (Some((1000, _)), Some("completed")) => Ok(InterpreterOutcome::Completed),
            (Some((1000, _)), Some("interrupted")) => Ok(InterpreterOutcome::Interrupted),
            (Some((4008, _)), _) => Ok(InterpreterOutcome::TimedOut),
            (Some((1001, reason)), _) => Ok(InterpreterOutcome::WorkerEnded {
                reason: reason.to_owned(),
            }),
            (Some((1002, _)), _) => Err((ErrorKind::InvalidInput, Delivery::Rejected)),
            (Some((1008, reason)), _) if reason.starts_with("context") => {
                Err((ErrorKind::NotFound, Delivery::Rejected))
            }
            (Some((1008, _)), _) => Err((ErrorKind::InvalidInput, Delivery::Rejected)),
            _ => Err((ErrorKind::Closed, Delivery::Uncertain)),
        };
        match (result, expect) {
            (Ok((written, errors, outcome)), Ok(expect)) => {
                assert_eq!(outcome, expect, "{name}");
                assert_eq!(
                    written,
                    ["stdout", "stderr"].map(|kind| of(kind, "text").concat())
                );
                let told = of("error", "name").into_iter().zip(of("error", "value"));
                assert_eq!(errors, told.collect::<Vec<_>>());
            }
            (Err(error), Err(expect)) => assert_eq!(kinds(&error), expect, "{name}"),
            (result, expect) => panic!("{name}: {result:?}, not {expect:?}"),
        }
    }
}

#[tokio::test]
async fn connections_to_a_stock_terminal() {
    let exchanges = exchanges(include_str!(
        "../../../sandbox-daemon/tests/data/ws-pty.json"
    ));
    assert!(exchanges.len() > 30);
    let mut manual = Manual::start().await;
    let client = manual.client();
    for exchange in exchanges {
        let name = &exchange.name;
        let read = async {
            let mut pty = client.connect_pty(PtyAttachRequest::new("x")).await?;
            let mut shown = Vec::new();
            while let Some(event) = pty.events.next().await {
                match event? {
                    PtyEvent::Output { bytes } => shown.extend(bytes),
                    PtyEvent::Exited { exit_code, .. } => return Ok((shown, exit_code)),
                    event => panic!("{event:?}"),
                }
            }
            panic!("{name}: no last event")
        };
        let (result, ()) = tokio::join!(read, exchange.serve(&mut manual, false));
        let is_refused = exchange.texts().any(|text| text["status"] == "error");
        let expect = match exchange.end() {
            _ if is_refused => Err((ErrorKind::NotFound, Delivery::Rejected)),
            Some((1000, "")) => Ok(Some(0)),
            Some((1000 | 1011, reason)) => {
                let reason: Value = serde_json::from_str(reason).unwrap();
                let code = reason["exitCode"].as_i64().unwrap();
                // It does not know.
                Ok(i32::try_from(code).ok().filter(|code| *code != -1))
            }
            Some((1009, _)) => Err((ErrorKind::TooLarge, Delivery::Uncertain)),
            _ => Err((ErrorKind::Closed, Delivery::Uncertain)),
        };
        match (result, expect) {
            (Ok((shown, exit_code)), Ok(expect)) => {
                assert_eq!(exit_code, expect, "{name}");
                let binary = exchange
                    .frames
                    .iter()
                    .filter(|frame| frame["op"] == "binary");
                assert_eq!(
                    shown,
                    binary.flat_map(bytes_of).collect::<Vec<_>>(),
                    "{name}"
                );
            }
            (Err(error), Err(expect)) => assert_eq!(kinds(&error), expect, "{name}"),
            (result, expect) => panic!("{name}: {result:?}, not {expect:?}"),
        }
    }
}
