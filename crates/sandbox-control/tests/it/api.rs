//! The routes below `/api`.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Control, KEY};
use crate::daemons::IMAGE;

#[tokio::test]
async fn a_sandbox_has_every_field_of_its_request() {
    let control = Control::start().await;
    let wanted = json!({
        "name": "web", "user": "someone", "env": {"A": "b"}, "labels": {"team": "x"}, "public": true,
        "networkBlockAll": true, "cpu": 2, "memory": 4, "disk": 8, "autoStopInterval": 30, "autoDeleteInterval": 60,
        "ttlMinutes": 120, "target": "eu", "volumes": [], "gpu": 0, "unknown": 1,
    });
    let created = control.post("/api/sandbox", &wanted).await.json();
    let id = created["id"].as_str().unwrap();
    let expect = json!({
        "id": id, "organizationId": "local", "name": "web", "snapshot": "default", "user": "someone",
        "env": {"A": "b"}, "labels": {"team": "x"}, "public": true, "networkBlockAll": true, "kvm": false,
        "target": "local", "cpu": 2, "gpu": 0, "memory": 4, "disk": 8, "state": "started",
        "desiredState": "started", "recoverable": false, "autoStopInterval": 30, "autoDeleteInterval": 60,
        "autoDestroyAt": created["autoDestroyAt"], "createdAt": created["createdAt"],
        "updatedAt": created["updatedAt"], "lastActivityAt": created["lastActivityAt"],
        "sandboxClass": "container", "isolation": "none",
        "toolboxProxyUrl": format!("http://{}/toolbox", control.address),
    });
    assert_eq!(created, expect);
    for time in ["autoDestroyAt", "createdAt", "updatedAt", "lastActivityAt"] {
        assert!(created[time].as_str().unwrap().ends_with('Z'), "{created}");
    }
    // By its name, too.
    for path in [format!("/api/sandbox/{id}"), "/api/sandbox/web".to_owned()] {
        let found = control.get(&path).await.json();
        assert_eq!(
            (&found["id"], &found["env"]),
            (&expect["id"], &expect["env"])
        );
    }
    let listed = control.get("/api/sandbox").await.json();
    assert_eq!(listed["items"][0]["id"], id);
    assert_eq!(listed["items"][0].get("env"), None);
    assert_eq!(listed["nextCursor"], Value::Null);
    assert!(listed.as_object().unwrap().contains_key("nextCursor"));
}

