//! `POST /process/execute`.

use sandbox_daemon::Access;
use serde_json::Value;

use super::replay::has_reason;
use super::request::{body, entries};
use super::tally::Tally;
use crate::client::TestServer;

#[tokio::test]
async fn execute() {
    let entries = entries(include_str!("../../data/execute.json"));
    let server = TestServer::foreign_or(TestServer::unix(Access::Open)).await;
    server
        .execute(br#"{"command": "mkdir -p node_modules"}"#)
        .await;
    let work_dir = server.places().await.work_dir;
    let mut tally = Tally::of("execute");
    for entry in &entries {
        let name = entry["name"].as_str().unwrap();
        match PASSED_OVER.iter().find(|(other, _)| name == *other) {
            Some((_, reason)) => tally.pass_over(entry, reason),
            None => drop(tally.check(entry, check(&server, &work_dir, entry)).await),
        }
    }
    tally.finish(entries.len());
    server.end().await;
}

/// Entries that say nothing that could be compared, with the reason.
const PASSED_OVER: [(&str, &str); 3] = [
    ("gzip request body", "its bytes were not kept"),
    (
        "variables the child sees to the child",
        "counts variables of the reference's own",
    ),
    (
        "double slash",
        "the path of the request line names a host to some parsers",
    ),
];

/// Replays one entry.
async fn check(server: &TestServer, work_dir: &str, entry: &Value) -> Result<(), String> {
    let name = entry["name"].as_str().unwrap();
    let request = &entry["request"];
    let body = body(request);
    let method = request["method"].as_str().unwrap();
    let path = request["path"].as_str().unwrap();
    let answer = server.send(method, path, &[], &body).await;
    let (status, expected) = expected(name, entry);
    let recorded: Option<Value> = entry["response"]["text"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    // Errors have the same code in other words; so have starts that failed.
    let is_other = status < 400
        && recorded.is_some_and(|recorded| recorded["exitCode"] != -1 && recorded != expected);
    if is_other || u64::from(status) != entry["response"]["status"] {
        has_reason(entry)?;
    }
    assert_eq!(
        answer.status,
        status,
        "{name}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    if method == "HEAD" {
        return Ok(());
    }
    let mut actual = answer.json();
    // bash says in its messages that its text came as an argument.
    if let Some(text) = actual["result"].as_str() {
        actual["result"] = text.replace("bash: -c: line", "bash: line").into();
    }
    if status >= 400 {
        answer.expect_error(status, actual["code"].as_str().unwrap());
        if let Some(code) = expected.get("code") {
            assert_eq!(&actual["code"], code, "{name}");
        }
        return Ok(());
    }
    assert!(
        answer
            .head
            .contains("content-type: application/json; charset=utf-8"),
        "{name}"
    );
    for field in ["exitCode", "result"] {
        match expected.get(field) {
            Some(Value::String(text)) if text.contains('<') && field == "result" => {
                compare_with_placeholders(name, text, actual[field].as_str().unwrap(), work_dir);
            }
            Some(value) => assert_eq!(&actual[field], value, "{name}"),
            None => assert!(!actual[field].is_null(), "{name}: no {field}"),
        }
    }
    Ok(())
}

/// The status and the fields that ours is to have: the reference's, unless they are a fault or ours is known to differ.
fn expected(name: &str, entry: &Value) -> (u16, Value) {
    use serde_json::json;
    let response = &entry["response"];
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let recorded = response["text"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    let recorded = recorded.unwrap_or_else(|| json!({}));
    match name {
        "shell killed by signal" => (200, json!({"exitCode": 137, "result": ""})),
        "shell killed by TERM" => (200, json!({"exitCode": 143, "result": ""})),
        "stdin is the script" => (200, json!({"exitCode": 0, "result": "never\n"})),
        // Given its text as an argument, bash becomes a lone command instead of starting it, so it is not there to report
        // of its death; the exit code reports the same.
        "killed by signal in a child" => (200, json!({"exitCode": 137, "result": ""})),
        "segmentation fault of a child" => (200, json!({"exitCode": 139, "result": ""})),
        // The shell says a little more or less of how it was started.
        "what the shell is" => (200, json!({"exitCode": 0})),
        // Their text names the executable, ours the directory.
        _ if recorded["exitCode"] == -1 => (200, json!({"exitCode": -1})),
        "sandbox id in front" => (200, json!({"exitCode": 0, "result": "ok\n"})),
        "keys are matched without regard to case" => (400, json!({"code": "BAD_REQUEST"})),
        "encoded slash" | "upper case path" => (404, json!({"code": "NOT_FOUND"})),
        _ if status == 404 => match name {
            "get" | "put" | "head" | "options, preflight" => {
                (405, json!({"code": "METHOD_NOT_ALLOWED"}))
            }
            _ => (404, json!({"code": "NOT_FOUND"})),
        },
        _ if status == 408 => (408, json!({"code": "PROCESS_EXECUTION_TIMEOUT"})),
        _ => (status, recorded),
    }
}

#[track_caller]
fn compare_with_placeholders(name: &str, expected: &str, actual: &str, work_dir: &str) {
    let expected = expected.replace("<work-dir>", work_dir);
    let mut rest = actual;
    for (index, part) in expected.split("<pid>").enumerate() {
        if index > 0 {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        rest = rest
            .strip_prefix(part)
            .unwrap_or_else(|| panic!("{name}: {actual:?}"));
    }
    assert_eq!(rest, "", "{name}");
}
