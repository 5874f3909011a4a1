//! Sessions over HTTP: what the recordings do not say.

use std::time::Duration;

use sandbox_daemon::Access;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, TestServer, token};

/// An SDK of today.
pub(crate) const NEW: [(&str, &str); 1] = [("X-Daytona-SDK-Version", "0.226.1")];

impl TestServer {
    /// A server with the session `s`.
    pub(crate) async fn with_session() -> Self {
        let server = Self::tcp(Access::Open).await;
        let body = json!({"sessionId": "s"});
        let answer = server.post("/process/session", &[], body).await;
        assert_eq!((answer.status, answer.body.len()), (201, 0));
        server
    }

    /// Starts a command of the session `s` and returns its path.
    pub(crate) async fn start_command(&self, command: &str) -> String {
        let body = json!({"command": command, "runAsync": true});
        let answer = self.exec(body).await;
        assert_eq!(answer.status, 202);
        let id = answer.json()["cmdId"].as_str().unwrap().to_owned();
        format!("/process/session/s/command/{id}")
    }

    pub(crate) async fn exec(&self, body: Value) -> Answer {
        self.post("/process/session/s/exec", &NEW, body).await
    }

    /// Waits for a command's end and returns its exit code.
    pub(crate) async fn exit_code(&self, command: &str) -> i64 {
        let deadline = std::time::Instant::now() + crate::robust::PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Some(code) = self.get(command, &[]).await.json()["exitCode"].as_i64() {
                return code;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{command} does not end");
    }
}

#[tokio::test]
async fn ids_may_hold_anything_that_can_be_addressed() {
    let server = TestServer::tcp(Access::Open).await;
    for (id, path) in [
        ("a b", "a%20b"),
        ("é漢", "%C3%A9%E6%BC%A2"),
        ("$(touch x)`y`", "$(touch%20x)%60y%60"),
        ("100%", "100%25"),
        ("entrypoints", "entrypoints"),
    ] {
        let create = json!({"sessionId": id});
        let answer = server.post("/process/session", &[], create.clone()).await;
        assert_eq!(answer.status, 201, "{id}");
        server
            .post("/process/session", &[], create)
            .await
            .expect_error(409, "CONFLICT");
        let path = format!("/sandbox-id/process/session/{path}");
        assert_eq!(server.get(&path, &[]).await.json()["sessionId"], id);
        let answer = server.send("DELETE", &path, &[], b"").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        server
            .get(&path, &[])
            .await
            .expect_error(404, "PROCESS_NOT_FOUND");
    }
    for id in ["..", ".", "a/b", "../x", "a\nb", "\u{0}", "\u{1b}[2J"] {
        let answer = server
            .post("/process/session", &[], json!({"sessionId": id}))
            .await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    let made = std::fs::read_dir(server.engine.work_dir()).unwrap().count();
    assert_eq!(made, 0, "an id became a file or a command");
    server.end().await;
}

#[tokio::test]
async fn commands_have_the_extensions() {
    let server = TestServer::with_session().await;
    let answer = server
        .exec(json!({"command": "echo out; echo err >&2; exit 3", "commandId": "my own"}))
        .await;
    assert_eq!(answer.status, 200);
    let done = answer.json();
    assert_eq!(done["cmdId"], "my own");
    assert_eq!(
        (&done["stdout"], &done["stderr"], &done["exitCode"]),
        (&json!("out\n"), &json!("err\n"), &json!(3))
    );
    assert_eq!(done["termination"]["kind"], "exited");
    for id in ["", "a/b", ".."] {
        server
            .exec(json!({"command": "true", "commandId": id}))
            .await
            .expect_error(400, "BAD_REQUEST");
    }
    let path = "/process/session/s/command/my%20own";
    let command = server.get(path, &[]).await.json();
    assert_eq!(
        (&command["id"], &command["exitCode"]),
        (&json!("my own"), &json!(3))
    );
    server.end().await;
}

#[tokio::test]
async fn strict_clients_get_no_extension() {
    let server = TestServer::with_session().await;
    let go = [
        ("X-Daytona-Source", "sdk-go"),
        ("X-Daytona-SDK-Version", "0.187.0"),
    ];
    let body = json!({"command": "echo a", "commandId": "c"});
    let answer = server.post("/process/session/s/exec", &go, body).await;
    assert_eq!(
        answer.json(),
        json!({"cmdId": "c", "output": "\u{1}\u{1}\u{1}a\n", "stdout": "a\n", "stderr": "", "exitCode": 0})
    );
    let path = "/process/session/s/command/c";
    assert_eq!(
        server.get(path, &go).await.json(),
        json!({"id": "c", "command": "echo a", "exitCode": 0})
    );
    assert_eq!(
        server.get(&format!("{path}/logs"), &go).await.json(),
        json!({"output": "\u{1}\u{1}\u{1}a\n", "stdout": "a\n", "stderr": ""})
    );
    server.end().await;
}

#[tokio::test]
async fn input_and_signals_are_refused_as_they_should_be() {
    let server = TestServer::with_session().await;
    let ended = server.start_command("true").await;
    server.exit_code(&ended).await;
    let post = async |path: &str, body: Value| server.post(path, &[], body).await;
    let line = json!({"data": "x"});
    // The sketch of a session takes no input at all; what has ended is distinguished by the real one alone.
    let answer = post(&format!("{ended}/input"), line.clone()).await;
    assert!(matches!(answer.status, 409 | 410), "{answer:?}");
    let unknown = "/process/session/s/command/none";
    post(&format!("{unknown}/input"), line.clone())
        .await
        .expect_error(404, "PROCESS_NOT_FOUND");
    for bad in [
        json!({}),
        json!({"data": ""}),
        json!({"data": 1}),
        json!([]),
    ] {
        post(&format!("{ended}/input"), bad)
            .await
            .expect_error(400, "INVALID_REQUEST_BODY");
    }
    let raw = [("Content-Type", "application/octet-stream; x=y")];
    let path = format!("{ended}/input");
    let answer = server.send("POST", &path, &raw, b"").await;
    answer.expect_error(400, "INVALID_REQUEST_BODY");
    let answer = server.send("POST", &path, &raw, b"\0\xff").await;
    assert!(matches!(answer.status, 409 | 410), "{answer:?}");

    let signal = json!({"signal": "INT"});
    post(&format!("{ended}/signal"), signal.clone())
        .await
        .expect_error(410, "COMMAND_ALREADY_COMPLETED");
    post(&format!("{unknown}/signal"), signal)
        .await
        .expect_error(404, "PROCESS_NOT_FOUND");
    for (bad, code) in [
        (json!({"signal": "NOPE"}), "BAD_REQUEST"),
        (json!({"signal": 0}), "BAD_REQUEST"),
        (json!({"signal": true}), "INVALID_REQUEST_BODY"),
        (json!({}), "INVALID_REQUEST_BODY"),
    ] {
        post(&format!("{ended}/signal"), bad)
            .await
            .expect_error(400, code);
    }
    server.end().await;
}

#[tokio::test]
async fn logs_are_read_from_an_offset() {
    let server = TestServer::with_session().await;
    let command = server.start_command("printf 0123456789").await;
    server.exit_code(&command).await;
    let text = async |query: &str| server.get(&format!("{command}/logs{query}"), &[]).await;
    for (query, expect) in [
        ("", "0123456789"),
        ("?offset=0", "0123456789"),
        ("?offset=4", "456789"),
        ("?offset=10", ""),
        ("?offset=4&follow=true", "456789"),
        ("?follow=true", "0123456789"),
    ] {
        let answer = text(query).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(String::from_utf8_lossy(&answer.body), expect, "{query}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("x-sandbox-log-gap"), None);
    }
    for query in [
        "?offset=11",
        "?offset=11&follow=true",
        "?offset=18446744073709551615",
    ] {
        text(query).await.expect_error(416, "RANGE_NOT_SATISFIABLE");
    }
    for query in [
        "?offset=-1",
        "?offset=",
        "?offset=x",
        "?offset=18446744073709551616",
    ] {
        text(query).await.expect_error(400, "BAD_REQUEST");
    }
    let split = server
        .get(&format!("{command}/logs?offset=8"), &NEW)
        .await
        .json();
    assert_eq!(
        split,
        json!({"output": "\u{1}\u{1}\u{1}89", "stdout": "89", "stderr": ""})
    );
    server.end().await;
}

#[tokio::test]
async fn a_log_of_a_running_command_is_followed_over_plain_http() {
    let server = TestServer::with_session().await;
    let command = server.start_command("sleep 0.3; echo done; exit 4").await;
    let path = format!("{command}/logs?follow=true");
    let answer = server.get(&path, &[]).await;
    assert_eq!(answer.body, b"done\n");
    assert_eq!(server.get(&command, &[]).await.json()["exitCode"], 4);
    server.end().await;
}

#[tokio::test]
async fn a_streamed_log_is_cut_off_at_shutdown() {
    let server = TestServer::with_session().await;
    let command = server.start_command("sleep 60").await;
    let mut stream = server.connect().await;
    let request = format!("GET {command}/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    server.end().await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the body claims to be whole");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_command() {
    let server = TestServer::with_session().await;
    let body = json!({"command": "sleep 0.3; touch done", "commandId": "c"}).to_string();
    let mut stream = server.connect().await;
    let request = format!(
        "POST /process/session/s/exec HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let path = "/process/session/s/command/c";
    while server.get(path, &[]).await.status == 404 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(server.exit_code(path).await, 0);
    assert!(server.engine.work_dir().join("done").exists());
    server.end().await;
}

#[tokio::test]
async fn the_daemon_describes_its_machine() {
    let server = TestServer::tcp(token()).await;
    let token = [("X-Sandbox-Token", "s3cret")];
    let metrics = server.get("/system/metrics", &token).await.json();
    for field in ["cpuCount", "memTotal", "memUsed", "diskTotal", "diskFree"] {
        assert!(
            metrics[field].as_u64().is_some_and(|value| value > 0),
            "{metrics}"
        );
    }
    assert!(metrics["memUsed"].as_u64() < metrics["memTotal"].as_u64());
    let answer = server
        .post("/init", &token, json!({"token": "another"}))
        .await;
    assert_eq!(answer.status, 200);
    // The token is still the first one.
    assert_eq!(server.get("/version", &token).await.status, 200);
    server.end().await;
}