#[tokio::test]
async fn defaults_are_those_of_the_api() {
    let control = Control::start().await;
    // A request without a body is one without wishes.
    let created = control.send(Method::POST, "/api/sandbox", "").await.json();
    let expect = [
        ("autoStopInterval", json!(15)),
        ("autoDeleteInterval", json!(-1)),
        ("user", json!("daytona")),
        ("labels", json!({})),
        ("public", json!(false)),
        ("cpu", json!(0)),
    ];
    for (field, value) in expect {
        assert_eq!(created[field], value, "{field}");
    }
    assert_eq!(created["name"], created["id"]);
    assert_eq!(created.get("autoDestroyAt"), None);
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_and_not_left_out() {
    let control = Control::start().await;
    let wishes = [
        json!({"gpu": 1}),
        json!({"gpuType": ["H100"]}),
        json!({"kvm": true}),
        json!({"spot": true}),
        json!({"volumes": [{"volumeId": "v", "mountPath": "/v"}]}),
        json!({"secrets": [{"A": "b"}]}),
        json!({"networkAllowList": "10.0.0.0/8"}),
        json!({"domainAllowList": "example.com"}),
        json!({"outboundProxyUrl": "http://proxy"}),
        json!({"otelEndpointOverride": "http://otel"}),
        json!({"linkedSandbox": "other"}),
        json!({"autoPauseInterval": 1}),
        json!({"autoStopInterval": -1}),
        json!({"ttlMinutes": -1}),
        json!({"ttlMinutes": i64::MAX}),
        json!({"snapshot": "unknown"}),
        json!({"buildInfo": {"dockerfileContent": "FROM debian:12\nRUN true\n"}}),
        json!({"buildInfo": {"dockerfileContent": "FROM debian:12", "contextHashes": ["a"]}}),
    ];
    for wish in wishes {
        let refused = control.post("/api/sandbox", &wish).await;
        refused.refused(400, "BAD_REQUEST", "");
    }
    let build = json!({"buildInfo": {"dockerfileContent": "FROM a\nRUN b"}});
    let refused = control.post("/api/sandbox", &build).await;
    refused.refused(400, "BAD_REQUEST", "sandbox up --image NAME=DIR");
    for bad in [
        "[]",
        "{",
        "{\"cpu\": \"2\"}",
        "{\"env\": {\"A\": 1}}",
        "{\"name\": 5}",
    ] {
        let refused = control.send(Method::POST, "/api/sandbox", bad).await;
        refused.refused(400, "INVALID_REQUEST_BODY", "not what this route reads");
    }
    let full = control.post("/api/sandbox", &json!({"cpu": 100})).await;
    full.refused(507, "INSUFFICIENT_STORAGE", "processors");
    assert_eq!(control.get("/api/sandbox").await.json()["items"], json!([]));
}

#[tokio::test]
async fn images_are_those_that_are_registered() {
    let control = Control::start().await;
    for (wanted, expect) in [
        (json!({"snapshot": IMAGE}), IMAGE),
        (json!({"snapshot": "default"}), "default"),
        (json!({"snapshot": "daytonaio/sandbox:0.5.0"}), "default"),
        (
            json!({"buildInfo": {"dockerfileContent": "FROM debian:12\n"}}),
            IMAGE,
        ),
    ] {
        let created = control.post("/api/sandbox", &wanted).await.json();
        assert_eq!(created["snapshot"], expect, "{wanted}");
    }
    let listed = control.get("/api/snapshots?page=1&limit=1").await.json();
    assert_eq!(
        (&listed["total"], &listed["totalPages"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(listed["items"][0]["name"], "default");
    let found = control.get(&format!("/api/snapshots/{IMAGE}")).await.json();
    assert_eq!(
        (&found["name"], &found["state"]),
        (&json!(IMAGE), &json!("active"))
    );
    let missing = control.get("/api/snapshots/none").await;
    missing.refused(404, "NOT_FOUND", "sandbox up --image none=DIR");
}

#[tokio::test]
async fn names_are_unique() {
    let control = Control::start().await;
    control.create(&json!({"name": "web"})).await;
    let second = control.post("/api/sandbox", &json!({"name": "web"})).await;
    second.refused(409, "CONFLICT", "web");
    let deleted = control.send(Method::DELETE, "/api/sandbox/web", "").await;
    assert_eq!(deleted.json()["state"], "destroyed");
    control.create(&json!({"name": "web"})).await;
}

#[tokio::test]
async fn a_sandbox_stops_starts_and_ends() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    let path = format!("/api/sandbox/{id}");
    let state = |answer: crate::client::Answer| answer.json()["state"].clone();
    for (route, expect) in [
        ("stop", "stopped"),
        ("stop?force=true", "stopped"),
        ("start", "started"),
        ("start", "started"),
        ("stop?force=false", "stopped"),
        ("recover", "started"),
    ] {
        let answer = control
            .send(Method::POST, &format!("{path}/{route}"), "")
            .await;
        assert_eq!(state(answer), expect, "{route}");
    }
    let refused = control
        .send(Method::POST, &format!("{path}/stop?force=1"), "")
        .await;
    refused.refused(400, "BAD_REQUEST", "force");
    let deleted = control.send(Method::DELETE, &path, "").await;
    assert_eq!(state(deleted), "destroyed");
    for (method, route) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::POST, "/start"),
        (Method::POST, "/stop"),
        (Method::POST, "/fork"),
        (Method::POST, "/pause"),
        (Method::POST, "/autostop/1"),
        (Method::POST, "/last-activity"),
        (Method::GET, "/toolbox-proxy-url"),
        (Method::GET, "/ports/80/preview-url"),
        (Method::GET, "/ports/80/signed-preview-url"),
    ] {
        let answer = control.send(method, &format!("{path}{route}"), "").await;
        answer.refused(404, "NOT_FOUND", &id);
    }
}

#[tokio::test]
async fn settings_change() {
    let control = Control::start().await;
    let id = control.create(&json!({"labels": {"a": "b"}})).await;
    let path = format!("/api/sandbox/{id}");
    let labels = json!({"labels": {"c": "d"}}).to_string();
    let changed = control
        .send(Method::PUT, &format!("{path}/labels"), labels)
        .await;
    assert_eq!(changed.json(), json!({"labels": {"c": "d"}}));
    for (route, field, expect) in [
        ("autostop/5", "autoStopInterval", json!(5)),
        ("autostop/0", "autoStopInterval", json!(0)),
        ("autodelete/0", "autoDeleteInterval", json!(0)),
        ("autodelete/7", "autoDeleteInterval", json!(7)),
        ("autodelete/-1", "autoDeleteInterval", json!(-1)),
        ("public/true", "public", json!(true)),
        ("public/false", "public", json!(false)),
    ] {
        let changed = control
            .send(Method::POST, &format!("{path}/{route}"), "")
            .await;
        assert_eq!(changed.json()[field], expect, "{route}");
        assert_eq!(control.get(&path).await.json()[field], expect, "{route}");
    }
    let changed = control
        .send(Method::POST, &format!("{path}/ttl/9"), "")
        .await;
    assert!(changed.json()["autoDestroyAt"].is_string());
    let changed = control
        .send(Method::POST, &format!("{path}/ttl/0"), "")
        .await;
    assert_eq!(changed.json().get("autoDestroyAt"), None);
    let blocked = json!({"networkBlockAll": true});
    let changed = control
        .post(&format!("{path}/network-settings"), &blocked)
        .await;
    assert_eq!(changed.json()["networkBlockAll"], true);
    let listed = json!({"networkAllowList": "10.0.0.0/8"});
    let refused = control
        .post(&format!("{path}/network-settings"), &listed)
        .await;
    refused.refused(501, "NOT_IMPLEMENTED", "networkBlockAll");
    for route in [
        "autostop/-1",
        "autostop/x",
        "ttl/-3",
        "ttl/1.5",
        "public/yes",
    ] {
        let refused = control
            .send(Method::POST, &format!("{path}/{route}"), "")
            .await;
        refused.refused(400, "BAD_REQUEST", "");
    }
    let url = control
        .get(&format!("{path}/toolbox-proxy-url"))
        .await
        .json();
    assert_eq!(url["url"], format!("http://{}/toolbox", control.address));
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let control = Control::start().await;
    let id = control.create(&json!({})).await;
    // What this provider cannot do, and what no provider is asked for.
    for route in [
        "pause",
        "fork",
        "archive",
        "snapshot",
        "ssh-access",
        "autoarchive/5",
        "backup",
    ] {
        let path = format!("/api/sandbox/{id}/{route}");
        let refused = control.send(Method::POST, &path, "{}").await;
        refused.refused(501, "NOT_IMPLEMENTED", "");
    }
    let resized = control
        .post(&format!("/api/sandbox/{id}/resize"), &json!({"cpu": 2}))
        .await;
    resized.refused(501, "NOT_IMPLEMENTED", "no limits");
    let resized = control
        .post(&format!("/api/sandbox/{id}/resize"), &json!({}))
        .await;
    resized.refused(400, "BAD_REQUEST", "at least 1");
    // The body is read before the response, which the client would otherwise not see.
    let long = vec![b'x'; 8 * 1024 * 1024];
    let refused = control.send(Method::POST, "/api/volumes", long).await;
    refused.refused(501, "NOT_IMPLEMENTED", "POST /api/volumes");
}

/// A control plane with the sandboxes `s0` to `s4`, of which `s3` is stopped.
async fn with_five() -> Control {
    let control = Control::start().await;
    for number in 0..5 {
        let team = ["red", "blue"][number % 2];
        let wanted = json!({"name": format!("s{number}"), "labels": {"team": team, "n": number.to_string()}});
        control.create(&wanted).await;
    }
    control.send(Method::POST, "/api/sandbox/s3/stop", "").await;
    control
}

/// Returns the names of a list, and where the next page begins.
async fn names(control: &Control, query: &str) -> (Vec<String>, Option<String>) {
    let listed = control.get(&format!("/api/sandbox?{query}")).await.json();
    let items = listed["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{query}: {listed}"));
    let names = items
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned());
    let next = listed["nextCursor"].as_str().map(str::to_owned);
    (names.collect(), next)
}

