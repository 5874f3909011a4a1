//! Who is let in, and what is refused before anything is done.

use http::Method;
use sandbox_control::limits::{BODY_BYTES, HEAD_BYTES};
use serde_json::json;

use crate::client::{Control, KEY};

#[tokio::test]
async fn every_route_needs_the_key() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let paths = [
        "/api/sandbox".to_owned(),
        format!("/api/sandbox/{id}"),
        "/api/snapshots".to_owned(),
        "/api/no-such-route".to_owned(),
        format!("/toolbox/{id}/version"),
        format!("/toolbox/{id}/no-such-route"),
        "/toolbox/no-such-sandbox/version".to_owned(),
        "/".to_owned(),
    ];
    for path in &paths {
        for presented in [
            "",
            "Bearer ",
            "Bearer wrong",
            "Basic key",
            &format!("Bearer {KEY}x"),
        ] {
            let headers = [("authorization", presented)];
            let answer = control.send_with(Method::GET, path, &headers, "").await;
            answer.refused(401, "UNAUTHORIZED", "key");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        // Nor in the query, where it would be logged.
        let path = format!("{path}?DAYTONA_SANDBOX_AUTH_KEY={KEY}");
        let answer = control.send_with(Method::GET, &path, &[], "").await;
        answer.refused(401, "UNAUTHORIZED", "a key is required");
    }
    for open in ["/api/config", "/healthz"] {
        assert_eq!(
            control.send_with(Method::GET, open, &[], "").await.status,
            200,
            "{open}"
        );
    }
}

#[tokio::test]
async fn pages_of_others_do_not_reach_a_local_server() {
    let control = Control::start().await;
    let bearer = format!("Bearer {KEY}");
    let send = async |host: &str| {
        let headers = [("authorization", bearer.as_str()), ("host", host)];
        control
            .send_with(Method::GET, "/api/sandbox", &headers, "")
            .await
    };
    for host in ["localhost:1", "127.0.0.1", "[::1]:80"] {
        assert_eq!(send(host).await.status, 200, "{host}");
    }
    for host in ["evil.com", "localhost.evil.com", "0.0.0.0", "10.0.0.1:3986"] {
        send(host).await.refused(403, "FORBIDDEN", "another host");
    }
    let answer = control
        .raw("GET /api/config HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let hosts = "GET /api/config HTTP/1.1\r\nhost: localhost\r\nhost: evil.com\r\nconnection: close\r\n\r\n";
    let answer = control.raw(hosts).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn urls_are_those_by_which_the_client_came() {
    let control =
        Control::with(|config| config.public_url = Some("https://boxes.example/".to_owned())).await;
    let created = control.post("/api/sandbox", &json!({})).await.json();
    assert_eq!(created["toolboxProxyUrl"], "https://boxes.example/toolbox");
    let config = control.get("/api/config").await.json();
    assert_eq!(config["proxyToolboxUrl"], "https://boxes.example/toolbox");
}

#[tokio::test]
async fn long_bodies_and_heads_are_refused() {
    let control = Control::start().await;
    let long = vec![b' '; BODY_BYTES + 1];
    let answer = control.send(Method::POST, "/api/sandbox", long).await;
    answer.refused(413, "PAYLOAD_TOO_LARGE", "1048576");
    let just = format!("{{\"name\": \"a\"{}}}", " ".repeat(BODY_BYTES - 13));
    assert_eq!(
        control
            .send(Method::POST, "/api/sandbox", just)
            .await
            .status,
        200
    );
    let long = "x".repeat(HEAD_BYTES);
    let answer = control
        .raw(&format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}
