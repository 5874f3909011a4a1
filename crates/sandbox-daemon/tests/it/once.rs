//! Requests that carry a name are carried out once.

use sandbox_daemon::Access;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::client::TestServer;

const KEY: &str = "Idempotency-Key";

/// How often a command has run that adds a line here.
fn runs(file: &std::path::Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_gets_the_response_to_the_first() {
    let server = TestServer::tcp(Access::Open).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("runs");
    let command = format!("echo run >> {}; echo $$; exit 3", file.display());
    let body = json!({ "command": command });
    let first = server
        .post("/process/execute", &[(KEY, "a b-1")], body.clone())
        .await;
    assert_eq!(
        (first.status, first.json()["exitCode"].as_i64()),
        (200, Some(3))
    );
    assert_eq!(first.header("idempotency-replayed"), None);
    for _ in 0..3 {
        let again = server
            .post("/process/execute", &[(KEY, "a b-1")], body.clone())
            .await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(runs(&file), 1);
    // Another name, and no name, are other requests.
    server
        .post("/process/execute", &[(KEY, "2")], body.clone())
        .await;
    server.post("/process/execute", &[], body).await;
    assert_eq!(runs(&file), 3);

    // Refusals are responses, too.
    let blank = json!({ "command": " " });
    let refused = server
        .post("/process/execute", &[(KEY, "3")], blank.clone())
        .await;
    let again = server.post("/process/execute", &[(KEY, "3")], blank).await;
    assert_eq!((refused.status, &refused.body), (400, &again.body));

    let created = json!({ "sessionId": "s" });
    for expect in [None, Some("true")] {
        let answer = server
            .post("/process/session", &[(KEY, "4")], created.clone())
            .await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (201, expect)
        );
    }
    let exec = json!({ "command": format!("echo run >> {}", file.display()), "runAsync": true });
    let path = "/process/session/s/exec";
    let first = server.post(path, &[(KEY, "5")], exec.clone()).await;
    let again = server.post(path, &[(KEY, "5")], exec).await;
    assert_eq!((first.status, &first.body), (202, &again.body));
    let commands = server.get("/process/session/s", &[]).await.json();
    assert_eq!(commands["commands"].as_array().unwrap().len(), 1);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_takes_no_response_along() {
    let server = TestServer::tcp(Access::Open).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("runs");
    let command = format!("echo run >> {}; sleep 1; echo done", file.display());
    let body = json!({ "command": command }).to_string();
    let request = format!(
        "POST /process/execute HTTP/1.1\r\nHost: localhost\r\n{KEY}: cut\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    crate::robust::eventually(|| runs(&file) == 1).await;
    drop(stream);
    // Several at once, while it still runs.
    let again = || server.send("POST", "/process/execute", &[(KEY, "cut")], body.as_bytes());
    let (one, two) = tokio::join!(again(), again());
    for answer in [one, two] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["result"], "done\n");
        assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    }
    assert_eq!(runs(&file), 1);
    server.end().await;
}

#[tokio::test]
async fn a_name_belongs_to_one_request() {
    let server = TestServer::tcp(Access::Open).await;
    let body = json!({ "command": "echo a" });
    let first = server
        .post("/process/execute", &[(KEY, "k")], body.clone())
        .await;
    assert_eq!(first.status, 200);
    let other = json!({ "command": "echo b" });
    let refused = server.post("/process/execute", &[(KEY, "k")], other).await;
    refused.expect_error(409, "CONFLICT");
    let refused = server
        .post("/process/code-run", &[(KEY, "k")], body.clone())
        .await;
    refused.expect_error(409, "CONFLICT");
    for bad in ["", &"k".repeat(256), "k\u{e9}"] {
        let refused = server
            .post("/process/execute", &[(KEY, bad)], body.clone())
            .await;
        refused.expect_error(400, "BAD_REQUEST");
    }
    // What only asks is asked each time.
    let asked = server.get("/process/session", &[(KEY, "k")]).await;
    assert_eq!(
        (asked.status, asked.header("idempotency-replayed")),
        (200, None)
    );
    server.end().await;
}