#[tokio::test]
async fn lists_are_filtered_and_sorted() {
    let control = with_five().await;
    let table: &[(&str, &[&str])] = &[
        ("", &["s4", "s3", "s2", "s1", "s0"]),
        ("order=asc", &["s0", "s1", "s2", "s3", "s4"]),
        ("sort=name&order=asc", &["s0", "s1", "s2", "s3", "s4"]),
        ("labels=%7B%22team%22%3A%22blue%22%7D", &["s3", "s1"]),
        (
            "labels=%7B%22team%22%3A%22blue%22%2C%22n%22%3A%221%22%7D",
            &["s1"],
        ),
        ("labels=%7B%22team%22%3A%22green%22%7D", &[]),
        ("states=stopped", &["s3"]),
        ("states=stopped&states=started&limit=2", &["s4", "s3"]),
        ("name=S2", &["s2"]),
        ("snapshots=default&name=s1", &["s1"]),
        ("snapshots=other", &[]),
        ("isPublic=true", &[]),
        ("isRecoverable=true", &[]),
        ("isRecoverable=false&regionIds=local&name=s1", &["s1"]),
        ("regionIds=us", &[]),
        (
            "sandboxClasses=container&sandboxClasses=vm&name=s1",
            &["s1"],
        ),
        ("minCpu=1", &[]),
        ("minCpu=0&maxCpu=8&maxMemoryGiB=1&name=s1", &["s1"]),
        // Some clients write whole numbers so.
        ("minCpu=0.00&maxCpu=8.0&name=s1", &["s1"]),
        ("minDiskGiB=1", &[]),
        ("lastEventBefore=2000-01-01T00:00:00Z", &[]),
        ("lastEventAfter=2000-01-01T00:00:00Z&name=s1", &["s1"]),
        ("autoDestroyAtAfter=2000-01-01T00:00:00Z", &[]),
        (
            "createdAtAfter=2000-01-01T00:00:00.0%2B0000&name=s1",
            &["s1"],
        ),
        ("createdAtBefore=2000-01-01T00:00:00Z", &[]),
    ];
    for (query, expect) in table {
        assert_eq!(names(&control, query).await.0, *expect, "{query}");
    }
    let ttl = "/api/sandbox/s2/ttl/9";
    control.send(Method::POST, ttl, "").await;
    for (query, expect) in [
        ("autoDestroyAtAfter=2000-01-01T00:00:00Z", &["s2"][..]),
        ("autoDestroyAtBefore=2000-01-01T00:00:00Z", &[]),
    ] {
        assert_eq!(names(&control, query).await.0, expect, "{query}");
    }
}

