//! Requests at the edges of HTTP: clients that say no more, that say too much, and that ask for
//! what is not there.

use std::path::Path;

use sandbox_daemon::limits::{REQUEST_BODY_BYTES, REQUEST_HEAD_BYTES, REQUEST_TARGET_BYTES};
use sandbox_daemon::{Access, Listen};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::client::{Answer, Stream, TestServer, token};
use crate::robust::eventually;

/// The operations that are 501, as the crate has them.
const UNSERVED: &str = include_str!("../../src/http/unserved.txt");

/// Reports that it runs, and waits for what it is to print.
const WAITING: &str = "mkfifo go; touch begun; read x < go; echo $x";

fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn execute(command: &str) -> String {
    request(
        "/process/execute",
        &json!({ "command": command }).to_string(),
    )
}

/// Lets [`WAITING`] go on. Opening a pipe blocks until its reader is there.
async fn release(work_dir: &Path) {
    let pipe = work_dir.join("go");
    let write = tokio::task::spawn_blocking(move || std::fs::write(pipe, "hi\n"));
    write.await.unwrap().unwrap();
}

async fn half_closed(server: &TestServer, mut stream: Box<dyn Stream>) {
    let work_dir = server.engine.work_dir().to_owned();
    let sent = execute(WAITING);
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    eventually(|| work_dir.join("begun").exists()).await;
    release(&work_dir).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let answer = Answer::parse(&bytes);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["result"], "hi\n");
}

