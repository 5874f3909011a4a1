//! Logs over WebSocket, and the handshakes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::compare::error_code;
use super::replay::Replay;
use super::request::{entries, headers, status, text};
use super::tally::Tally;
use crate::client::Answer;
use crate::socket::{Client, Received};

/// What the recordings do not say: the command that was followed, and what was done meanwhile.
struct Case {
    name: &'static str,
    command: &'static str,
    when: When,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Running,
    /// After another command.
    Queued,
    Ended,
}

const CASES: [Case; 29] = {
    use When::{Ended, Queued, Running};
    const fn case(name: &'static str, command: &'static str, when: When) -> Case {
        Case {
            name,
            command,
            when,
        }
    }
    const fn shell(name: &'static str, command: &'static str) -> Case {
        Case {
            ..case(name, command, Running)
        }
    }
    const BOTH: &str = "echo a; echo b >&2";
    const SLOWLY: &str = "echo a; sleep 0.2; echo b >&2";
    const LINE: &str = "head -c 3000 /dev/zero | tr '\\0' x; echo";
    [
        case(
            "follow",
            "echo a; echo b >&2; sleep 0.3; echo d >&2; echo c",
            Running,
        ),
        case("follow after the end", BOTH, Ended),
        case("follow, combined sdk", BOTH, Running),
        case("follow, version by subprotocol", BOTH, Ended),
        case("upgrade without follow", "sleep 30", Running),
        case("follow, foreign origin", "echo a", Running),
        shell("session deleted under a follower", "sleep 30"),
        case(
            "upgrade without follow, 60 times on a finished log",
            BOTH,
            Ended,
        ),
        case("follow, sdk 0.130", SLOWLY, Running),
        case("follow, no version", SLOWLY, Running),
        case("follow, no version, split header", SLOWLY, Running),
        case("follow of no output", "true", Running),
        case("follow of no output, combined sdk", "true", Running),
        case("follow of no output, after the end", "true", Ended),
        case(
            "follow of no output after the end, combined sdk",
            "true",
            Ended,
        ),
        case("follow, follow=TRUE", "echo a", Ended),
        case("follow, exit code 3", "sleep 0.3; echo a; exit 3", Running),
        shell(
            "follow, prompt without newline",
            "printf 'Name: '; read name",
        ),
        case(
            "follow, bytes 0.2 s apart",
            "echo 1; sleep 0.2; echo 2; sleep 0.2; echo 3",
            Running,
        ),
        case("follow, 3000-byte line", LINE, Running),
        case("upgrade without follow, finished", BOTH, Ended),
        case("upgrade without follow, 3000-byte line", LINE, Ended),
        case("ping while it is silent", "sleep 0.5; echo a", Running),
        shell("client closes first", "echo a; sleep 30"),
        case(
            "client sends text",
            "sleep 0.3; echo a; sleep 0.3; echo b",
            Running,
        ),
        case("two followers", BOTH, Running),
        shell("input while following", "read a; echo got:$a"),
        case("follow of a queued command", "echo second", Queued),
        case(
            "follow of a command that ended its shell",
            "echo out; exit 7",
            Running,
        ),
    ]
};

/// Entries that follow no command of the test's.
const OTHERS: [&str; 6] = [
    "unknown command",
    "unknown session",
    "entrypoint",
    "entrypoint, no version",
    "entrypoint, sdk 0.26",
    "entrypoint without follow",
];

#[tokio::test]
async fn websocket() {
    let replay = Replay::begin().await;
    let entries = entries(include_str!("../../data/ws-logs.json"));
    for name in CASES.iter().map(|case| case.name).chain(OTHERS) {
        assert!(entries.iter().any(|entry| entry["name"] == name), "{name}");
    }
    let mut tally = Tally::of("ws-logs");
    for entry in &entries {
        let name = text(&entry["name"]);
        let path = text(&entry["request"]["path"]);
        if let Some(reason) = replay.not_asked(entry) {
            tally.pass_over(entry, reason);
            continue;
        }
        let Some(case) = CASES.iter().find(|case| case.name == name) else {
            assert!(OTHERS.contains(&name), "{name} is not known");
            let check = async {
                replay.follow(entry, path).await;
                Ok(())
            };
            tally.check(entry, check).await;
            continue;
        };
        let (session, cid) = (
            path.split('/').nth(3).unwrap(),
            path.split('/').nth(5).unwrap(),
        );
        let session = format!("/process/session/{session}");
        let check = async {
            let id = replay.start(&session, case).await;
            replay.follow(entry, &path.replace(cid, &id)).await;
            Ok(())
        };
        tally.check(entry, check).await;
        replay.server.send("DELETE", &session, &[], b"").await;
    }
    tally.finish(entries.len());
    replay.end().await;
}