#[tokio::test]
async fn lists_are_cut_into_pages() {
    let control = with_five().await;
    for order in [
        "order=asc",
        "order=desc",
        "sort=cpu",
        "sort=lastActivityAt&order=asc",
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let query = format!("{order}&limit=2&cursor={cursor}");
            let (page, next) = names(&control, &query).await;
            assert!(page.len() <= 2);
            seen.extend(page);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4"], "{order}");
    }
    // What the cursor stands at may be deleted meanwhile.
    let (first, cursor) = names(&control, "order=asc&limit=2").await;
    assert_eq!(first, ["s0", "s1"]);
    control.send(Method::DELETE, "/api/sandbox/s1", "").await;
    let query = format!("order=asc&limit=2&cursor={}", cursor.unwrap());
    assert_eq!(names(&control, &query).await.0, ["s2", "s3"]);
}

#[tokio::test]
async fn pages_have_numbers() {
    let control = with_five().await;
    let pages = control
        .get("/api/sandbox/paginated?page=2&limit=3")
        .await
        .json();
    assert_eq!(
        (&pages["total"], &pages["totalPages"]),
        (&json!(5), &json!(2))
    );
    assert_eq!(pages["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lists_that_cannot_be_are_refused() {
    let control = Control::start().await;
    for bad in [
        "labels=x",
        "cursor=zz",
        "cursor=61",
        "limit=0",
        "limit=x",
        "order=up",
        "sort=color",
        "isPublic=2",
        "createdAtAfter=now",
        "isRecoverable=2",
        "minCpu=x",
        "maxMemoryGiB=-1",
        "lastEventAfter=now",
    ] {
        let refused = control.get(&format!("/api/sandbox?{bad}")).await;
        refused.refused(400, "BAD_REQUEST", "");
    }
    for bad in [
        "page=0",
        "page=0.0",
        "page=1.5",
        "limit=0",
        "limit=-1",
        "limit=1e12",
        "limit=nan",
    ] {
        for list in ["/api/snapshots", "/api/sandbox/paginated"] {
            let refused = control.get(&format!("{list}?{bad}")).await;
            refused.refused(400, "BAD_REQUEST", "is a whole number from 1 to");
        }
    }
    let listed = control
        .get("/api/snapshots?page=2.0&limit=1.0")
        .await
        .json();
    assert_eq!(
        (&listed["page"], &listed["items"].as_array().unwrap().len()),
        (&json!(2), &1)
    );
}

#[tokio::test]
async fn pages_have_a_bound() {
    let control = Control::start().await;
    let listed = control.get("/api/snapshots?limit=100000").await.json();
    assert_eq!(listed["total"], 2);
    let listed = control.get("/api/sandbox?limit=100000").await.json();
    assert_eq!(listed["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_request_with_a_key_creates_one_sandbox() {
    let control = Control::start().await;
    let bearer = format!("Bearer {KEY}");
    let create = async |key: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let body = body.to_owned();
        control
            .send_with(Method::POST, "/api/sandbox", &headers, body)
            .await
    };
    let request = r#"{"name": "web", "labels": {"a": "b"}}"#;
    let same = r#"{"labels":{"a":"b"},"name":"web"}"#;
    // At the same time, and later.
    let (one, other) = tokio::join!(create("k", request), create("k", same));
    let later = create("k", request).await;
    let ids = [&one, &other, &later].map(|answer| answer.json()["id"].clone());
    assert_eq!((&ids[0], &ids[0]), (&ids[1], &ids[2]));
    assert_eq!(
        control.get("/api/sandbox").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    create("k", "{}")
        .await
        .refused(409, "CONFLICT", "another request");
    // A request that failed may be repeated.
    create("l", request).await.refused(409, "CONFLICT", "web");
    control.send(Method::DELETE, "/api/sandbox/web", "").await;
    assert_eq!(create("l", request).await.status, 200);
    // The sandbox of the first key is not made again.
    create("k", request).await.refused(404, "NOT_FOUND", "");
    create(&"x".repeat(256), "{}")
        .await
        .refused(400, "BAD_REQUEST", "255");
}