#[tokio::test]
async fn a_client_that_has_sent_everything_gets_its_response() {
    for server in [
        TestServer::unix(Access::Open).await,
        TestServer::tcp(Access::Open).await,
    ] {
        half_closed(&server, server.connect().await).await;
        server.end().await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_client_that_has_sent_everything_gets_its_response_over_tls() {
    let (server, connector) = crate::tls::server(|_| {}).await;
    let name = tokio_rustls::rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, server.connect().await).await;
    half_closed(&server, Box::new(stream.unwrap())).await;
    server.end().await;
}

#[tokio::test]
async fn a_client_that_has_sent_everything_follows_a_log() {
    let server = TestServer::tcp(Access::Open).await;
    let work_dir = server.engine.work_dir().to_owned();
    let session = json!({ "sessionId": "s" });
    server.post("/process/session", &[], session).await;
    let command = json!({ "command": WAITING, "runAsync": true, "commandId": "c" });
    server.post("/process/session/s/exec", &[], command).await;
    let mut stream = server.connect().await;
    let path = "/process/session/s/command/c/logs?follow=true";
    let sent = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    eventually(|| work_dir.join("begun").exists()).await;
    release(&work_dir).await;
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(Answer::parse(&bytes).body, b"hi\n");
    server.end().await;
}

/// A connection whose client cannot receive anything any more is closed, though what it asked for
/// goes on.
#[tokio::test]
async fn a_client_that_has_left_gives_up_its_connection() {
    let unix = tempfile::tempdir().unwrap();
    let unix = Listen::Unix(unix.path().join("s"));
    for listen in [unix, "127.0.0.1:0".parse().unwrap()] {
        let directory = tempfile::tempdir().unwrap();
        if let Listen::Unix(path) = &listen {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let server = TestServer::start_with(listen, Access::Open, directory, |config| {
            config.connections = 1;
        })
        .await;
        let work_dir = server.engine.work_dir().to_owned();
        let sent = execute(WAITING);
        match &server.address {
            Listen::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.unwrap();
                stream.write_all(sent.as_bytes()).await.unwrap();
                eventually(|| work_dir.join("begun").exists()).await;
            }
            Listen::Tcp(address) => {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(sent.as_bytes()).await.unwrap();
                eventually(|| work_dir.join("begun").exists()).await;
                // Resets the connection, as the kernel does for a client that was killed.
                let zero = Some(std::time::Duration::ZERO);
                socket2::SockRef::from(&stream).set_linger(zero).unwrap();
            }
        }
        // The only connection is free, while the command still waits.
        assert_eq!(server.get("/version", &[]).await.status, 200);
        release(&work_dir).await;
        server.end().await;
    }
}

/// What has to be tried first is in no response that does not ask for it, such as the first one of a daemon.
#[tokio::test]
async fn what_the_system_allows_is_asked_for() {
    let server = TestServer::tcp(Access::Open).await;
    for target in ["/version", "/version?support=false", "/version?support"] {
        let version = server.get(target, &[]).await.json();
        let fields: Vec<_> = version.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["version"], "{target}");
    }
    let version = server.get("/version?support=true", &[]).await.json();
    assert!(version["isolation"]["level"].is_string(), "{version}");
    let limits = version["limits"].as_array().unwrap();
    assert!(!limits.is_empty(), "{version}");
    server.end().await;
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let server = TestServer::tcp(Access::Open).await;
    let body = json!({ "command": "true" }).to_string();
    for encoding in ["gzip", "br", "identity, zstd", "x"] {
        for key in [None, Some(("Idempotency-Key", "k"))] {
            let mut headers = vec![("Content-Encoding", encoding)];
            headers.extend(key);
            let answer = server
                .send("POST", "/process/execute", &headers, body.as_bytes())
                .await;
            answer.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    for encoding in ["identity", "Identity", ""] {
        let headers = [("Content-Encoding", encoding)];
        let answer = server
            .send("POST", "/process/execute", &headers, body.as_bytes())
            .await;
        assert_eq!(answer.status, 200, "{encoding:?}");
    }
    server.end().await;
}

/// Sends all of a request before it reads anything, as most clients do.
async fn send_first(server: &TestServer, sent: &[u8]) -> Answer {
    let mut stream = server.connect().await;
    stream.write_all(sent).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::parse(&bytes)
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = TestServer::tcp(token()).await;
    let head = |line: &str, rest: &str| format!("{line}\r\nHost: localhost\r\n{rest}\r\n");
    let long = |length: usize| format!("X-Long: {}\r\n", "x".repeat(length));
    let many: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    for rest in [long(REQUEST_HEAD_BYTES), long(1024 * 1024), many] {
        let sent = head("GET /version HTTP/1.1", &rest);
        let answer = send_first(&server, sent.as_bytes()).await;
        answer.expect_error(431, "REQUEST_HEADER_FIELDS_TOO_LARGE");
        assert_eq!(answer.json()["path"], "/version");
        assert_eq!(answer.json()["method"], "GET");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    for length in [REQUEST_TARGET_BYTES, REQUEST_HEAD_BYTES, 100_000] {
        let line = format!("GET /{} HTTP/1.1", "x".repeat(length));
        let answer = send_first(&server, head(&line, "Connection: close\r\n").as_bytes()).await;
        answer.expect_error(414, "URI_TOO_LONG");
    }
    // As long as it may be, also by a client that goes on after a response.
    let mut stream = server.connect().await;
    let good = head(
        "GET /version HTTP/1.1",
        &format!(
            "X-Sandbox-Token: s3cret\r\n{}",
            long(REQUEST_HEAD_BYTES - 256)
        ),
    );
    stream.write_all(good.as_bytes()).await.unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"}") {
        first.push(stream.read_u8().await.unwrap());
    }
    assert!(first.starts_with(b"HTTP/1.1 200 "));
    let bad = head("POST /init HTTP/1.1", &long(REQUEST_HEAD_BYTES));
    stream.write_all(bad.as_bytes()).await.unwrap();
    let mut second = Vec::new();
    stream.read_to_end(&mut second).await.unwrap();
    let answer = Answer::parse(&second);
    answer.expect_error(431, "REQUEST_HEADER_FIELDS_TOO_LARGE");
    assert_eq!(answer.json()["path"], "/init");
    server.end().await;
}

#[tokio::test]
async fn malformed_requests_are_refused_with_a_reason() {
    let server = TestServer::tcp(Access::Open).await;
    let host = "Host: localhost\r\nConnection: close\r\n";
    for sent in [
        "GARBAGE\r\n\r\n".to_owned(),
        format!("GET /version HTTP/9.9\r\n{host}\r\n"),
        format!("GET /version\0 HTTP/1.1\r\n{host}\r\n"),
        format!("G@T /version HTTP/1.1\r\n{host}\r\n"),
        format!("GET /version HTTP/1.1\r\n{host}no colon\r\n\r\n"),
        format!("GET /version HTTP/1.1\r\n{host}Content-Length: -5\r\n\r\n"),
        format!("GET /version HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        format!("GET /version HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n"),
        format!("GET /%zz HTTP/1.1\r\n{host}\r\n"),
        "GET /version HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET /version HTTP/1.1\r\n{host}Host: localhost\r\n\r\n"),
        "GET /version HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".to_owned(),
    ] {
        let answer = send_first(&server, sent.as_bytes()).await;
        let envelope = answer.json();
        assert_eq!(answer.status, 400, "{sent:?}: {envelope}");
        assert_eq!(envelope["code"], "BAD_REQUEST", "{sent:?}: {envelope}");
        assert_eq!(envelope["source"], "DAYTONA_DAEMON");
        assert!(answer.header("x-request-id").is_some());
    }
    let expect = [("Expect", "202-accepted")];
    let answer = server.send("GET", "/version", &expect, b"").await;
    answer.expect_error(417, "EXPECTATION_FAILED");
    server.end().await;
}

#[tokio::test]
async fn a_path_may_be_spelled_with_escapes() {
    let server = TestServer::tcp(Access::Open).await;
    for path in [
        "/%76ersion",
        "/%76%65rsion/",
        "/id%2Fx/version",
        "/%69d/versio%6E",
    ] {
        assert_eq!(server.get(path, &[]).await.status, 200, "{path}");
    }
    for path in ["/%2Fversion", "/version%2F", "/%2576ersion", "//version"] {
        server.get(path, &[]).await.expect_error(404, "NOT_FOUND");
    }
    let session = json!({ "sessionId": "a%b c" });
    server.post("/process/session", &[], session).await;
    let answer = server.get("/process/session/a%25b%20c", &[]).await;
    assert_eq!(answer.json()["sessionId"], "a%b c");
    server.end().await;
}

/// Where `Daytona().create()` arrives with the address of a daemon.
#[tokio::test]
async fn a_path_of_a_control_plane_names_what_serves_it() {
    let server = TestServer::tcp(Access::Open).await;
    for path in ["/sandbox", "/api/sandbox/paginated", "/snapshots"] {
        let refused = server.send("POST", path, &[], b"{}").await;
        refused.expect_error(404, "NOT_FOUND");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("`sandbox up`"), "{path}: {message}");
    }
    for path in ["/nope", "/id/sandbox", "/sandboxed"] {
        let refused = server.get(path, &[]).await;
        assert_eq!(refused.json()["message"], "no such route", "{path}");
    }
    // An id is what a client makes it.
    assert_eq!(server.get("/sandbox/version", &[]).await.status, 200);
    server.end().await;
}

fn unserved() -> impl Iterator<Item = (&'static str, String)> {
    let lines = UNSERVED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (method, path) = line.split_once(' ').unwrap();
        (method, path.replace(['{', '}'], ""))
    })
}

