//! Soft time limits, as the protocols have them.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use sandbox_daemon::Access;
use sandbox_daemon::limits::BACKGROUND_EXECS;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Answer, TestServer};
use crate::robust::PATIENCE;

async fn execute(server: &TestServer, body: Value, headers: &[(&str, &str)]) -> Answer {
    server.post("/process/execute", headers, body).await
}

fn limited(millis: impl Into<Value>) -> Value {
    json!({"command": "echo begin; exec sleep 600", "softTimeoutMillis": millis.into()})
}

/// The response has an id in the place of an end, for a client that does not ask for extensions, too.
#[tokio::test]
async fn a_command_that_runs_on_has_an_id_and_no_end() {
    let server = TestServer::unix(Access::Open).await;
    for headers in [&[][..], &[("X-Daytona-SDK-Version", "0.190.0")]] {
        let answer = execute(&server, limited(1000), headers).await;
        assert_eq!(answer.status, 200);
        let mut body = answer.json();
        let id = body["execId"].take();
        // As far as it came.
        let so_far = body["result"].take();
        assert!("begin\n".starts_with(so_far.as_str().unwrap()), "{so_far}");
        let expect = json!({"result": null, "execId": null, "isolationLevel": "none"});
        assert_eq!(body, expect);
        let path = format!("/process/execute/{}", id.as_str().unwrap());
        let command = server.get(&path, &[]).await.json();
        assert_eq!(command["id"], id);
        assert_eq!(command.get("exitCode"), None);
        let begun = Instant::now();
        while server.get(&format!("{path}/logs"), &[]).await.body != b"begin\n" {
            assert!(begun.elapsed() < PATIENCE, "it does not begin");
        }
        let signal = json!({"signal": "KILL"});
        let signaled = server.post(&format!("{path}/signal"), &[], signal).await;
        assert_eq!(signaled.status, 204);
        // To its end, over plain HTTP.
        let log = server.get(&format!("{path}/logs?follow=true"), &[]).await;
        assert_eq!(log.body, b"begin\n");
        let command = server.get(&path, &[]).await.json();
        assert_eq!(command["exitCode"], 137);
        server
            .get(&format!("{path}/logs?offset=7"), &[])
            .await
            .expect_error(416, "RANGE_NOT_SATISFIABLE");
    }
    server.end().await;
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused() {
    let server = TestServer::unix(Access::Open).await;
    for bad in [json!(-1), json!("1"), json!(1.5), json!(1e30), json!([])] {
        let answer = execute(&server, limited(bad), &[]).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    for hard in [json!({"timeout": 1}), json!({"timeoutMillis": 999})] {
        let mut body = limited(1000);
        body.as_object_mut()
            .unwrap()
            .extend(hard.as_object().unwrap().clone());
        execute(&server, body, &[])
            .await
            .expect_error(400, "BAD_REQUEST");
    }
    // None, and one that no command reaches.
    for none in [json!(0), Value::Null, json!(u64::MAX)] {
        let body = json!({"command": "echo end", "softTimeoutMillis": none});
        let answer = execute(&server, body, &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["exitCode"]),
            (200, &json!(0))
        );
    }
    server.end().await;
}

#[tokio::test]
async fn a_command_that_is_followed_has_none() {
    let server = TestServer::unix(Access::Open).await;
    let protocol = [("Sec-WebSocket-Protocol", "sandbox.exec.v1")];
    let upgraded = server.upgrade("/process/execute/connect", &protocol).await;
    let mut client = upgraded.ok().unwrap();
    let first = json!({"type": "start", "request": limited(1)});
    let first = Message::text(first.to_string());
    client.socket.send(first).await.unwrap();
    let (texts, _, code) = crate::stream::read(&mut client).await;
    assert_eq!((&texts[0]["code"], code), (&json!("BAD_REQUEST"), 1008));
    server.end().await;
}

/// A response that is sent again is that of the first request, with the same id.
#[tokio::test]
async fn a_repeated_request_finds_the_same_command() {
    let server = TestServer::unix(Access::Open).await;
    let key = [("Idempotency-Key", "soft")];
    let first = execute(&server, limited(100), &key).await.json();
    let second = execute(&server, limited(100), &key).await.json();
    assert!(first["execId"].is_string());
    assert_eq!(first["execId"], second["execId"]);
    let other = execute(&server, limited(200), &key).await;
    other.expect_error(409, "CONFLICT");
    server.end().await;
}

#[tokio::test]
async fn commands_with_a_soft_limit_are_limited_in_number() {
    let server = TestServer::unix(Access::Open).await;
    let mut ids = Vec::new();
    for _ in 0..BACKGROUND_EXECS {
        let answer = execute(&server, limited(1), &[]).await.json();
        ids.push(answer["execId"].as_str().unwrap().to_owned());
    }
    let refused = execute(&server, limited(1), &[]).await;
    refused.expect_error(429, "TOO_MANY_REQUESTS");
    // Others run, and the end of one makes room.
    let plain = execute(&server, json!({"command": "echo x"}), &[]).await;
    assert_eq!(plain.json()["result"], "x\n");
    let path = format!("/process/execute/{}", ids[0]);
    let signal = json!({"signal": "KILL"});
    server.post(&format!("{path}/signal"), &[], signal).await;
    server.get(&format!("{path}/logs?follow=true"), &[]).await;
    // The end is reported a moment before there is room.
    let begun = Instant::now();
    while execute(&server, limited(1), &[]).await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "there is no room");
    }
    // They end with the daemon.
    server.end().await;
}

/// One whose client has left runs on, and counts.
#[tokio::test]
async fn commands_of_clients_that_left_are_limited_in_number() {
    let server = TestServer::unix(Access::Open).await;
    // An argument that no other process has.
    let seconds = (1_000_000 + std::process::id()).to_string();
    let command = format!("exec sleep {seconds}");
    let begun = Instant::now();
    for round in 0.. {
        let body = json!({"command": command, "softTimeoutMillis": 600_000});
        // The client leaves at any moment of its start.
        let wait = Duration::from_millis(round % 20);
        if let Ok(answer) = timeout(wait, execute(&server, body, &[])).await {
            answer.expect_error(429, "TOO_MANY_REQUESTS");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "they do not count");
    }
    let running = processes_with(&seconds);
    assert!(running <= BACKGROUND_EXECS, "{running} commands run");
    server.end().await;
}

fn processes_with(argument: &str) -> usize {
    let argument = format!("\0{argument}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let words = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    words
        .filter(|words| String::from_utf8_lossy(words).contains(&argument))
        .count()
}
