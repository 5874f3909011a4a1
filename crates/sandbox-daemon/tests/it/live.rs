//! Commands that run: what is given to them, and what of them is seen meanwhile.
//!
//! With a sketch of sessions, which takes no input and reports the output at the end, there is nothing to try.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, TestServer};
use crate::sessions::NEW;

/// A server with the session `s`, if sessions are the real ones.
async fn with_shell() -> Option<TestServer> {
    let server = TestServer::with_session().await;
    server.exec(json!({"command": "PROBE=1"})).await;
    let answer = server.exec(json!({"command": "echo $PROBE"})).await;
    (answer.json()["stdout"] == "1\n").then_some(server)
}

async fn stdout(server: &TestServer, command: &str) -> String {
    let logs = server.get(&format!("{command}/logs"), &NEW).await.json();
    logs["stdout"].as_str().unwrap().to_owned()
}

/// Sends raw input.
async fn raw(server: &TestServer, command: &str, query: &str, bytes: &[u8]) -> Answer {
    let headers = [("Content-Type", "application/octet-stream")];
    let path = format!("{command}/input{query}");
    server.send("POST", &path, &headers, bytes).await
}

#[tokio::test]
async fn input_is_lines_text_or_bytes() {
    let Some(server) = with_shell().await else {
        return;
    };
    let body = json!({"command": "od -An -c -v", "runAsync": true, "suppressInputEcho": true, "commandId": "c"});
    assert_eq!(server.exec(body).await.status, 202);
    let command = "/process/session/s/command/c";
    let input = format!("{command}/input");
    for body in [
        json!({"data": "line"}),
        json!({"data": "ra", "raw": true}),
        json!({"data": "w\n", "raw": false}),
    ] {
        assert_eq!(server.post(&input, &[], body).await.status, 204);
    }
    assert_eq!(raw(&server, command, "", b"\0\xff\x01").await.status, 204);
    assert_eq!(raw(&server, command, "?eof=true", b"!").await.status, 204);
    assert_eq!(server.exit_code(command).await, 0);
    let read: String = stdout(&server, command)
        .await
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(read, r"l i n e \n r a w \n \0 377 001 !");
    let answer = raw(&server, command, "", b"x").await;
    answer.expect_error(410, "COMMAND_ALREADY_COMPLETED");

    let command = server.start_command("cat; echo end").await;
    let eof = json!({"data": "last", "eof": true});
    let input = format!("{command}/input");
    assert_eq!(server.post(&input, &[], eof).await.status, 204);
    assert_eq!(server.exit_code(&command).await, 0);
    assert_eq!(stdout(&server, &command).await, "last\nlast\nend\n");
    server.end().await;
}

#[tokio::test]
async fn closed_input_is_a_conflict() {
    let Some(server) = with_shell().await else {
        return;
    };
    let command = server.start_command("sleep 30").await;
    assert_eq!(raw(&server, &command, "?eof=true", b"").await.status, 204);
    let answer = raw(&server, &command, "", b"x").await;
    answer.expect_error(409, "CONFLICT");
    server.ask_to_end();
    server.end().await;
}

#[tokio::test]
async fn commands_are_signaled() {
    let Some(server) = with_shell().await else {
        return;
    };
    let command = server
        .start_command("trap 'echo got' USR1; sh -c 'echo ready; exec sleep 1000'")
        .await;
    while stdout(&server, &command).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waiting = server.start_command("true").await;
    let signal = async |command: &str, signal| {
        let body = json!({ "signal": signal });
        server.post(&format!("{command}/signal"), &[], body).await
    };
    signal(&waiting, json!("TERM"))
        .await
        .expect_error(409, "CONFLICT");
    let begin = Instant::now();
    assert_eq!(signal(&command, json!("sigint")).await.status, 204);
    assert_eq!(server.exit_code(&command).await, 130);
    assert!(begin.elapsed() < crate::robust::PATIENCE);
    signal(&command, json!(15))
        .await
        .expect_error(410, "COMMAND_ALREADY_COMPLETED");
    server.end().await;
}

