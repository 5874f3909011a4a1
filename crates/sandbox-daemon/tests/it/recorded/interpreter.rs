//! Interpreter contexts, and code in them over WebSocket.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::replay::{Ours, Replay, Rules, has_reason};
use super::request::{entries, text};
use super::tally::Tally;
use crate::socket::Client;

#[tokio::test]
async fn interpreter_contexts() {
    let mut replay = Replay::begin().await;
    let mut tally = Tally::of("interpreter");
    let entries = entries(HTTP);
    for entry in &entries {
        if follows_an_execution(entry) {
            tally.pass_over(entry, "looked at with the execution that it follows");
        } else if entry["name"] == "create unsupported" {
            // Another asks for `Python`, which neither has.
            tally.pass_over(entry, "it asks for JavaScript, which ours has");
        } else {
            let captured = tally.check(entry, replay.check(entry, &RULES)).await;
            if let Some(Some((name, id))) = captured {
                replay.placeholders.set(&name, &id);
            }
        }
    }
    tally.finish(entries.len());
    replay.end().await;
}

#[tokio::test]
async fn interpreter_exchanges() {
    let mut replay = Replay::begin().await;
    let http = entries(HTTP);
    let mut contexts = BTreeMap::new();
    let entries = entries(include_str!("../../data/ws-interpreter.json"));
    let mut tally = Tally::of("ws-interpreter");
    for entry in &entries {
        let name = text(&entry["name"]);
        if let Some((_, reason)) = PASSED_OVER.iter().find(|(other, _)| *other == name) {
            tally.pass_over(entry, reason);
            continue;
        }
        let check = async {
            replay.exchange_code(entry, &mut contexts).await;
            Ok(())
        };
        if tally.check(entry, check).await.is_none() {
            continue;
        }
        // The context works on, or has a new worker, and is still listed.
        let tested = name.strip_suffix(": next");
        for verb in ["list", "delete"] {
            let behind = tested.map(|tested| format!("{verb} after {tested}"));
            let find = |entry: &&Value| behind.as_deref() == entry["name"].as_str();
            let Some(entry) = http.iter().find(find) else {
                continue;
            };
            let rules = Rules {
                ours: |_| vec![(200, json!({}))],
                ..RULES
            };
            let mut entry = entry.clone();
            entry["differs"] = "only whether it is answered is looked at".into();
            replay.check(&entry, &rules).await.unwrap();
        }
    }
    tally.finish(entries.len());
    replay.end().await;
}

const HTTP: &str = include_str!("../../data/interpreter.json");

const RULES: Rules = Rules {
    passed_over: &[],
    any_order: &[],
    ours,
};

const PASSED_OVER: [(&str, &str); 2] = [
    (
        "matplotlib figure",
        "the suites of the SDK hold it, with a matplotlib of their own",
    ),
    (
        "context deleted with one running and one queued, another time",
        "the same once more, to show that the reference's codes are chance",
    ),
];

fn follows_an_execution(entry: &Value) -> bool {
    let name = text(&entry["name"]);
    name.contains(" after ") || name == "delete with one running and one queued"
}

fn ours(name: &str) -> Vec<Ours> {
    match name {
        "create without body" => vec![(200, json!({"language": "python"}))],
        "get one is no route" | "execute by post" => {
            vec![(405, json!({"code": "METHOD_NOT_ALLOWED"}))]
        }
        // A slash at the end does no harm.
        "list, trailing slash" => vec![(200, json!({}))],
        _ => vec![],
    }
}

