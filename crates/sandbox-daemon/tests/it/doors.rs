//! Who is let in.

use std::os::unix::fs::PermissionsExt;

use sandbox_daemon::{Access, BindError, Config, Listen, Server};
use sandbox_engine::Engine;

use crate::client::{TestServer, token};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const PATHS: [&str; 8] = [
    "/version",
    "/process/execute",
    "/process/code-run",
    "/sandbox-id/version",
    "/sandbox-id/process/execute",
    "/nope",
    "/",
    "/healthz/x",
];

#[tokio::test]
async fn without_the_token_every_route_is_shut() {
    let server = TestServer::tcp(token()).await;
    let wrong: [&[(&str, &str)]; 6] = [
        &[],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", "Bearer s3cre")],
        &[("Authorization", "Bearer s3cret2")],
        &[("Authorization", "Basic s3cret")],
        &[("Authorization", "s3cret")],
    ];
    for method in METHODS {
        for path in PATHS {
            for headers in wrong {
                let answer = server
                    .send(method, path, headers, b"{\"command\":\"touch x\"}")
                    .await;
                assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            }
        }
    }
    let answer = server.send("GET", "/version?token=s3cret", &[], b"").await;
    answer.expect_error(401, "UNAUTHORIZED");
    assert!(answer.head.contains("www-authenticate: bearer"));
    let made = std::fs::read_dir(server.engine.work_dir()).unwrap().count();
    assert_eq!(made, 0, "a stranger's command ran");
    server.end().await;
}

#[tokio::test]
async fn with_the_token_routes_answer() {
    let server = TestServer::tcp(token()).await;
    for header in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret "] {
        let headers = [("Authorization", header)];
        let answer = server.send("GET", "/version", &headers, b"").await;
        assert_eq!(answer.status, 200, "{header}");
        assert!(answer.json()["version"].as_str().unwrap().starts_with('v'));
    }
    let answer = server.send("GET", "/healthz", &[], b"").await;
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("ok"))
    );
    server.end().await;
}

#[tokio::test]
async fn open_loopback_refuses_pages() {
    let server = TestServer::tcp(Access::Open).await;
    for headers in [
        ("Origin", "https://evil.com"),
        ("Origin", "null"),
        ("Origin", "http://localhost"),
        ("Host", "evil.com"),
        ("Host", "localhost.evil.com"),
        ("Host", "0.0.0.0"),
        ("Host", ""),
    ] {
        let body = b"{\"command\":\"touch x\"}";
        let answer = server
            .send("POST", "/process/execute", &[headers], body)
            .await;
        answer.expect_error(403, "FORBIDDEN");
    }
    let made = std::fs::read_dir(server.engine.work_dir()).unwrap().count();
    assert_eq!(made, 0, "a page's command ran");
    for host in ["localhost:2280", "127.0.0.1", "[::1]:1"] {
        let answer = server.send("GET", "/version", &[("Host", host)], b"").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    server.end().await;
}

#[tokio::test]
async fn the_network_is_never_let_in_without_a_token() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let listen = address.parse().unwrap();
        let engine = Engine::builder().build().unwrap();
        let result = Server::bind(Config::new(listen, Access::Open, engine)).await;
        assert!(
            matches!(result, Err(BindError::OpenToNetwork { .. })),
            "{address}"
        );
    }
}

#[tokio::test]
async fn unix_sockets_are_private_and_removed() {
    let server = TestServer::unix(Access::Open).await;
    let socket = server.socket();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(server.execute(b"{\"command\":\"true\"}").await.status, 200);
    server.end().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let bind = || {
        let engine = Engine::builder().build().unwrap();
        Server::bind(Config::new(
            Listen::Unix(path.clone()),
            Access::Open,
            engine,
        ))
    };
    let first = bind().await.unwrap();
    assert!(
        matches!(bind().await, Err(BindError::Listen { .. })),
        "a live socket was taken over"
    );
    drop(first);
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(bind().await, Err(BindError::Listen { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
