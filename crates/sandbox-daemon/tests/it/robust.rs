//! Bad input, long input, and ends that come at a bad time.

use std::time::{Duration, Instant};

use sandbox_daemon::{Access, Config, Listen, Server};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::client::TestServer;

#[tokio::test]
async fn a_command_of_8_mib_runs() {
    let server = TestServer::unix(Access::Open).await;
    let command = format!("printf %s '{}' | wc -c", "\u{1}".repeat(8 << 20));
    let answer = server
        .execute(json!({ "command": command }).to_string().as_bytes())
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["result"], "8388608\n");
    server.end().await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let server = TestServer::unix(Access::Open).await;
    let mut stream = UnixStream::connect(server.socket()).await.unwrap();
    let head = "POST /process/execute HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1073741824\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sender = tokio::spawn(async move {
        let chunk = vec![b'x'; 1 << 20];
        // Until the server has had enough.
        while write.write_all(&chunk).await.is_ok() {}
    });
    let mut answer = Vec::new();
    // The server closes on a body that still comes, so the end may be a reset; the response precedes it.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    sender.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn code_run_refuses_what_it_cannot_run() {
    let server = TestServer::unix(Access::Open).await;
    let check = async |body: Value, status, code| {
        let body = body.to_string();
        let answer = server
            .send("POST", "/process/code-run", &[], body.as_bytes())
            .await;
        answer.expect_error(status, code);
    };
    check(json!({"language": "python"}), 400, "INVALID_REQUEST_BODY").await;
    check(
        json!({"code": "", "language": "python"}),
        400,
        "INVALID_REQUEST_BODY",
    )
    .await;
    check(
        json!({"code": null, "language": "python"}),
        400,
        "INVALID_REQUEST_BODY",
    )
    .await;
    check(json!({"code": "1"}), 400, "INVALID_REQUEST_BODY").await;
    check(
        json!({"code": "1", "language": ""}),
        400,
        "INVALID_REQUEST_BODY",
    )
    .await;
    check(
        json!({"code": "1", "language": "cobol"}),
        400,
        "BAD_REQUEST",
    )
    .await;
    check(
        json!({"code": "1", "language": "PYTHON"}),
        400,
        "BAD_REQUEST",
    )
    .await;
    let bad_env = json!({"code": "1", "language": "python", "envs": {"A-B": "1"}});
    check(bad_env, 400, "BAD_REQUEST").await;
    let no_python = json!({"code": "1", "language": "python", "envs": {"PATH": "/nonexistent"}});
    check(no_python, 422, "UNPROCESSABLE_ENTITY").await;
    check(
        json!({"code": "1", "language": "python", "argv": [1]}),
        400,
        "INVALID_REQUEST_BODY",
    )
    .await;
    server.end().await;
}

#[tokio::test]
async fn a_time_limit_returns_what_was_written() {
    let server = TestServer::unix(Access::Open).await;
    let body =
        json!({"command": "echo part; sleep 1000", "timeoutMillis": 3000, "splitOutput": true});
    let answer = server.execute(body.to_string().as_bytes()).await;
    answer.expect_error(408, "PROCESS_EXECUTION_TIMEOUT");
    let envelope = answer.json();
    assert_eq!(envelope["result"], "part\n");
    assert_eq!(
        (&envelope["stdout"], &envelope["stderr"]),
        (&json!("part\n"), &json!(""))
    );
    assert_eq!(envelope["termination"]["kind"], "timed_out");
    server.end().await;
}

#[tokio::test]
async fn old_go_clients_get_no_field_that_they_fail_on() {
    let server = TestServer::unix(Access::Open).await;
    let headers = [
        ("X-Daytona-Source", "sdk-go"),
        ("X-Daytona-SDK-Version", "0.187.0"),
    ];
    let answer = server
        .send(
            "POST",
            "/process/execute",
            &headers,
            b"{\"command\":\"true\"}",
        )
        .await;
    assert_eq!(answer.json(), json!({"exitCode": 0, "result": ""}));
    server.end().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_command_running() {
    let server = TestServer::unix(Access::Open).await;
    let done = server.engine.work_dir().join("done");
    let mut stream = UnixStream::connect(server.socket()).await.unwrap();
    let begun = server.engine.work_dir().join("begun");
    let body = "{\"command\":\"touch begun; while [ -e begun ]; do sleep 0.01; done; touch done\"}";
    let head = format!(
        "POST /process/execute HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    eventually(|| begun.exists()).await;
    drop(stream);
    std::fs::remove_file(&begun).unwrap();
    eventually(|| done.exists()).await;
    server.end().await;
}

#[tokio::test]
async fn shutdown_waits_for_responses() {
    let server = TestServer::unix(Access::Open).await;
    let begun = server.engine.work_dir().join("begun");
    let running = server.execute(b"{\"command\":\"touch begun; sleep 0.5; echo done\"}");
    let told = async {
        eventually(|| begun.exists()).await;
        server.ask_to_end();
    };
    let (answer, ()) = tokio::join!(running, told);
    assert_eq!(answer.json()["result"], "done\n");
    server.end().await;
}

#[tokio::test]
async fn more_connections_than_slots_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let engine = sandbox_engine::Engine::builder().build().unwrap();
    let mut config = Config::new(Listen::Unix(path.clone()), Access::Open, engine);
    config.connections = 2;
    let serving = tokio::spawn(
        Server::bind(config)
            .await
            .unwrap()
            .serve(std::future::pending()),
    );
    let request = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let idle = admitted(&path).await;
    let _other = admitted(&path).await;
    let mut third = UnixStream::connect(&path).await.unwrap();
    third.write_all(request).await.unwrap();
    let mut answer = String::new();
    let waiting = tokio::io::AsyncReadExt::read_to_string(&mut third, &mut answer);
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(
        early.is_err(),
        "it was answered although all slots are taken"
    );
    drop(idle);
    waiting.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serving.abort();
}

/// A connection on which a request was let in, and none is under way.
async fn admitted(path: &std::path::Path) -> UnixStream {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let request = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        answer.push(tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap());
    }
    stream
}

#[tokio::test]
async fn malformed_http_hurts_no_other_client() {
    let server = TestServer::tcp(Access::Open).await;
    for request in [
        &b"\r\n\r\n"[..],
        b"GARBAGE\r\n\r\n",
        b"GET /version HTTP/9.9\r\n\r\n",
        b"POST /process/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let Listen::Tcp(address) = server.address else {
            panic!()
        };
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{request:?}");
    }
    assert_eq!(server.send("GET", "/version", &[], b"").await.status, 200);
    server.end().await;
}

/// Bounds a wait for something that comes within milliseconds, however busy the machine is; only a failure takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
