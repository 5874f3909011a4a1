//! What depends on the version of the client.

use serde_json::{Value, json};

use super::replay::Replay;
use super::request::{entries, text};
use super::tally::Tally;
use crate::client::Answer;

#[tokio::test]
async fn versions() {
    let replay = Replay::begin().await;
    let entries = entries(include_str!("../../data/versions.json"));
    let mut tally = Tally::of("versions");
    for (index, entry) in entries.iter().enumerate() {
        let version = entry["sdk_version"].as_str();
        let headers: Vec<_> = version
            .map(|version| ("X-Daytona-SDK-Version", version))
            .into_iter()
            .collect();
        let path = format!("/process/session/v{index}");
        let mut named = entry.clone();
        named["name"] = version.unwrap_or("no version").into();
        let check = async {
            check(&replay, entry, &path, &headers).await;
            Ok(())
        };
        tally.check(&named, check).await;
        replay.server.send("DELETE", &path, &[], b"").await;
    }
    tally.finish(entries.len());
    replay.end().await;
}

async fn check(replay: &Replay, entry: &Value, path: &str, headers: &[(&str, &str)]) {
    let server = &replay.server;
    let version = &entry["sdk_version"];
    let id = path.rsplit('/').next().unwrap();
    let create = json!({ "sessionId": id });
    server.post("/process/session", headers, create).await;
    let exec = async |command: &str| {
        let body = json!({"command": command, "commandId": "c"});
        let path = format!("{path}/exec");
        server.post(&path, headers, body).await.json()
    };
    let done = exec("echo o; echo e >&2").await;
    let expect = &entry["session_exec"];
    assert_eq!(
        form(text(&done["output"])),
        text(&expect["output"]),
        "{version}"
    );
    for channel in ["stdout", "stderr"] {
        assert_eq!(done[channel], expect[channel], "{version}");
    }

    let logs_path = format!("{path}/command/c/logs");
    let logs = server.get(&logs_path, headers).await;
    let expect = &entry["logs"];
    assert_eq!(form_of(&logs), text(&expect["form"]), "{version}");
    let content_type = logs.header("content-type");
    assert_eq!(content_type, expect["content_type"].as_str(), "{version}");

    let received = server.follow(&logs_path, headers).await.read_to_end().await;
    let followed = String::from_utf8(received.bytes()).unwrap();
    assert_eq!(
        form(&followed),
        text(&entry["websocket_follow"]),
        "{version}"
    );

    // Whether it has written anything yet is chance.
    let logs = server
        .get("/process/session/entrypoint/logs", headers)
        .await;
    let expect = text(&entry["entrypoint_logs"]);
    match form_of(&logs) {
        "json with output (markers), stdout, stderr" => assert_eq!(expect, "json", "{version}"),
        form if logs.body.is_empty() => assert_eq!(form, "text without markers"),
        form => assert_eq!(form, expect, "{version}"),
    }

    let body = json!({"command": "pwd"});
    let done = server.post(&format!("{path}/exec"), &[], body).await.json();
    let mut start = replay.placeholders.fill(text(&entry["start_directory"]));
    start.push('\n');
    assert_eq!(done["output"], start, "{version}");
}

fn form_of(logs: &Answer) -> &'static str {
    let body = String::from_utf8_lossy(&logs.body);
    match serde_json::from_str::<Value>(&body) {
        Ok(json) => {
            let output = text(&json["output"]);
            assert!(output.is_empty() || form(output) == "text with markers");
            assert!(json["stdout"].is_string() && json["stderr"].is_string());
            "json with output (markers), stdout, stderr"
        }
        Err(_) => form(&body),
    }
}

fn form(log: &str) -> &'static str {
    if log.contains(['\u{1}', '\u{2}']) {
        "text with markers"
    } else {
        "text without markers"
    }
}