/// A published client takes 404 for a sandbox that is not there any more.
#[tokio::test]
async fn what_is_not_served_is_not_taken_for_a_sandbox_that_is_not_there() {
    let server = TestServer::tcp(token()).await;
    let by = [("X-Sandbox-Token", "s3cret")];
    for (method, path) in unserved() {
        for path in [
            path.clone(),
            format!("/sandbox-id{path}?a=b"),
            format!("{path}/"),
        ] {
            let answer = server.send(method, &path, &[], b"").await;
            answer.expect_error(401, "UNAUTHORIZED");
            let answer = server.send(method, &path, &by, b"{}").await;
            answer.expect_error(501, "NOT_IMPLEMENTED");
        }
    }
    let refused = server.upgrade("/git/history", &by).await.err().unwrap();
    refused.expect_error(501, "NOT_IMPLEMENTED");
    for (method, path, status, code) in [
        ("PATCH", "/git/history", 501, "NOT_IMPLEMENTED"),
        ("GET", "/files/nope", 404, "NOT_FOUND"),
        ("GET", "/nope", 404, "NOT_FOUND"),
        ("PUT", "/version", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/process/session", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = server.send(method, path, &by, b"").await;
        answer.expect_error(status, code);
        assert_eq!(answer.header("allow").is_some(), status == 405, "{path}");
    }
    server.end().await;
}

/// However early a request is refused, and however much its client still sends.
#[tokio::test]
async fn a_client_that_sends_a_large_body_first_reads_why_it_is_refused() {
    let server = TestServer::tcp(token()).await;
    let by = "X-Sandbox-Token: s3cret\r\n";
    let more = REQUEST_BODY_BYTES + 4 * 1024 * 1024;
    for (path, headers, length, status) in [
        ("/git/clone", by, 8 << 20, 501),
        ("/git/clone", by, more, 501),
        ("/nope", by, 8 << 20, 404),
        ("/version", by, 8 << 20, 405),
        ("/process/execute", by, more, 413),
        ("/process/execute", "", 8 << 20, 401),
        (
            "/process/execute",
            "Content-Encoding: gzip\r\nX-Sandbox-Token: s3cret\r\n",
            8 << 20,
            415,
        ),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n"
        );
        let sent = [head.into_bytes(), vec![b'x'; length]].concat();
        let answer = send_first(&server, &sent).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["statusCode"], status);
    }
    // A client that asks first sends nothing.
    let mut stream = server.connect().await;
    let head = format!(
        "POST /git/clone HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{by}\
         Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::parse(&bytes).expect_error(501, "NOT_IMPLEMENTED");
    server.end().await;
}

/// A command in such a directory says why it was not started, and so does a session.
#[tokio::test]
async fn a_session_in_a_directory_that_is_not_there_any_more_says_so() {
    let server = TestServer::tcp(Access::Open).await;
    std::fs::remove_dir_all(server.engine.work_dir()).unwrap();
    let session = json!({ "sessionId": "s" });
    let answer = server.post("/process/session", &[], session).await;
    answer.expect_error(400, "BAD_REQUEST");
    let message = answer.json()["message"].to_string();
    assert!(message.contains("working directory"), "{message}");
    server.end().await;
}

/// As commands and sessions do.
#[tokio::test]
async fn a_terminal_refuses_names_that_no_variable_has() {
    let server = TestServer::tcp(Access::Open).await;
    for name in ["1A", "\u{c9}", "", "A=B", "a b"] {
        let body = json!({ "id": "t", "envs": { name: "x" }, "lazyStart": true });
        let answer = server.post("/process/pty", &[], body).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    server.end().await;
}
