//! What is passed on to a sandbox, and what is not.

use http::{Method, Request, header};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Control, KEY};

#[tokio::test]
async fn commands_run_in_their_own_sandbox() {
    let control = Control::start().await;
    let mut homes = Vec::new();
    for name in ["one", "two"] {
        control
            .create(&json!({"name": name, "env": {"NAME": name}}))
            .await;
        // By name as well as by id.
        let path = format!("/toolbox/{name}/process/execute");
        let done = control
            .post(&path, &json!({"command": "echo $NAME; pwd"}))
            .await
            .json();
        assert_eq!(done["exitCode"], 0, "{done}");
        let (said, home) = done["result"].as_str().unwrap().split_once('\n').unwrap();
        assert_eq!(said, name);
        homes.push(home.to_owned());
    }
    assert_ne!(homes[0], homes[1]);
}

#[tokio::test]
async fn a_sandbox_that_does_not_run_is_a_conflict_and_an_unknown_one_not_found() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    control
        .send(Method::POST, &format!("/api/sandbox/{id}/stop"), "")
        .await;
    let path = format!("/toolbox/{id}/process/execute");
    let stopped = control.post(&path, &json!({"command": "true"})).await;
    stopped.refused(409, "CONFLICT", "is stopped; start it first");
    assert_eq!(stopped.json()["source"], "DAYTONA_PROXY");
    // The whole body is read, however long it is.
    let long = vec![b'x'; 8 * 1024 * 1024];
    let upload = format!("/toolbox/{id}/files/upload-v2?path=x");
    let stopped = control.send(Method::POST, &upload, long).await;
    stopped.refused(409, "CONFLICT", "");
    let unknown = control.get("/toolbox/nothing/version").await;
    unknown.refused(404, "NOT_FOUND", "nothing");
    control
        .send(Method::POST, &format!("/api/sandbox/{id}/start"), "")
        .await;
    assert_eq!(
        control.get(&format!("/toolbox/{id}/version")).await.status,
        200
    );
}

#[tokio::test]
async fn errors_of_the_daemon_are_its_own() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let missing = control
        .get(&format!("/toolbox/{id}/files/download?path=missing"))
        .await;
    missing.refused(404, "FILE_NOT_FOUND", "");
    assert_eq!(missing.json()["source"], "DAYTONA_DAEMON");
    let unknown = control
        .get(&format!("/toolbox/{id}/git/status?path=x"))
        .await;
    unknown.refused(501, "NOT_IMPLEMENTED", "");
}

#[tokio::test]
async fn bodies_are_streams_in_both_directions() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let piece = Bytes::from(vec![b'z'; 1024 * 1024]);
    let frames = futures_util::stream::iter((0..64).map({
        let piece = piece.clone();
        move |_| Ok::<_, std::convert::Infallible>(Frame::data(piece.clone()))
    }));
    let upload = Request::post(format!("/toolbox/{id}/files/upload-v2?path=big"))
        .header(header::HOST, control.address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {KEY}"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(StreamBody::new(frames))
        .unwrap();
    let stream = TcpStream::connect(control.address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(upload).await.unwrap();
    assert_eq!(
        response.status(),
        200,
        "{:?}",
        response.into_body().collect().await
    );
    let downloaded = control
        .get(&format!("/toolbox/{id}/files/download?path=big"))
        .await;
    assert_eq!(downloaded.body.len(), 64 * 1024 * 1024);
}

#[tokio::test]
async fn websockets_pass_with_the_key_or_the_token_of_the_sandbox() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let other = control.create(&json!({})).await;
    let token = async |id: &str, port: u16| {
        let path = format!("/api/sandbox/{id}/ports/{port}/preview-url");
        control.get(&path).await.json()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (own, foreign) = (token(&id, 1).await, token(&other, 1).await);
    let shared = token(&id, 3000).await;
    let connect = async |query: &str, bearer: Option<&str>| {
        let url = format!(
            "ws://{}/toolbox/{id}/process/pty/create-connect?id=terminal{query}",
            control.address
        );
        let mut request = url.into_client_request().unwrap();
        if let Some(key) = bearer {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let stream = TcpStream::connect(control.address).await.unwrap();
        tokio_tungstenite::client_async(request, stream).await
    };
    let refused = async |query: &str, bearer: Option<&str>| match connect(query, bearer).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("", None).await, 401);
    assert_eq!(refused("", Some("wrong")).await, 401);
    let query = |token: &str| format!("&DAYTONA_SANDBOX_AUTH_KEY={token}");
    assert_eq!(refused(&query(&foreign), None).await, 401);
    assert_eq!(refused(&query(""), None).await, 401);
    // The key is no token, and the token of a preview opens no terminal.
    assert_eq!(refused(&query(KEY), None).await, 401);
    assert_eq!(refused(&query(&shared), None).await, 401);
    // Nor does a terminal's anything else, whatever a request claims to be.
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    for (method, path, headers) in [
        (Method::POST, "process/execute", &upgrade[..]),
        (Method::POST, "process/execute", &upgrade[1..]),
        (Method::GET, "process/session", &upgrade[1..]),
        (Method::GET, "port/1/connect", &upgrade[..]),
        (Method::GET, "files?path=/", &[]),
    ] {
        let separator = if path.contains('?') { "" } else { "?" };
        let path = format!("/toolbox/{id}/{path}{separator}{}", query(&own));
        let answer = control
            .send_with(method, &path, headers, r#"{"command":"id"}"#)
            .await;
        assert_eq!(answer.status, 401, "{path}");
    }
    for (query, bearer) in [(String::new(), Some(KEY)), (query(&own), None)] {
        use futures_util::{SinkExt, StreamExt};
        let (mut socket, _) = connect(&query, bearer).await.unwrap();
        socket
            .send(Message::text("echo $((40 + 2)); exit\n"))
            .await
            .unwrap();
        let mut seen = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            seen.extend_from_slice(&message.into_data());
        }
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains("42"), "{seen}");
    }
}