/// What ours sends instead, and the close.
fn our_messages(name: &str) -> Option<(Vec<Value>, u16, &'static str)> {
    let message = |kind: &str, text: &str| json!({"type": kind, "text": text, "name": "", "value": "", "traceback": ""});
    let error = |name: &str, value: &str, traceback: &str| json!({"type": "error", "text": "", "name": name, "value": value, "traceback": traceback});
    let stdout = |text: &str| message("stdout", text);
    let completed = |first: Value| Some((vec![first, message("control", "completed")], 1000, ""));
    let from_line_1 = |last: &str| {
        format!("Traceback (most recent call last):\n  File \"<stdin>\", line 1\n{last}\n")
    };
    let died = |output: Option<Value>, how: &str| {
        let value = format!("the interpreter {how}; what was set in this context is lost");
        let error = error("WorkerEnded", &value, &format!("WorkerEnded: {value}\n"));
        Some((
            output.into_iter().chain([error]).collect(),
            1011,
            "worker process ended",
        ))
    };
    match name {
        "subprocess output" => completed(stdout("sub\n")),
        "context deleted while running" | "context deleted with one running and one queued" => {
            Some((vec![], 1001, "context deleted"))
        }
        "input" => completed(error(
            "EOFError",
            "EOF when reading a line",
            &from_line_1("EOFError: EOF when reading a line"),
        )),
        "keyboard interrupt by the user" => completed(error(
            "KeyboardInterrupt",
            "",
            &from_line_1("KeyboardInterrupt: "),
        )),
        "warnings" => completed(message(
            "stderr",
            "<cell>:1: UserWarning: w\n  import warnings; warnings.warn('w')\n",
        )),
        "names in the namespace" => completed(stdout(
            "__main__ False ['__builtins__', '__doc__', '__name__', '__package__']\n",
        )),
        "await at top level" => Some((vec![message("control", "completed")], 1000, "")),
        // The code alone shows it: clients that see `interrupted` first report success.
        "timeout" => Some((vec![], 4008, "")),
        "time limit, interruptible" => Some((vec![stdout("s\n")], 4008, "")),
        "time limit, try/finally" => Some((vec![stdout("cleanup\n")], 4008, "")),
        // Interrupted twice, and what became of the state is reported.
        "time limit, interrupt swallowed" => Some((
            vec![stdout("caught\ncaught\n")],
            4008,
            "the interrupt was not heeded; what was set in this context is lost",
        )),
        "os._exit" => died(Some(stdout("a\n")), "exited with code 3"),
        "killed" => died(None, "was ended by signal 9"),
        "printf without newline on fd 1" => completed(stdout("raw")),
        "forged line on fd 1" => completed(stdout("{\"type\":\"stdout\",\"text\":\"forged\"}\n")),
        "line over 1 MiB" => completed(stdout(&format!("{}\n", "x".repeat(1_200_000)))),
        _ if name.ends_with(": next") => completed(stdout("alive\n")),
        _ => None,
    }
}

impl Replay {
    /// Sends and receives the frames of an entry.
    async fn exchange_code(&mut self, entry: &Value, contexts: &mut BTreeMap<String, String>) {
        let name = text(&entry["name"]).to_owned();
        let ours = our_messages(&name);
        assert!(
            ours.is_some() || entry["fault"].is_null(),
            "{name} is a fault"
        );
        if ours.is_some() && !name.ends_with(": next") {
            has_reason(entry).unwrap();
        }
        let mut clients: BTreeMap<String, Exchange> = BTreeMap::new();
        for frame in entry["frames"].as_array().unwrap() {
            let key = frame["client"].as_str().unwrap_or_default().to_owned();
            if !clients.contains_key(&key) {
                let path = text(&entry["request"]["path"]);
                let client = self.server.upgrade(path, &[]).await.ok().unwrap();
                clients.insert(key.clone(), Exchange::new(client));
            }
            let frame = &self.filled(frame);
            let exchange = clients.get_mut(&key).unwrap();
            match (
                text(&frame["dir"]),
                frame["op"].as_str().unwrap_or_default(),
            ) {
                ("send", op) => {
                    let sent = frame["text"].as_str().unwrap_or_default();
                    let sent = self.with_contexts(sent, contexts).await;
                    let client = &mut exchange.client;
                    client.send(message(op, &sent, frame)).await;
                }
                ("recv", _) if ours.is_some() => {}
                ("recv", "text") => exchange.expect(frame, &name).await,
                ("recv", "pong") => exchange.expect_pong(text(&frame["text"])).await,
                ("recv", "close") => exchange.expect_close(frame, &name).await,
                ("recv", "nothing") => {
                    let silence = Duration::from_millis(300);
                    let more = tokio::time::timeout(silence, exchange.client.socket.next()).await;
                    assert!(more.is_err(), "{name}: {more:?}");
                }
                ("event", _) => drop(clients.remove(&key)),
                _ => panic!("{name}: {frame}"),
            }
        }
        if name.starts_with("context deleted") {
            let id = entry["frames"].to_string();
            let id = id
                .split("<context-")
                .nth(1)
                .unwrap()
                .split('>')
                .next()
                .unwrap();
            let path = format!(
                "/process/interpreter/context/{}",
                contexts[&format!("<context-{id}>")]
            );
            assert_eq!(
                self.server.send("DELETE", &path, &[], b"").await.status,
                200
            );
        }
        if let Some((messages, code, reason)) = ours {
            for exchange in clients.values_mut() {
                for message in &messages {
                    exchange.expected.push(message.clone());
                }
                let close = json!({"code": code, "reason": reason});
                exchange.expect_close(&close, &name).await;
            }
        }
    }

