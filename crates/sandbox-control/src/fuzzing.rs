//! The bodies of the fuzz targets: properties that hold for all input from clients.
//!
//! Each takes the bytes of a fuzzer and panics where a property is violated. Tests run them on the stable compiler.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use sandbox_daemon::doors::query_value;
use sandbox_provider::{Interval, SandboxId};
use serde_json::{Map, Value, json};

use crate::api::{create, list};
use crate::body::parse;
use crate::clock::Clock;
use crate::events::Packet;
use crate::limits::INTERVAL_MINUTES;
use crate::preview::tokens::{Previews, QUERY_TOKEN, without_token};
use crate::preview::{Place, cookies};

/// Checks that a body describes a sandbox as it says, or is refused, and that equal bodies have one text.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn bodies(input: &[u8]) {
    let Ok(request) = parse::<Map<String, Value>>(input) else {
        assert!(!input.is_empty());
        return;
    };
    let created = create::spec(request.clone(), None);
    let asks = |name: &str| match &request.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Number(number)) => number.as_u64() != Some(0),
        Some(_) => true,
    };
    let Ok((text, spec)) = created else { return };
    for name in REFUSED {
        assert!(!asks(name), "{name} was left out");
    }
    assert_eq!(spec.block_network, asks("networkBlockAll"));
    assert_eq!(spec.public, asks("public"));
    let is_text = |name: &str, found: &Option<String>| {
        found.as_deref()
            == request
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
    };
    assert!(is_text("name", &spec.name) && is_text("user", &spec.user));
    for (name, found) in [("env", &spec.env), ("labels", &spec.labels)] {
        let asked = request.get(name).and_then(Value::as_object);
        assert_eq!(found.len(), asked.map_or(0, Map::len), "{name}");
    }
    let most = Duration::from_secs(INTERVAL_MINUTES * 60);
    let is_bounded = |interval: Interval| interval.is_none_or(|time| time <= most);
    assert!(
        [spec.auto_stop, spec.auto_delete, spec.ttl]
            .into_iter()
            .all(is_bounded)
    );

    let again = create::spec(parse(text.as_bytes()).expect("it is an object"), None);
    let (same, of_text) = again.expect("it was accepted");
    assert_eq!((same, of_text), (text, spec));
}

/// What no sandbox of a control plane here has.
const REFUSED: [&str; 11] = [
    "autoPauseInterval",
    "domainAllowList",
    "gpu",
    "gpuType",
    "kvm",
    "linkedSandbox",
    "networkAllowList",
    "otelEndpointOverride",
    "outboundProxyUrl",
    "secrets",
    "volumes",
];

/// Checks that a cursor leads to the place that it was made of, and that a text is a cursor in one way at most.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn cursors(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (key, id) = text.split_once('\0').unwrap_or((&text, ""));
    // An id has no NUL; a name may have.
    let position = (key.to_owned(), id.replace('\0', "0"));
    let cursor = list::cursor(&position);
    assert_eq!(list::parse_cursor(&cursor), Some(position));
    if let Some(position) = list::parse_cursor(&text) {
        assert_eq!(list::cursor(&position), text.to_ascii_lowercase());
    }
}

/// Checks that a client of events connects with what it presents, and that no other message passes for that.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn events(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let presented = json!({ "token": text });
    let connect = format!("40{presented}");
    assert_eq!(Packet::parse(&connect), Packet::Connect(presented));
    match Packet::parse(&text) {
        Packet::Connect(_) => assert!(text.starts_with("40")),
        Packet::Pong => assert_eq!(text, "3"),
        Packet::Leave => assert!(["1", "41"].contains(&&*text)),
        Packet::Other => {}
    }
}

/// Checks that a preview is named in one way, that its path leads to a path of its server, and that no token goes on to it or opens
/// another.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn previews(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for host in [
        &*text,
        &format!("{text}.localhost"),
        &format!("80-{text}.localhost"),
    ] {
        if let Some(place) = Place::of_host(host) {
            let name = host.split(':').next().unwrap_or_default();
            let rest = format!("-{}.localhost", place.by);
            assert!(
                place.port > 0 && name.to_ascii_lowercase().ends_with(&rest),
                "{host:?}"
            );
        }
    }
    for path in [
        &*text,
        &format!("/preview/{text}"),
        &format!("/preview/a/80{text}"),
    ] {
        if let Some(place) = Place::of_path(path) {
            let rest = path
                .strip_prefix(&*place.prefix)
                .expect("it begins with it");
            assert!(
                place.port > 0 && (rest.is_empty() || rest.starts_with('/')),
                "{path:?}"
            );
        }
    }
    for query in [
        &*text,
        &format!("{QUERY_TOKEN}=a&{text}"),
        &format!("{text}={text}&{QUERY_TOKEN}"),
    ] {
        let rest = without_token(query);
        assert_eq!(query_value(Some(&rest), QUERY_TOKEN), None, "{query:?}");
        let rest: Vec<_> = rest.split('&').collect();
        let mut pairs = query.split('&');
        assert!(rest == [""] || rest.iter().all(|pair| pairs.any(|other| other == *pair)));
    }
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
        assert!(
            cookies(&headers)
                .all(|(name, value)| !name.contains(['=', ';']) && !value.contains(';'))
        );
    }
    check_tokens(&text);
}

/// Checks that a text opens no preview unless it is the token.
fn check_tokens(text: &str) {
    let previews = Previews::new(Clock::new());
    let (id, other) = (SandboxId::new("a"), SandboxId::new("b"));
    let token = previews.token(&id, 80);
    let signed = previews
        .sign(&id, 80, Duration::from_secs(60))
        .expect("it is the first");
    for presented in [
        text,
        &token[..text.len().min(16)],
        &format!("{token}{text}"),
    ] {
        assert_eq!(previews.is_token(&id, presented), presented == token);
        assert!(!previews.is_token(&other, presented));
        assert!(!previews.is_terminal_token(&id, presented));
        assert_eq!(previews.signed(presented), None);
    }
    let url = previews.signed(&signed).expect("it is valid");
    assert_eq!((url.id, url.port), (id, 80));
}
