//! Which clients are admitted.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use sandbox_daemon::{Access, BindError, Config, Listen, Server, Token};
use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::Contexts;
use serde_json::{Value, json};

use crate::client::{Answer, TestServer, token};

/// The description of the API, which a test of the crate's own holds against the router's table in both directions.
const OPENAPI: &str = include_str!("../../src/http/openapi.json");

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

/// What no route has.
const NOWHERE: [&str; 4] = ["/nope", "/", "/healthz/x", "/process/session//exec"];

/// Every path of the router's, and the methods with which anybody may ask for it.
fn paths() -> Vec<(String, Vec<String>)> {
    let description: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut paths = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let operations = item.as_object().unwrap().iter();
        let open = operations
            .filter(|(_, operation)| operation["security"] == json!([]))
            .map(|(method, _)| method.to_uppercase())
            .collect();
        paths.push((path.replace(['{', '}'], ""), open));
    }
    paths
}

#[tokio::test]
async fn without_the_token_every_route_is_shut() {
    let server = TestServer::tcp(token()).await;
    let wrong: [&[(&str, &str)]; 9] = [
        &[],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", "Bearer s3cre")],
        &[("Authorization", "Bearer s3cret2")],
        &[("Authorization", "Basic s3cret")],
        &[("Authorization", "s3cret")],
        &[("X-Sandbox-Token", "wrong")],
        &[("X-Sandbox-Token", "Bearer s3cret")],
        &[("Cookie", "DAYTONA_SANDBOX_AUTH_KEY=s3cret")],
    ];
    let mut tried = 0;
    let known = paths();
    let nowhere = NOWHERE.map(|path| (path.to_owned(), Vec::new()));
    for (path, open) in known.iter().chain(&nowhere) {
        for method in METHODS {
            if open.iter().any(|open| open == method) {
                continue;
            }
            tried += 1;
            for prefix in ["", "/sandbox-id"] {
                let path = format!("{prefix}{path}");
                for headers in wrong {
                    let body = b"{\"command\":\"touch x\",\"sessionId\":\"s\"}";
                    let answer = server.send(method, &path, headers, body).await;
                    assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
                }
                for query in ["token=s3cret", "DAYTONA_SANDBOX_AUTH_KEY=s3cret"] {
                    let path = format!("{path}?{query}");
                    let answer = server.send(method, &path, &[], b"{}").await;
                    assert_eq!(answer.status, 401, "{method} {path}");
                }
            }
        }
        for query in [
            "",
            "?DAYTONA_SANDBOX_AUTH_KEY=wrong",
            "?follow=true&token=s3cret",
        ] {
            let path = format!("{path}{query}");
            match server.upgrade(&path, &[]).await {
                Err(refused) if open.is_empty() => refused.expect_error(401, "UNAUTHORIZED"),
                Err(answer) => assert_eq!(answer.status, 200, "{path}"),
                Ok(_) => panic!("{path} was opened to a stranger"),
            }
        }
    }
    assert!(tried > 7 * 18, "only {tried} routes and methods");
    let answer = server.get("/version", &[]).await;
    assert_eq!(answer.header("www-authenticate"), Some("bearer"));
    let made = std::fs::read_dir(server.engine.work_dir()).unwrap().count();
    assert_eq!(made, 0, "a stranger's command ran");
    assert!(
        server.engine.sessions().list().is_empty(),
        "a stranger's session was made"
    );
    server.end().await;
}

/// A script of a page cannot set headers on a WebSocket, so there the query may hold the token.
#[tokio::test]
async fn a_websocket_is_opened_with_the_token_in_whatever_place() {
    let server = TestServer::tcp(Access::Token(Token::new("s3c&r+t").unwrap())).await;
    let headers = [("X-Sandbox-Token", "s3c&r+t")];
    let body = json!({"sessionId": "s"});
    let answer = server.post("/process/session", &headers, body).await;
    assert_eq!(answer.status, 201);
    let body = json!({"command": "echo a", "commandId": "c"});
    server.post("/process/session/s/exec", &headers, body).await;
    let path = "/process/session/s/command/c/logs?follow=true";
    let by_query = format!("{path}&DAYTONA_SANDBOX_AUTH_KEY=s3c%26r%2Bt");
    let page = ("Origin", "https://app.example");
    for (path, headers) in [
        (path, vec![("Authorization", "Bearer s3c&r+t")]),
        (path, headers.to_vec()),
        (&by_query, vec![]),
        // The token decides, not the page that has it.
        (&by_query, vec![page]),
        // A proxy put its own into the usual place.
        (path, vec![("Authorization", "Bearer other"), headers[0]]),
    ] {
        let mut client = server.upgrade(path, &headers).await.ok().unwrap();
        let received = client.read_to_end().await;
        assert_eq!(received.bytes(), b"a\n");
        received.expect_close(1000);
    }
    server.end().await;
}

#[tokio::test]
async fn the_description_is_served() {
    let server = TestServer::unix(Access::Open).await;
    let answer = server.get("/openapi.json", &[]).await;
    assert_eq!(answer.status, 200);
    let expect: Value = serde_json::from_str(OPENAPI).unwrap();
    assert_eq!(answer.json(), expect);
    // What it says of languages is the engine's table.
    let said = |schema: &str| {
        let schema = &expect["components"]["schemas"][schema]["properties"]["language"]["enum"];
        let names = schema.as_array().unwrap().iter();
        names
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let names = |languages: &mut dyn Iterator<Item = Language>| {
        let typescript = std::iter::once("typescript");
        let names = languages.map(Language::name).chain(typescript);
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        said("CodeRunRequest"),
        names(&mut Language::ALL.iter().copied())
    );
    assert_eq!(said("CreateContext"), names(&mut Contexts::languages()));
    // Each reference in it leads somewhere.
    for reference in OPENAPI.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(expect.pointer(pointer).is_some(), "{pointer}");
    }
    server.end().await;
}

#[tokio::test]
async fn with_the_token_routes_respond() {
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
        let logs = "/process/session/s/command/c/logs?follow=true";
        if let ("Host", "") = headers {
            continue; // The client of the other test leaves it out then.
        }
        let refused = server.upgrade(logs, &[headers]).await.err().unwrap();
        refused.expect_error(403, "FORBIDDEN");
    }
    let made = std::fs::read_dir(server.engine.work_dir()).unwrap().count();
    assert_eq!(made, 0, "a page's command ran");
    // What a browser says of where a request comes from, without an origin.
    for (site, expect) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("none", 200),
        ("same-origin", 200),
    ] {
        let headers = [("Sec-Fetch-Site", site)];
        let answer = server.send("GET", "/version", &headers, b"").await;
        assert_eq!(answer.status, expect, "{site}");
    }
    for hosts in [
        &b"Host: evil\xff.com\r\n"[..],
        b"Host: \xff\r\n",
        b"Host: localhost:evil.com\r\n",
        b"Host: localhost:99999\r\n",
        b"Host: evil@localhost\r\n",
        b"Host: localhost\r\nHost: evil.com\r\n",
        b"Host: localhost\r\nHost: localhost\r\n",
        b"",
    ] {
        let begin = b"GET /version HTTP/1.1\r\nConnection: close\r\n";
        let sent = [begin, hosts, b"\r\n"].concat();
        let answer = Answer::parse(&server.raw(&sent).await);
        answer.expect_error(400, "BAD_REQUEST");
    }
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
