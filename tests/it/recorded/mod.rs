//! The client against what the reference said: a stub responds from the exchanges that were recorded, the faulty ones among
//! them. Each must give the result that was reported or a clear error; none a panic, a hang or a success that was none.

mod described;
mod http;
mod stub;
mod websocket;

use std::time::Duration;

use sandbox_transport::HttpTransport;
use serde_json::Value;

/// Long for a response that is there already.
const PATIENCE: Duration = Duration::from_secs(20);

/// The entries of a recording.
fn recording(name: &str) -> Vec<Value> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/sandbox-daemon/tests/data/"
    );
    let text = std::fs::read_to_string(format!("{folder}{name}.json")).unwrap();
    serde_json::from_str(&text.replace("<time>", TIME)).unwrap()
}

/// What stands for each time in a recording, as the reference writes it in a sandbox with a time zone.
const TIME: &str = "2025-08-29T12:34:56.789012345+02:00";

fn client(stub: &stub::Stub) -> HttpTransport {
    let endpoint = stub.url.parse().unwrap();
    HttpTransport::builder(endpoint).build_http().unwrap()
}

/// The path of a request without its query, in segments that are decoded.
fn segments(request: &Value) -> Vec<String> {
    let path = request["path"].as_str().unwrap();
    let path = path.split('?').next().unwrap();
    let decoded = |segment: &str| {
        let mut bytes = Vec::new();
        let mut rest = segment.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let escaped = std::str::from_utf8(after.get(..2).unwrap_or_default());
            match (first, escaped.map(|digits| u8::from_str_radix(digits, 16))) {
                (b'%', Ok(Ok(byte))) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                _ => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    path.trim_start_matches('/')
        .split('/')
        .map(decoded)
        .collect()
}

/// What the reference sent over a WebSocket; of several clients, to the first.
fn received(entry: &Value) -> Vec<&Value> {
    let frames = entry["frames"].as_array().into_iter().flatten();
    let frames: Vec<_> = frames.filter(|frame| frame["dir"] == "recv").collect();
    let first = frames
        .iter()
        .filter_map(|frame| frame["client"].as_str())
        .min();
    let mine = |frame: &&Value| frame["client"].as_str() == first;
    frames.into_iter().filter(mine).collect()
}
