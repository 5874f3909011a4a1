//! Servers inside a sandbox, and the clients that see them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sandbox_control::limits::{SIGNED_PREVIEW_AGE, SIGNED_PREVIEW_DEFAULT_AGE};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Answer, Control, KEY};

/// A server of a sandbox, whose daemons are all on this machine: it responds with the request's target, and keeps the headers.
struct Application {
    port: u16,
    seen: Arc<Mutex<HeaderMap>>,
}

impl Application {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(HeaderMap::new()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request: Request<Incoming>| {
                    kept.lock().unwrap().clone_from(request.headers());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let target = parts.uri.to_string();
                        let body = [target.as_bytes(), b" ", &body].concat();
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, seen }
    }

    fn header(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        seen.get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    }
}

/// Sends a request without the key.
async fn visit(control: &Control, target: &str, headers: &[(&str, &str)]) -> Answer {
    control.send_with(Method::GET, target, headers, "").await
}

fn path_of(control: &Control, url: &Value) -> String {
    let base = format!("http://{}", control.address);
    let url = url.as_str().unwrap();
    url.strip_prefix(&base)
        .unwrap_or_else(|| panic!("{url}"))
        .to_owned()
}

#[tokio::test]
async fn a_preview_needs_the_token_of_its_sandbox() {
    let control = Control::start().await;
    let application = Application::start().await;
    let port = application.port;
    let id = control.create(&json!({})).await;
    let other = control.create(&json!({})).await;
    let link = async |id: &str| {
        let path = format!("/api/sandbox/{id}/ports/{port}/preview-url");
        control.get(&path).await.json()
    };
    let (own, foreign) = (link(&id).await, link(&other).await);
    assert_eq!(own["sandboxId"], *id);
    let path = path_of(&control, &own["url"]);
    let token = own["token"].as_str().unwrap();
    let host = format!("{port}-{id}.localhost:{}", control.address.port());
    assert_eq!(own["hostUrl"], format!("http://{host}"));

    for (headers, query) in [
        (vec![], String::new()),
        (vec![("x-daytona-preview-token", "wrong")], String::new()),
        (
            vec![(
                "x-daytona-preview-token",
                foreign["token"].as_str().unwrap(),
            )],
            String::new(),
        ),
        (vec![("authorization", "Bearer wrong")], String::new()),
        (
            vec![("cookie", "sandbox-preview-token=wrong")],
            String::new(),
        ),
        (vec![], "?DAYTONA_SANDBOX_AUTH_KEY=wrong".to_owned()),
    ] {
        let refused = visit(&control, &format!("{path}/{query}"), &headers).await;
        refused.refused(401, "UNAUTHORIZED", "x-daytona-preview-token");
        let headers = [&*headers, &[("host", &*host)]].concat();
        let refused = visit(&control, &format!("/{query}"), &headers).await;
        refused.refused(401, "UNAUTHORIZED", "x-daytona-preview-token");
    }
    // What is not there is refused alike.
    let unknown = visit(&control, &format!("/preview/unknown/{port}/"), &[]).await;
    unknown.refused(401, "UNAUTHORIZED", "x-daytona-preview-token");

    let headers = [
        ("x-daytona-preview-token", token),
        ("authorization", "Basic own"),
        ("cookie", "a=b; c=d"),
    ];
    let seen = visit(&control, &format!("{path}/x/y?z=1"), &headers).await;
    assert_eq!(
        (seen.status, &*seen.body),
        (200, &b"/x/y?z=1 "[..]),
        "{seen:?}"
    );
    // Pages by path have no origin, so that their scripts reach nothing that a page of this server keeps.
    let policy = seen.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("sandbox ") && !policy.contains("same-origin"),
        "{policy}"
    );
    assert_eq!(application.header("x-daytona-preview-token"), None);
    assert_eq!(
        application.header("authorization").as_deref(),
        Some("Basic own")
    );
    // Those of other servers of this host.
    assert_eq!(application.header("cookie"), None);
    assert_eq!(application.header("x-forwarded-prefix"), Some(path.clone()));
    assert_eq!(visit(&control, &path, &headers).await.body, "/ ");

    // With the key, which does not reach the sandbox.
    let bearer = format!("Bearer {KEY}");
    let seen = visit(&control, &format!("{path}/"), &[("authorization", &bearer)]).await;
    assert_eq!(
        (seen.status, application.header("authorization")),
        (200, None)
    );
}