#[tokio::test]
async fn handshakes() {
    let replay = Replay::begin().await;
    let case = Case {
        name: "",
        command: "echo a",
        when: When::Ended,
    };
    let id = replay.start("/process/session/vec-h", &case).await;
    let logs = format!("/process/session/vec-h/command/{id}/logs?follow=true");
    let entries = entries(include_str!("../../data/ws-handshake.json"));
    let mut tally = Tally::of("ws-handshake");
    for entry in &entries {
        let check = async {
            replay.shake_hands(entry.clone(), &logs).await;
            Ok(())
        };
        tally.check(entry, check).await;
    }
    tally.finish(entries.len());
    replay.end().await;
}

impl Replay {
    async fn shake_hands(&self, mut entry: Value, logs: &str) {
        let name = text(&entry["name"]).to_owned();
        let (route, kind) = name.split_once(": ").unwrap();
        if route == "pty" {
            // The reference upgrades before it looks.
            entry["status"] = 404.into();
            let refused = self.follow(&entry, text(&entry["request"]["path"])).await;
            assert!(refused.is_some(), "{name}");
            return;
        }
        if name == "logs: upgrade in mixed case" {
            // The reference takes it for a plain GET; ours upgrades.
            entry["status"] = 101.into();
        }
        // The recordings do not have the headers of the handshake itself.
        let changed = match kind {
            "upgrade in mixed case" => ("Upgrade", "WebSocket"),
            "connection keep-alive, Upgrade" => ("Connection", "keep-alive, Upgrade"),
            "connection in lower case" => ("Connection", "upgrade"),
            "no connection header" => ("Connection", ""),
            "version 8" => ("Sec-WebSocket-Version", "8"),
            "no version" => ("Sec-WebSocket-Version", ""),
            "deflate offered" => ("Sec-WebSocket-Extensions", "permessage-deflate"),
            "version token and header" => ("X-Daytona-SDK-Version", "0.226.1"),
            "plain"
            | "unknown subprotocol"
            | "version token"
            | "version token second"
            | "empty version token" => ("X-Nothing", "1"),
            _ => panic!("{name} is not known"),
        };
        entry["request"]["headers"][changed.0] = changed.1.into();
        let path = match route {
            "interpreter" => "/process/interpreter/execute",
            _ => logs,
        };
        let refused = self.follow(&entry, path).await;
        if let Some(refused) = refused {
            assert_eq!(
                refused.header("sec-websocket-version"),
                Some("13"),
                "{name}"
            );
        }
    }

    /// Starts the command of a case in a session of its own and returns its id.
    async fn start(&self, session: &str, case: &Case) -> String {
        let server = &self.server;
        let id = session.rsplit('/').next().unwrap();
        let created = server
            .post("/process/session", &[], json!({"sessionId": id}))
            .await;
        assert_eq!(created.status, 201);
        let exec = async |command: &str| {
            let body = json!({"command": command, "runAsync": true});
            let answer = server.post(&format!("{session}/exec"), &[], body).await;
            text(&answer.json()["cmdId"]).to_owned()
        };
        if case.when == When::Queued {
            exec("sleep 0.3").await;
        }
        let id = exec(case.command).await;
        if case.when == When::Ended {
            server.exit_code(&format!("{session}/command/{id}")).await;
        }
        id
    }

    /// Upgrades as recorded and compares what comes; returns the response of an upgrade that was rightly refused.
    async fn follow(&self, entry: &Value, path: &str) -> Option<Answer> {
        let name = text(&entry["name"]);
        let request = &entry["request"];
        let offered = request["subprotocols"].as_array().into_iter().flatten();
        let offered = offered.map(text).collect::<Vec<_>>().join(", ");
        let mut headers = headers(request);
        headers.push(("Sec-WebSocket-Protocol", &offered));
        let recorded = match name {
            "follow, foreign origin" => 403,
            _ => status(entry).unwrap(),
        };
        let count = match name {
            "two followers" => 2,
            "upgrade without follow, 60 times on a finished log" => 60,
            _ => 1,
        };
        let mut clients = Vec::new();
        for _ in 0..count {
            match self.server.upgrade(path, &headers).await {
                Ok(client) => clients.push(client),
                Err(refused) => {
                    assert_eq!(refused.status, recorded, "{name}: {refused:?}");
                    let code = error_code(&refused).unwrap();
                    if recorded == 404 {
                        assert_eq!(code, "PROCESS_NOT_FOUND", "{name}");
                    }
                    return Some(refused);
                }
            }
        }
        assert_eq!(recorded, 101, "{name}");
        let selected = entry["headers"]["Sec-WebSocket-Protocol"].as_str();
        for mut client in clients {
            let answered = client.answer.header("sec-websocket-protocol");
            assert_eq!(
                answered,
                selected.map(str::to_lowercase).as_deref(),
                "{name}"
            );
            self.exchange(name, &frames(entry), &mut client, path).await;
        }
        None
    }

