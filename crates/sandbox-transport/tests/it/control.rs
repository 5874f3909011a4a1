//! The client of a control plane.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_transport::limits::{
    SANDBOX_PAGES, SANDBOX_PAUSE, SANDBOX_RESPONSE_TIMEOUT, SANDBOX_STATE,
};
use sandbox_transport::{
    ControlPlane, ErrorKind, HttpTransport, NoRetries, SandboxInfo, SandboxRequest, SandboxState,
};
use tokio::time::Instant;

use crate::fake::{Fake, Script, answer, json};

fn client(fake: &Fake) -> ControlPlane {
    let endpoint = format!("{}/api", fake.url()).parse().unwrap();
    let builder = HttpTransport::builder(endpoint)
        .token("key")
        .retry(NoRetries);
    builder.build_control().unwrap()
}

/// A server whose every response is the next one of these.
async fn responding(bodies: &[&str]) -> (Fake, ControlPlane) {
    let scripts = bodies.iter().map(|body| Script::Cut(json(body)));
    let fake = Fake::start(scripts).await;
    let client = client(&fake);
    (fake, client)
}

fn in_state(name: &str) -> String {
    format!(r#"{{"id": "i", "name": "n", "state": "{name}", "errorReason": "why"}}"#)
}

#[tokio::test]
async fn every_operation_has_its_route() {
    let (fake, client) = responding(&[&in_state("started")]).await;
    let labels = BTreeMap::from([("a".to_owned(), "b \"c".to_owned())]);
    let request = SandboxRequest {
        name: Some("web".to_owned()),
        image: Some("python".to_owned()),
        labels: labels.clone(),
        memory_gib: Some(2),
        ttl: Some(Duration::from_secs(61)),
        ..SandboxRequest::default()
    };
    let created = client.create(request).await.unwrap();
    assert_eq!((&*created.id, created.state), ("i", SandboxState::Started));
    client.get("a/b").await.unwrap();
    client.start("web").await.unwrap();
    client.stop("web").await.unwrap();
    client.kill("web").await.unwrap();
    client.pause("web").await.unwrap();
    client.delete("web").await.unwrap();
    client.set_labels("web", labels).await.unwrap();
    client.set_auto_stop("web", None).await.unwrap();
    let quarter = Duration::from_secs(15 * 60);
    client.set_auto_delete("web", Some(quarter)).await.unwrap();
    client.set_auto_delete("web", None).await.unwrap();
    client.set_ttl("web", Some(quarter)).await.unwrap();
    client.refresh_activity("web").await.unwrap();
    let lines: Vec<_> = (0..fake.count())
        .map(|index| fake.request(index).line().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /api/sandbox",
            "GET /api/sandbox/a%2Fb",
            "POST /api/sandbox/web/start",
            "POST /api/sandbox/web/stop",
            "POST /api/sandbox/web/stop?force=true",
            "POST /api/sandbox/web/pause",
            "DELETE /api/sandbox/web",
            "PUT /api/sandbox/web/labels",
            "POST /api/sandbox/web/autostop/0",
            "POST /api/sandbox/web/autodelete/15",
            "POST /api/sandbox/web/autodelete/-1",
            "POST /api/sandbox/web/ttl/15",
            "POST /api/sandbox/web/last-activity",
        ]
    );
    let create = fake.request(0);
    assert_eq!(create.header("authorization"), Some("Bearer key"));
    assert_eq!(
        String::from_utf8(create.body).unwrap(),
        r#"{"name":"web","snapshot":"python","labels":{"a":"b \"c"},"memory":2,"ttlMinutes":2}"#
    );
    assert_eq!(fake.request(7).body, br#"{"labels":{"a":"b \"c"}}"#);
    assert_eq!(
        client.get("..").await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn previews_are_asked_for() {
    let (fake, client) = responding(&[r#"{"url": "http://p", "token": "t", "port": 1}"#]).await;
    let preview = client.preview_url("web", 8000).await.unwrap();
    assert_eq!((&*preview.url, &*preview.token), ("http://p", "t"));
    let valid = Duration::from_secs(90);
    client.signed_preview_url("web", 1, valid).await.unwrap();
    assert_eq!(
        fake.request(0).line(),
        "GET /api/sandbox/web/ports/8000/preview-url"
    );
    assert_eq!(
        fake.request(1).line(),
        "GET /api/sandbox/web/ports/1/signed-preview-url?expiresInSeconds=90"
    );
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let (fake, client) = responding(&[
        r#"{"items": [{"id": "1"}, {"id": "2"}], "nextCursor": "a b"}"#,
        r#"{"items": [{"id": "3"}], "nextCursor": null}"#,
    ])
    .await;
    let labels = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let all = client.list_all(&labels).await.unwrap();
    let ids: Vec<_> = all.iter().map(|sandbox| &*sandbox.id).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(
        fake.request(0).line(),
        "GET /api/sandbox?labels=%7B%22k%22%3A%22v%22%7D"
    );
    assert_eq!(
        fake.request(1).line(),
        "GET /api/sandbox?labels=%7B%22k%22%3A%22v%22%7D&cursor=a%20b"
    );
}

#[tokio::test]
async fn a_list_of_sandboxes_has_an_end() {
    let page = json(r#"{"items": [], "nextCursor": "again"}"#);
    let fake = Fake::start([Script::Answer(page)]).await;
    let error = client(&fake).list_all(&BTreeMap::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(fake.count(), SANDBOX_PAGES);
}

#[tokio::test]
async fn refusals_have_their_kind() {
    let check = async |status, body: &str, kind, message: &str| {
        let refusal = answer(status, "application/json", body);
        let fake = Fake::start([Script::Answer(refusal)]).await;
        let error = client(&fake).get("x").await.unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (kind, message));
    };
    let envelope = r#"{"statusCode": 404, "error": "Not Found", "message": "no such sandbox"}"#;
    check(404, envelope, ErrorKind::NotFound, "no such sandbox").await;
    check(
        401,
        "{}",
        ErrorKind::Unauthorized,
        "the daemon responded with status 401",
    )
    .await;
    check(409, r#"{"message": "taken"}"#, ErrorKind::Conflict, "taken").await;
    check(501, r#"{"message": "no"}"#, ErrorKind::Unsupported, "no").await;
    check(
        200,
        "[]",
        ErrorKind::Protocol,
        "the daemon's response cannot be read",
    )
    .await;
}

#[tokio::test]
async fn states_are_waited_for() {
    let (fake, client) = responding(&[&in_state("starting"), &in_state("started")]).await;
    let sandbox = client.get("n").await.unwrap();
    let started = client.wait_for(sandbox, SandboxState::Started);
    assert_eq!(started.await.unwrap().state, SandboxState::Started);
    assert_eq!(fake.request(1).line(), "GET /api/sandbox/i");

    let (_fake, client) = responding(&[&in_state("creating"), &in_state("error")]).await;
    let sandbox = client.get("n").await.unwrap();
    let error = client.wait_for(sandbox, SandboxState::Started).await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "sandbox `n` has failed");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "why"
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_is_not_waited_for_without_end() {
    let starting = json(&in_state("starting"));
    let fake = Fake::start([Script::Answer(starting)]).await;
    let begun = Instant::now();
    let sandbox = client(&fake).get("n").await.unwrap();
    let error = client(&fake)
        .wait_for(sandbox, SandboxState::Started)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "sandbox `n` is starting, and not started after 60s"
    );
    let waited = begun.elapsed();
    assert!(waited <= SANDBOX_STATE && waited > SANDBOX_STATE - 2 * SANDBOX_PAUSE);
    assert!(fake.count() < 80, "{}", fake.count());
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_does_not_respond_times_out() {
    let fake = Fake::start([Script::Silence]).await;
    let begun = Instant::now();
    let error = client(&fake).start("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        begun.elapsed().as_secs(),
        SANDBOX_RESPONSE_TIMEOUT.as_secs()
    );
}

#[tokio::test]
async fn toolboxes_are_where_the_control_plane_says() {
    let fake = Fake::start([Script::Answer(json(r#"{"version": "v", "url": "x"}"#))]).await;
    let control = client(&fake);
    let mut sandbox = SandboxInfo::default();
    sandbox.id = "i".to_owned();
    sandbox.toolbox_url = format!("{}/toolbox/", fake.url());
    let toolbox = control.toolbox(&sandbox).await.unwrap();
    assert_eq!(toolbox.version().await.unwrap(), "v");
    assert_eq!(fake.request(0).line(), "GET /toolbox/i/version");
    assert_eq!(fake.request(0).header("authorization"), Some("Bearer key"));

    // An older control plane has a route for the URL; what it reports here is none.
    sandbox.toolbox_url.clear();
    let error = control.toolbox(&sandbox).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(
        fake.request(1).line(),
        "GET /api/sandbox/i/toolbox-proxy-url"
    );
}
