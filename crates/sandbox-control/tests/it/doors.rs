//! Which clients are admitted, and what is refused before anything is done.

use std::time::Duration;

use http::Method;
use sandbox_control::limits::{BODY_BYTES, CONNECTIONS, HEAD_BYTES, SHUTDOWN_GRACE};
use sandbox_control::{Config, ServeError, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Control, KEY};
use crate::daemons::Daemons;

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
        "/no-such-page".to_owned(),
        "/page/no-such-file".to_owned(),
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

#[tokio::test]
async fn connections_without_a_request_make_room() {
    let control = Control::with(|config| config.connections = 4).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(TcpStream::connect(control.address).await.unwrap());
    }
    assert_eq!(control.get("/api/sandbox").await.status, 200);
    assert_eq!(Config::new(control.address, KEY).connections, CONNECTIONS);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_without_end() {
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), KEY);
    assert_eq!(config.shutdown_grace, SHUTDOWN_GRACE);
    config.shutdown_grace = Duration::from_millis(10);
    let server = Server::bind(config, Daemons::new()).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    // A body that does not come keeps its request pending.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/sandbox HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 8];
    stream.read_exact(&mut begun).await.unwrap();
    stop.send(()).unwrap();
    served.await.unwrap();
}

#[tokio::test]
async fn a_key_that_no_header_could_have_is_refused() {
    for bad in ["", " ", "a b", "\u{e9}"] {
        let config = Config::new(([127, 0, 0, 1], 0).into(), bad);
        let refused = Server::bind(config, Daemons::new()).await;
        assert!(matches!(refused, Err(ServeError::Key(_))), "{bad:?}");
    }
    let control = Control::start().await;
    let config = Config::new(control.address, KEY);
    let refused = Server::bind(config, Daemons::new()).await;
    assert!(matches!(refused, Err(ServeError::Listen { .. })));
}