#[tokio::test]
async fn a_browser_keeps_the_token_as_a_cookie() {
    let control = Control::start().await;
    let application = Application::start().await;
    let id = control.create(&json!({})).await;
    let path = format!("/api/sandbox/{id}/ports/{}/preview-url", application.port);
    let link = control.get(&path).await.json();
    let token = link["token"].as_str().unwrap();
    let host = link["hostUrl"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let first = format!("/?a=b&DAYTONA_SANDBOX_AUTH_KEY={token}");
    let page = visit(&control, &first, &[("host", &host)]).await;
    assert_eq!((page.status, &*page.body), (200, &b"/?a=b "[..]));
    assert!(!page.headers.contains_key("content-security-policy"));
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let cookie = format!("own=1; {}", cookie.split(';').next().unwrap());
    let page = visit(&control, "/next", &[("host", &host), ("cookie", &cookie)]).await;
    assert_eq!((page.status, &*page.body), (200, &b"/next "[..]));
    assert_eq!(application.header("cookie").as_deref(), Some("own=1"));
    assert_eq!(application.header("host"), Some(host));
}

#[tokio::test]
async fn the_host_of_a_preview_reaches_nothing_else() {
    let control = Control::start().await;
    let application = Application::start().await;
    let id = control.create(&json!({"public": true})).await;
    let host = format!("{}-{id}.localhost:1", application.port);
    let bearer = format!("Bearer {KEY}");
    for path in [
        "/api/sandbox",
        "/healthz",
        "/toolbox/x/version",
        "/preview/x/80/",
    ] {
        let headers = [("host", host.as_str()), ("authorization", bearer.as_str())];
        let page = visit(&control, path, &headers).await;
        let expect = format!("{path} ");
        assert_eq!((page.status, &*page.body), (200, expect.as_bytes()));
    }
    for host in ["x.localhost", "80-a.b.localhost", "80-a.localhost.evil.com"] {
        let refused = visit(&control, "/", &[("host", host)]).await;
        refused.refused(403, "FORBIDDEN", "another host");
    }
}

#[tokio::test]
async fn public_previews_are_for_anybody() {
    let control = Control::start().await;
    let application = Application::start().await;
    let id = control.create(&json!({"public": true})).await;
    let path = format!("/preview/{id}/{}/", application.port);
    assert_eq!(visit(&control, &path, &[]).await.status, 200);
    control
        .send(Method::POST, &format!("/api/sandbox/{id}/public/false"), "")
        .await;
    assert_eq!(visit(&control, &path, &[]).await.status, 401);
}

#[tokio::test]
async fn signed_urls_work_until_they_expire() {
    let control = Control::start().await;
    let application = Application::start().await;
    let (id, port) = (
        control.create(&json!({"name": "web"})).await,
        application.port,
    );
    let ports = format!("/api/sandbox/{id}/ports");
    let signed = control
        .get(&format!(
            "{ports}/{port}/signed-preview-url?expiresInSeconds=60"
        ))
        .await;
    let signed = signed.json();
    assert_eq!(
        (&signed["sandboxId"], &signed["port"]),
        (&json!(id), &json!(port))
    );
    let (path, token) = (
        path_of(&control, &signed["url"]),
        signed["token"].as_str().unwrap(),
    );
    assert_eq!(visit(&control, &format!("{path}/x"), &[]).await.body, "/x ");
    let host = signed["hostUrl"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    assert_eq!(visit(&control, "/y", &[("host", host)]).await.body, "/y ");
    // For this port alone.
    let refused = visit(&control, &format!("/preview/{token}/1/"), &[]).await;
    refused.refused(401, "UNAUTHORIZED", "");
    // By the name of the sandbox, as well.
    let expire = |port: u16, token: &str| {
        format!("/api/sandbox/web/ports/{port}/signed-preview-url/{token}/expire")
    };
    let unknown = control
        .send(Method::POST, &expire(port, "unknown"), "")
        .await;
    unknown.refused(404, "NOT_FOUND", "no such signed URL");
    assert_eq!(
        control
            .send(Method::POST, &expire(port, token), "")
            .await
            .status,
        200
    );
    let refused = visit(&control, &format!("{path}/x"), &[]).await;
    refused.refused(401, "UNAUTHORIZED", "");

    let longest = SIGNED_PREVIEW_AGE.as_secs();
    for (query, expect) in [
        (String::new(), 200),
        (format!("?expiresInSeconds={longest}"), 200),
        (format!("?expiresInSeconds={}", longest + 1), 400),
        ("?expiresInSeconds=0".to_owned(), 400),
        ("?expiresInSeconds=x".to_owned(), 400),
    ] {
        let answer = control
            .get(&format!("{ports}/80/signed-preview-url{query}"))
            .await;
        assert_eq!(answer.status, expect, "{query}");
    }
    assert_eq!(SIGNED_PREVIEW_DEFAULT_AGE.as_secs(), 60);
    for bad in ["0", "65536", "x"] {
        let refused = control
            .get(&format!("{ports}/{bad}/signed-preview-url"))
            .await;
        refused.refused(400, "BAD_REQUEST", "port");
    }
}

#[tokio::test]
async fn a_port_without_a_listener_says_so() {
    let control = Control::start().await;
    let id = control.create(&json!({"public": true})).await;
    // It was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let refused = visit(&control, &format!("/preview/{id}/{port}/"), &[]).await;
    refused.refused(503, "SERVICE_UNAVAILABLE", "nothing listens on port");
    control
        .send(Method::POST, &format!("/api/sandbox/{id}/stop"), "")
        .await;
    let refused = visit(&control, &format!("/preview/{id}/{port}/"), &[]).await;
    refused.refused(409, "CONFLICT", "is stopped");
}

#[tokio::test]
async fn bodies_reach_the_server() {
    let control = Control::start().await;
    let application = Application::start().await;
    let id = control.create(&json!({"public": true})).await;
    let path = format!("/preview/{id}/{}/upload", application.port);
    let body = vec![b'x'; 4 * 1024 * 1024];
    let answer = control
        .send_with(Method::POST, &path, &[], body.clone())
        .await;
    assert_eq!(answer.body.len(), "/upload ".len() + body.len());
}
