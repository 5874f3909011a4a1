//! Responses of all sorts, and what is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandbox_transport::{
    Delivery, EnvUpdate, ErrorKind, ExecRequest, HttpTransport, LogOptions, LogSource, ProcessApi,
    SDK_VERSION, TokenFuture, TokenProvider,
};

use crate::fake::{Fake, Script, answer, json, kinds, no_such_route};

fn run_true() -> ExecRequest {
    ExecRequest::new("true")
}

#[tokio::test]
async fn malformed_responses_are_errors() {
    let check = async |bytes: &[u8], kind| {
        let fake = Fake::start([Script::Cut(bytes.to_vec())]).await;
        let error = fake.client().execute(run_true()).await.unwrap_err();
        assert_eq!(kinds(&error), (kind, Delivery::Uncertain), "{error:?}");
        error
    };
    check(&json(r#"{"exitCode":0,"res"#), ErrorKind::Protocol).await;
    check(&json("[]"), ErrorKind::Protocol).await;
    check(
        &answer(200, "text/html", "<h1>Log in</h1>"),
        ErrorKind::Protocol,
    )
    .await;
    check(b"SSH-2.0-OpenSSH_9.9\r\n", ErrorKind::Protocol).await;
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ErrorKind::Protocol,
    )
    .await;
    check(
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ErrorKind::Protocol,
    )
    .await;
    let error = check(&answer(502, "text/html", "<h1>Bad</h1>"), ErrorKind::Server).await;
    assert_eq!(error.to_string(), "<h1>Bad</h1>");
    let long = "é".repeat(5000);
    let error = check(&answer(500, "", &long), ErrorKind::Server).await;
    assert_eq!(error.to_string().chars().count(), 1000);

    // A status alone says enough, even if the rest of it is cut off.
    let cut = answer(404, "application/json", r#"{"message": "no such session"}"#);
    let fake = Fake::start([Script::Cut(cut[..cut.len() - 5].to_vec())]).await;
    let error = fake.client().get_session("s").await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::NotFound, Delivery::Rejected));
}

#[tokio::test]
async fn a_page_is_no_success() {
    let page = answer(200, "text/html", "<h1>Log in</h1>");
    let fake = Fake::start([Script::Answer(page)]).await;
    let client = fake.client();
    for error in [
        client.create_session("s".into()).await.unwrap_err(),
        client.delete_session("s").await.unwrap_err(),
        client.update_env(EnvUpdate::default()).await.unwrap_err(),
        client
            .follow_log(LogSource::Entrypoint, LogOptions::new())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(kinds(&error), (ErrorKind::Protocol, Delivery::Uncertain));
    }
    let fake = Fake::start([Script::Answer(answer(201, "", ""))]).await;
    fake.client().create_session("s".into()).await.unwrap();
}

#[tokio::test]
async fn redirects_are_refused() {
    for status in [301, 302, 303, 307, 308] {
        let moved = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        );
        let fake = Fake::start([Script::Answer(moved.into_bytes())]).await;
        let error = fake.client().execute(run_true()).await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::Protocol, Delivery::Uncertain));
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains("http://127.0.0.1:1/"), "{error}");
        assert_eq!(fake.count(), 1);
    }
}

#[tokio::test]
async fn long_responses_are_bounded() {
    let body = format!(r#"{{"exitCode":0,"result":"{}"}}"#, "x".repeat(10_000));
    let fake = Fake::start([Script::Cut(json(&body))]).await;
    let builder = HttpTransport::builder(fake.url().parse().unwrap());
    let client = builder.response_limit(body.len()).build_http().unwrap();
    client.execute(run_true()).await.unwrap();
    let builder = HttpTransport::builder(fake.url().parse().unwrap());
    let client = builder.response_limit(body.len() - 1).build_http().unwrap();
    let error = client.execute(run_true()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::TooLarge, Delivery::Uncertain));
}