    /// A frame with what stands for the placeholders in its text.
    fn filled(&self, frame: &Value) -> Value {
        let mut frame = frame.clone();
        if let Some(text) = frame["text"].as_str() {
            frame["text"] = self.placeholders.fill(text).into();
        }
        frame
    }

    /// Puts the ids of contexts in the place of their names, and makes those that are not known yet.
    async fn with_contexts(
        &mut self,
        sent: &str,
        contexts: &mut BTreeMap<String, String>,
    ) -> String {
        let mut sent = sent.to_owned();
        while let Some(at) = sent.find("<context-").or_else(|| sent.find("<uuid>")) {
            let end = at + sent[at..].find('>').unwrap() + 1;
            let placeholder = sent[at..end].to_owned();
            if !contexts.contains_key(&placeholder) {
                let made = self
                    .server
                    .post("/process/interpreter/context", &[], json!({}))
                    .await;
                let id = text(&made.json()["id"]).to_owned();
                self.placeholders
                    .set(placeholder.trim_matches(['<', '>']), &id);
                contexts.insert(placeholder.clone(), id);
            }
            sent = sent.replace(&placeholder, &contexts[&placeholder]);
        }
        sent
    }
}

/// One client, with what is expected of what it receives.
struct Exchange {
    client: Client,
    expected: Vec<Value>,
    received: Vec<Value>,
    pongs: Vec<String>,
    close: Option<(u16, String)>,
}

impl Exchange {
    fn new(client: Client) -> Self {
        Self {
            client,
            expected: Vec::new(),
            received: Vec::new(),
            pongs: Vec::new(),
            close: None,
        }
    }

    /// Waits until there is as much as is expected so far.
    async fn expect(&mut self, frame: &Value, name: &str) {
        let expected = match frame["starts"].as_str() {
            // The traceback of a recursion, too long to keep.
            Some(_) => {
                json!({"type": "error", "name": "RecursionError", "value": "maximum recursion depth exceeded"})
            }
            None => serde_json::from_str(text(&frame["text"])).unwrap(),
        };
        self.expected.push(expected);
        while merged(&self.received).len() < merged(&self.expected).len() {
            assert!(self.receive().await, "{name}: {:?}", self.received);
        }
    }

    async fn expect_pong(&mut self, pong: &str) {
        while !self.pongs.iter().any(|other| other == pong) {
            assert!(self.receive().await, "no pong");
        }
    }