    /// Sends and receives the frames of one client.
    async fn exchange(&self, name: &str, frames: &[Value], client: &mut Client, path: &str) {
        let mut expect = String::new();
        let mut received = Received::default();
        let mut pongs: Vec<Bytes> = Vec::new();
        let mut is_open = false;
        for frame in frames {
            match (text(&frame["dir"]), text(&frame["op"])) {
                ("recv", "binary") => expect.push_str(text(&frame["text"])),
                ("recv", "pong") => pongs.push(text(&frame["text"]).to_owned().into()),
                ("recv", "close") => {
                    // Ours replies to a close with its reason, too.
                    let reason = match name {
                        "client closes first" => "bye",
                        _ => text(&frame["reason"]),
                    };
                    let code = u16::try_from(frame["code"].as_u64().unwrap()).unwrap();
                    received.merge(client.read_to_end().await);
                    assert_eq!(received.close, Some((code, reason.to_owned())), "{name}");
                }
                ("recv", "nothing") => {
                    is_open = true;
                    received.merge(client.read_bytes(expect.len()).await);
                    let silence = Duration::from_millis(300);
                    let more = tokio::time::timeout(silence, client.socket.next()).await;
                    assert!(more.is_err(), "{name}: {more:?}");
                }
                ("send", op) => {
                    received.merge(client.read_bytes(expect.len()).await);
                    let message = match op {
                        "ping" => Message::Ping(text(&frame["text"]).to_owned().into()),
                        "text" => Message::Text(text(&frame["text"]).into()),
                        "close" => Message::Close(Some(CloseFrame {
                            code: 1000.into(),
                            reason: text(&frame["reason"]).into(),
                        })),
                        _ => panic!("{frame}"),
                    };
                    client.socket.send(message).await.unwrap();
                }
                ("input", line) => {
                    if line == "x" {
                        received.merge(client.read_bytes("\u{1}\u{1}\u{1}Name: ".len()).await);
                    }
                    let input = path.replace("/logs?follow=true", "/input");
                    let answer = self.server.post(&input, &[], json!({ "data": line })).await;
                    assert_eq!(answer.status, 204, "{name}");
                }
                ("delete", _) => {
                    let session = path.split("/command").next().unwrap();
                    let answer = self.server.send("DELETE", session, &[], b"").await;
                    assert_eq!(answer.status, 204, "{name}");
                }
                _ => panic!("{name}: {frame}"),
            }
        }
        if frames.is_empty() {
            received.merge(client.read_to_end().await);
            return;
        }
        let actual = String::from_utf8(received.bytes()).unwrap();
        if !is_open || !actual.is_empty() {
            let compared = self
                .placeholders
                .compare_log(&sorted(name, &expect), &sorted(name, &actual));
            compared.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(received.pongs, pongs, "{name}");
    }
}

/// The frames of one client, with what was done meanwhile, and with what is ours instead of faults.
fn frames(entry: &Value) -> Vec<Value> {
    let recorded = entry["frames"].as_array().into_iter().flatten();
    let of_one = recorded.filter(|frame| frame["client"] != "b");
    let mut frames: Vec<_> = of_one.cloned().collect();
    let close = json!({"dir": "recv", "op": "close", "code": 1000, "reason": ""});
    let input = |line: &str| json!({"dir": "input", "op": line});
    match text(&entry["name"]) {
        // The recordings have events of the same kind for some, and none for others.
        "session deleted under a follower" => {
            frames.retain(|frame| frame["dir"] != "event");
            frames.insert(0, json!({"dir": "delete", "op": ""}));
        }
        "follow, prompt without newline" => {
            frames.retain(|frame| frame["dir"] != "event");
            frames.insert(0, input("x"));
        }
        "input while following" => {
            frames.retain(|frame| frame["dir"] != "event");
            frames.insert(0, input("one"));
        }
        "follow of a command that ended its shell" => {
            frames.retain(|frame| frame["op"] != "nothing");
            frames.push(close);
        }
        "upgrade without follow, 60 times on a finished log" => {
            let log = "\u{1}\u{1}\u{1}a\n\u{2}\u{2}\u{2}b\n";
            frames.push(json!({"dir": "recv", "op": "binary", "text": log}));
            frames.push(close);
        }
        "logs: upgrade in mixed case" => {
            frames.push(json!({"dir": "recv", "op": "binary", "text": "\u{1}\u{1}\u{1}a\n"}));
            frames.push(close);
        }
        _ => {}
    }
    frames
}

/// Input is logged before, after or between what it causes.
fn sorted(name: &str, log: &str) -> String {
    if name != "input while following" {
        return log.to_owned();
    }
    let mut lines: Vec<_> = log
        .split_inclusive('\n')
        .map(|line| line.trim_start_matches('\u{1}'))
        .collect();
    lines.sort_unstable();
    format!("\u{1}\u{1}\u{1}{}", lines.concat())
}