#[tokio::test]
async fn a_body_is_optional() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let request = Request::get(format!("/toolbox/{id}/version"))
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {KEY}"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let stream = TcpStream::connect(control.address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn calls_of_grpc_pass() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let stream = TcpStream::connect(control.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let shaken = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    let url = format!(
        "http://{}/toolbox/{id}/grpc.health.v1.Health/Check",
        control.address
    );
    let mut call = async |key: &str| {
        // A message without fields: no compression, and no bytes.
        let message = http_body_util::Full::new(Bytes::from_static(&[0; 5]));
        let request = Request::post(&url)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(message)
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let collected = response.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let code = trailers
            .get("grpc-status")
            .map(|code| code.to_str().unwrap().to_owned());
        (status, code, collected.to_bytes())
    };
    // Field 1 is 1: it serves.
    let expect = Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]);
    assert_eq!(call(KEY).await, (200, Some("0".to_owned()), expect));
    assert_eq!(call("wrong").await.0, 401);
}

/// Returns the signature of a URL as the Python SDK 0.226.1 makes it.
fn signature(key: &str, method: &str, path: &str, expires: u64) -> String {
    use base64::Engine as _;
    let text = format!("v1:files:{method}:{path}:{expires}");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    let tag = ring::hmac::sign(&key, text.as_bytes());
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag);
    format!("v1_{text}")
}

#[tokio::test]
async fn files_are_read_and_written_by_signed_urls() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let other = control.create(&json!({})).await;
    let route = format!("/api/sandbox/{id}/signing-key");
    let key = control.get(&route).await.json();
    assert_eq!(control.get(&route).await.json(), key);
    let foreign = format!("/api/sandbox/{other}/signing-key");
    assert_ne!(control.get(&foreign).await.json(), key);
    let key = key.as_str().unwrap();
    let url = |id: &str, route: &str, path: &str, expires: u64, signature: &str| {
        format!("/toolbox/{id}/{route}?path={path}&expires={expires}&signature={signature}")
    };
    let visit = async |method: Method, target: &str, body: &'static str| {
        control.send_with(method, target, &[], body).await
    };
    let write = signature(key, "POST", "a/b", 0);
    let upload = url(&id, "files/upload-v2", "a/b", 0, &write);
    // What was not signed is left out, such as the mode.
    let written = visit(Method::POST, &format!("{upload}&mode=4777"), "text").await;
    assert_eq!(written.status, 200, "{}", written.json());
    let info = format!("/toolbox/{id}/files/info?path=a/b");
    let info = control.get(&info).await.json();
    assert!(!info["mode"].as_str().unwrap().contains('u'), "{info}");
    let read = signature(key, "GET", "a/b", 0);
    let download = url(&id, "files/download", "a/b", 0, &read);
    assert_eq!(visit(Method::GET, &download, "").await.body, "text");
    for refused in [
        url(&id, "files/download", "a/c", 0, &read),
        url(&id, "files/download", "a/b", 1, &read),
        url(&id, "files/download", "a/b", 0, &write),
        url(&other, "files/download", "a/b", 0, &read),
        url("nothing", "files/download", "a/b", 0, &read),
        url(&id, "files/info", "a/b", 0, &read),
        url(
            &id,
            "files/download",
            "a/b",
            1,
            &signature(key, "GET", "a/b", 1),
        ),
    ] {
        let answer = visit(Method::GET, &refused, "").await;
        answer.refused(401, "UNAUTHORIZED", "");
    }
    let removed = visit(Method::DELETE, &url(&id, "files", "a/b", 0, &read), "").await;
    removed.refused(401, "UNAUTHORIZED", "");
    let rotated = control
        .send(Method::POST, &format!("{route}/rotate"), "")
        .await;
    assert_ne!(rotated.json(), key);
    let answer = visit(Method::GET, &download, "").await;
    answer.refused(401, "UNAUTHORIZED", "not valid");
    assert_eq!(control.get(&route).await.json(), rotated.json());
}