#[tokio::test]
async fn requests_name_the_client() {
    let fake = Fake::start([Script::Answer(json(r#"{"version":"v1"}"#))]).await;
    let url = format!("{}/a/sandbox-id/", fake.url());
    let builder = HttpTransport::builder(url.parse().unwrap());
    let client = builder
        .clone()
        .token(" s3cret\n")
        .organization("org")
        .build_http()
        .unwrap();
    client.version().await.unwrap();
    let request = fake.request(0);
    assert_eq!(request.line(), "GET /a/sandbox-id/version");
    let host = fake.address.to_string();
    for (name, value) in [
        ("host", host.as_str()),
        ("authorization", "Bearer s3cret"),
        ("x-daytona-source", "sdk-rust"),
        ("x-daytona-sdk-version", SDK_VERSION),
        ("x-daytona-organization-id", "org"),
        (
            "user-agent",
            concat!("sandbox-process/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let client = builder
        .clone()
        .header("X-Daytona-Source", "mine")
        .build_http()
        .unwrap();
    client.version().await.unwrap();
    assert_eq!(fake.request(1).header("x-daytona-source"), Some("mine"));
    assert_eq!(fake.request(1).header("authorization"), None);
    for bad in [("a b", "c"), ("a", "b\nc")] {
        let error = builder
            .clone()
            .header(bad.0, bad.1)
            .build_http()
            .unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
    }
    let error = builder.token("a\nb").build_http().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
}

#[tokio::test]
async fn missing_routes_are_distinct_from_missing_things() {
    let fake = Fake::start([Script::Answer(no_such_route())]).await;
    let client = fake.client();
    assert!(client.metrics().await.unwrap_err().is_unsupported());
    assert!(
        client
            .update_env(EnvUpdate::default())
            .await
            .unwrap_err()
            .is_unsupported()
    );
    assert!(
        client
            .interrupt_context("c")
            .await
            .unwrap_err()
            .is_unsupported()
    );
    let body = r#"{"statusCode":404,"message":"m","code":"PROCESS_NOT_FOUND"}"#;
    let fake = Fake::start([Script::Answer(answer(404, "application/json", body))]).await;
    let error = fake.client().interrupt_context("c").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.code(), Some("PROCESS_NOT_FOUND"));
}

/// Gives tokens with numbers.
#[derive(Debug, Default, Clone)]
struct Numbered {
    given: Arc<AtomicUsize>,
    fails: bool,
}

impl TokenProvider for Numbered {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async {
            tokio::task::yield_now().await;
            if self.fails {
                Err("the vault is shut".into())
            } else {
                Ok(format!(
                    "token-{}",
                    self.given.fetch_add(1, Ordering::SeqCst)
                ))
            }
        })
    }
}

#[tokio::test]
async fn tokens_are_asked_for_when_needed() {
    let refusal = answer(401, "application/json", r#"{"message":"no"}"#);
    let yes = json(r#"{"exitCode":0,"result":""}"#);
    let scripts = [
        Script::Cut(yes.clone()),
        Script::Cut(refusal.clone()),
        // Many calls use it: one that was cut could be taken for the next before its end is noticed.
        Script::Answer(yes),
    ];
    let fake = Fake::start(scripts).await;
    let numbered = Numbered::default();
    let builder = HttpTransport::builder(fake.url().parse().unwrap());
    let client = builder
        .clone()
        .token_provider(numbered.clone())
        .build_http()
        .unwrap();
    assert_eq!(numbered.given.load(Ordering::SeqCst), 0);
    client.execute(run_true()).await.unwrap();
    // Refused, and sent again with a fresh one: a request that was refused with 401 was not carried out.
    client.execute(run_true()).await.unwrap();
    let presented: Vec<_> = (0..fake.count())
        .map(|index| {
            fake.request(index)
                .header("authorization")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        presented,
        ["Bearer token-0", "Bearer token-0", "Bearer token-1"]
    );

    // Many that are refused the same token wait for one fresh one.
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.execute(run_true()).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(numbered.given.load(Ordering::SeqCst), 2);

    // A token that stays is refused once.
    let fake = Fake::start([Script::Cut(refusal)]).await;
    let builder = HttpTransport::builder(fake.url().parse().unwrap());
    let client = builder.clone().token("fixed").build_http().unwrap();
    let error = client.execute(run_true()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Unauthorized, Delivery::Rejected));
    assert_eq!(fake.count(), 1);
    // So is the second of two.
    let client = builder
        .clone()
        .token_provider(Numbered::default())
        .build_http()
        .unwrap();
    assert!(
        client
            .execute(run_true())
            .await
            .unwrap_err()
            .is_unauthorized()
    );
    assert_eq!(fake.count(), 3);
    let failing = Numbered {
        fails: true,
        ..Numbered::default()
    };
    let client = builder.token_provider(failing).build_http().unwrap();
    let error = client.execute(run_true()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Unauthorized, Delivery::NotSent));
    assert_eq!(fake.count(), 3);
}