    async fn expect_close(&mut self, frame: &Value, name: &str) {
        while self.receive().await {}
        let (expected, received) = (merged(&self.expected), merged(&self.received));
        assert_eq!(
            expected.len(),
            received.len(),
            "{name}: {received:?} instead of {expected:?}"
        );
        for (expected, received) in expected.iter().zip(&received) {
            for (field, value) in expected.as_object().unwrap() {
                // Each Python has words of its own for what it cannot compile.
                let is_syntax =
                    ["SyntaxError", "IndentationError"].contains(&text(&expected["name"]));
                if is_syntax && ["value", "traceback"].contains(&field.as_str()) {
                    assert!(
                        text(&received[field]).contains("<string>"),
                        "{name}: {received}"
                    )
                } else {
                    let received = match field.as_str() {
                        "traceback" => without_lines(text(&received[field])).into(),
                        "text" => without_numbers(text(&received[field])).into(),
                        _ => received[field].clone(),
                    };
                    assert_eq!(*value, received, "{name}");
                }
            }
            let mut fields: Vec<_> = received.as_object().unwrap().keys().collect();
            fields.sort();
            assert_eq!(
                fields,
                ["name", "text", "traceback", "type", "value"],
                "{name}"
            );
        }
        let close = (
            frame["code"].as_u64().unwrap(),
            text(&frame["reason"]).to_owned(),
        );
        let actual = self
            .close
            .clone()
            .map(|(code, reason)| (u64::from(code), reason));
        assert_eq!(actual, Some(close), "{name}");
    }

    /// Takes one more message; false at the end.
    async fn receive(&mut self) -> bool {
        let next = tokio::time::timeout(Duration::from_secs(30), self.client.socket.next());
        match next.await.expect("a message or the end") {
            Some(Ok(Message::Text(text))) => {
                self.received.push(serde_json::from_str(&text).unwrap())
            }
            Some(Ok(Message::Pong(bytes))) => {
                self.pongs.push(String::from_utf8(bytes.to_vec()).unwrap());
            }
            Some(Ok(Message::Close(frame))) => {
                let told = |frame: CloseFrame| (frame.code.into(), frame.reason.to_string());
                self.close = Some(frame.map_or((1005, String::new()), told));
            }
            Some(Ok(Message::Ping(_))) => {}
            Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return false,
            other => panic!("{other:?}"),
        }
        true
    }
}

/// A traceback without the lines of the program, which the reference does not quote.
fn without_lines(traceback: &str) -> String {
    let mut is_quoted = false;
    let lines = traceback.split_inclusive('\n').filter(|line| {
        let is_frame = line.starts_with("  File \"<stdin>\", line ");
        let is_quote = is_quoted && line.starts_with("    ");
        is_quoted = is_frame;
        !is_quote
    });
    lines.collect()
}

/// A text without the numbers of pieces of code.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split("<cell ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "<cell" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// Joins pieces of one output that follow one another: where output is cut is chance.
fn merged(messages: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for message in messages {
        let is_output = ["stdout", "stderr"].contains(&text(&message["type"]));
        match merged.last_mut() {
            Some(last) if is_output && last["type"] == message["type"] => {
                let joined = format!("{}{}", text(&last["text"]), text(&message["text"]));
                last["text"] = joined.into();
            }
            _ => merged.push(message.clone()),
        }
    }
    merged
}

fn message(op: &str, text: &str, frame: &Value) -> Message {
    let is_final = frame["fin"] != json!(false);
    match op {
        "text" if is_final => Message::Text(text.into()),
        "text" => fragment(text, OpCode::Data(Data::Text), false),
        "continuation" => fragment(text, OpCode::Data(Data::Continue), true),
        "binary" => Message::Binary(text.to_owned().into()),
        "ping" => Message::Ping(text.to_owned().into()),
        "close" => Message::Close(Some(CloseFrame {
            code: 1000.into(),
            reason: "".into(),
        })),
        _ => panic!("{frame}"),
    }
}

fn fragment(text: &str, opcode: OpCode, is_final: bool) -> Message {
    Message::Frame(Frame::message(text.to_owned(), opcode, is_final))
}
