//! What belongs to no process.

use serde_json::{Value, json};

use super::replay::{Ours, Replay, Rules};

#[tokio::test]
async fn misc() {
    let mut replay = Replay::begin().await;
    let file = include_str!("../../data/misc.json");
    let rules = Rules {
        passed_over: &[("port list", "which ports there are differs")],
        any_order: &[],
        ours,
    };
    replay.run("misc", file, &rules).await;
    replay.end().await;
}

fn ours(name: &str) -> Vec<Ours> {
    let one = |status, fields: Value| vec![(status, fields)];
    let version = json!({"version": concat!("v", env!("CARGO_PKG_VERSION"))});
    match name {
        "version"
        | "version, authorization is not looked at"
        | "version with query"
        | "sandbox id in front" => one(200, version),
        "wrong method" | "options" => one(405, json!({"code": "METHOD_NOT_ALLOWED"})),
        "head" => one(405, json!({})),
        "trailing slash" => one(200, json!({"result": "x\n"})),
        "project-dir trailing slash" => one(200, json!({"dir": "<home>"})),
        "system metrics" => one(200, json!({})),
        // Newer than what was recorded.
        "env" => one(200, json!({"A": "b"})),
        "init" | "init again" | "init empty" => one(200, json!({})),
        "init malformed" => one(400, json!({"code": "INVALID_REQUEST_BODY"})),
        _ => vec![],
    }
}