#[tokio::test]
async fn commands_have_limits_and_places_of_their_own() {
    let Some(server) = with_shell().await else {
        return;
    };
    let begin = Instant::now();
    let body = json!({"command": "echo part; sleep 1000", "timeoutMillis": 3000, "commandId": "c"});
    let answer = server.exec(body).await.json();
    assert!(begin.elapsed() < crate::robust::PATIENCE);
    assert_eq!(
        (&answer["exitCode"], &answer["stdout"]),
        (&json!(124), &json!("part\n"))
    );
    assert_eq!(answer["termination"]["kind"], "timed_out");
    let command = server.get("/process/session/s/command/c", &[]).await.json();
    assert_eq!(command["exitCode"], 124);

    server
        .exec(json!({"command": "true", "commandId": "c"}))
        .await
        .expect_error(409, "CONFLICT");
    let body = json!({"command": "pwd; echo $A$B", "cwd": "/usr", "envs": {"A": "x y", "B": null}});
    assert_eq!(server.exec(body).await.json()["stdout"], "/usr\nx y\n");
    let after = server
        .exec(json!({"command": "echo $A$B; [ $PWD = /usr ]"}))
        .await;
    assert_eq!(after.json()["stdout"], "\n");
    assert_eq!(after.json()["exitCode"], 1);
    for body in [
        json!({"command": "true", "cwd": "/nonexistent"}),
        json!({"command": "true", "envs": {"A-B": "1"}}),
    ] {
        server.exec(body).await.expect_error(400, "BAD_REQUEST");
    }
    server.end().await;
}

#[tokio::test]
async fn output_is_seen_while_the_command_runs() {
    let Some(server) = with_shell().await else {
        return;
    };
    let command = server
        .start_command("printf 'first? '; read x; echo second >&2; read y")
        .await;
    let path = format!("{command}/logs");
    let mut client = server.follow(&path, &NEW).await;
    let first = client.read_bytes("\u{1}\u{1}\u{1}first? ".len()).await;
    assert_eq!(first.split()[0], b"first? ");

    let mut stream = server.connect().await;
    let request = format!("GET {path}?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut streamed = String::new();
    while !streamed.ends_with("first? \r\n") {
        streamed.push(char::from(stream.read_u8().await.unwrap()));
    }
    raw(&server, &command, "", b"a\nb\n").await;
    let mut all = first;
    all.merge(client.read_to_end().await);
    all.expect_close(1000);
    let split = all.split().map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(split, ["first? a\nb\n", "second\n"]);
    while !streamed.ends_with("\r\n0\r\n\r\n") {
        streamed.push(char::from(stream.read_u8().await.unwrap()));
    }
    assert!(streamed.contains("second\n"), "{streamed}");
    server.end().await;
}

#[tokio::test]
async fn a_deleted_session_ends_its_followers() {
    let Some(server) = with_shell().await else {
        return;
    };
    let command = server.start_command("echo a; sleep 1000").await;
    let mut client = server.follow(&format!("{command}/logs"), &NEW).await;
    let begin = Instant::now();
    let deleting = server.send("DELETE", "/process/session/s", &[], b"");
    let (answer, received) = tokio::join!(deleting, client.read_to_end());
    assert_eq!(answer.status, 204);
    received.expect_close(1000);
    assert!(begin.elapsed() < crate::robust::PATIENCE);
    server.end().await;
}

/// What a slow follower has not read stays in the record, whatever the command writes meanwhile.
#[tokio::test]
async fn a_follower_that_stops_costs_no_memory() {
    let Some(server) = with_shell().await else {
        return;
    };
    let command = server
        .start_command("head -c 60000000 /dev/zero | tr '\\0' x")
        .await;
    let path = format!("{command}/logs");
    let mut stopped = Vec::new();
    for _ in 0..20 {
        stopped.push(server.follow(&path, &NEW).await);
    }
    assert_eq!(server.exit_code(&command).await, 0);
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap()
    };
    let before = memory();
    for _ in 0..20 {
        stopped.push(server.follow(&path, &NEW).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let more = memory().saturating_sub(before);
    assert!(
        more < 100_000,
        "20 followers that do not read cost {more} KiB"
    );
    let received = stopped.pop().unwrap().read_to_end().await;
    assert_eq!(received.split()[0].len(), 60_000_000);
    drop(stopped);
    server.end().await;
}
