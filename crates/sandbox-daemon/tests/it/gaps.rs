//! What clients learn of a log of which a part was not kept.

use std::time::Duration;

use serde_json::json;

use crate::client::{Answer, TestServer};
use crate::sessions::NEW;

/// Bytes of the log, of which nothing but the end is retained.
const TOTAL: usize = 1_188_894;

/// A server with such a log, and its path.
async fn with_gap() -> (TestServer, String) {
    let server = TestServer::with_record_bytes(0).await;
    server
        .post("/process/session", &[], json!({"sessionId": "s"}))
        .await;
    let command = server.start_command("seq 100001 269842").await;
    assert_eq!(server.exit_code(&command).await, 0);
    let logs = format!("{command}/logs");
    // Until it has settled, for which the shell must have closed its outputs: then there is less in memory.
    server.exec(json!({"command": "true"})).await;
    for _ in 0..1000 {
        let answer = server.get(&logs, &[]).await;
        let gap = answer.header("x-sandbox-log-gap").map(str::parse);
        if gap.is_some_and(|gap: Result<usize, _>| gap.unwrap() > TOTAL - 200_000) {
            return (server, logs);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the log does not settle");
}

/// How many bytes are missing by the line that says so.
fn noticed(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once("\n[... ")?;
    let (count, _) = rest.split_once(" bytes discarded ...]\n")?;
    count.parse().ok()
}

#[tokio::test]
async fn followers_learn_of_a_gap() {
    let (server, logs) = with_gap().await;
    let received = server.follow(&logs, &NEW).await.read_to_end().await;
    let [stdout, stderr] = received.split();
    let missing = noticed(&String::from_utf8(stderr).unwrap()).unwrap();
    assert_eq!(missing + stdout.len(), TOTAL);
    assert!(stdout.ends_with(b"269842\n"));
    let reason = format!("{missing} bytes of the log were discarded");
    assert_eq!(received.close, Some((1011, reason)));

    // A body in chunks does not reach its last one.
    let request =
        format!("GET {logs}?follow=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let raw = server.raw(request.as_bytes()).await;
    assert!(!raw.ends_with(b"\r\n0\r\n\r\n"));
    let body = String::from_utf8(Answer::parse(&raw).body).unwrap();
    assert_eq!(noticed(&body), Some(missing));
    assert!(body.ends_with("269842\n"));
    server.end().await;
}

#[tokio::test]
async fn responses_report_a_gap() {
    let (server, logs) = with_gap().await;
    let plain = server.get(&logs, &[]).await;
    let text = String::from_utf8(plain.body.clone()).unwrap();
    let missing = noticed(&text).unwrap();
    let kept = text.split_once(" ...]\n").unwrap().1;
    assert_eq!(missing + kept.len(), TOTAL);
    let answer = server.get(&logs, &NEW).await;
    for answer in [&plain, &answer] {
        assert_eq!(
            answer.header("x-sandbox-log-gap"),
            Some(&*missing.to_string())
        );
    }
    // This client takes a field that says so.
    let answer = answer.json();
    let truncation = json!({"totalBytes": TOTAL, "droppedBytes": missing});
    assert_eq!(answer["truncation"], truncation);
    assert_eq!(answer["stdout"], kept);
    assert_eq!(answer["stderr"], "");
    server.end().await;
}
