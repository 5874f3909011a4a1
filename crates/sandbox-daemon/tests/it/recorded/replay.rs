//! Sends the requests of a file in their order and compares the responses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::compare::{Placeholders, error_code};
use super::request::{body, entries, headers, status, text};
use super::tally::Tally;
use crate::client::{Answer, TestServer};

/// A status and the fields of a body that must be there.
pub(super) type Ours = (u16, Value);

/// What is particular about the entries of a file.
pub(super) struct Rules {
    /// Entries that are not sent, and why.
    pub(super) passed_over: &'static [(&'static str, &'static str)],
    /// Entries whose lines come in an order that is chance.
    pub(super) any_order: &'static [&'static str],
    /// What ours sends, or one of several, where that is not what was recorded.
    pub(super) ours: fn(&str) -> Vec<Ours>,
}

pub(super) struct Replay {
    pub(super) server: TestServer,
    pub(super) placeholders: Placeholders,
    /// What a daemon of another owner had before.
    found: Vec<String>,
}

impl Replay {
    pub(super) async fn begin() -> Self {
        let server = TestServer::foreign_or(TestServer::with_entrypoint()).await;
        Self {
            placeholders: Placeholders::of(&server).await,
            found: things(&server).await,
            server,
        }
    }

    /// Ends the server; one of another owner is left as it was found.
    pub(super) async fn end(self) {
        for path in things(&self.server).await {
            if !self.found.contains(&path) {
                self.server.send("DELETE", &path, &[], b"").await;
            }
        }
        self.server.end().await;
    }

    /// Why an entry says nothing about this daemon.
    pub(super) fn not_asked(&self, entry: &Value) -> Option<&'static str> {
        if !self.server.is_foreign() {
            return None;
        }
        match text(&entry["name"]) {
            "env" => Some("it would change what every later command finds"),
            "version, authorization is not looked at" => Some("it may want its token"),
            "follow, foreign origin" => {
                Some("what it makes of origins is a matter of its settings")
            }
            _ if entry.to_string().contains("entrypoint") => {
                Some("its entrypoint is not the recorded one")
            }
            _ => None,
        }
    }

    /// Replays a file, but for what the rules pass over.
    pub(super) async fn run(&mut self, name: &'static str, file: &str, rules: &Rules) {
        let mut tally = Tally::of(name);
        let entries = entries(file);
        self.run_all(&mut tally, &entries, rules).await;
        tally.finish(entries.len());
    }

    /// Replays some entries of a file.
    pub(super) async fn run_all(&mut self, tally: &mut Tally, entries: &[Value], rules: &Rules) {
        let names: Vec<_> = entries.iter().map(|entry| text(&entry["name"])).collect();
        let passed_over = rules.passed_over.iter().map(|(name, _)| name);
        let named = passed_over.chain(rules.any_order);
        for named in named {
            assert!(names.contains(named), "no entry is called {named:?}");
        }
        let mut index = 0;
        while let Some(entry) = entries.get(index) {
            index += 1;
            let name = text(&entry["name"]);
            if let Some((_, reason)) = rules.passed_over.iter().find(|(other, _)| *other == name) {
                tally.pass_over(entry, reason);
                continue;
            }
            if let Some(reason) = self.not_asked(entry) {
                tally.pass_over(entry, reason);
                continue;
            }
            let begin = Instant::now();
            let mut results = vec![(entry, None)];
            if name == DELETED_FIRST {
                // What was under way when it was deleted is recorded after it.
                let next = &entries[index];
                index += 1;
                let delete = async {
                    self.until_a_command_runs(next).await;
                    self.check(entry, rules).await
                };
                let (under_way, deleted) = tokio::join!(self.check(next, rules), delete);
                results = vec![(entry, Some(deleted)), (next, Some(under_way))];
            }
            for (entry, result) in results {
                let result = match result {
                    Some(result) => result,
                    None => self.check(entry, rules).await,
                };
                if let Some(Some((name, id))) = tally.tell(entry, result, begin) {
                    self.placeholders.set(&name, &id);
                }
            }
        }
    }

    /// Sends a request until it gets the right response, if it may be sent more than once: what the reference recorded may
    /// come a little later. Returns what the entry captures.
    pub(super) async fn check(
        &self,
        entry: &Value,
        rules: &Rules,
    ) -> Result<Option<(String, String)>, String> {
        let name = text(&entry["name"]);
        let expected = (rules.ours)(name);
        if expected.is_empty()
            && (entry.get("fault").is_some() || entry["response"]["status"].is_null())
        {
            return Err("a fault, and nothing says what ours is".to_owned());
        }
        if !expected.is_empty() {
            has_reason(entry)?;
        }
        let method = text(&entry["request"]["method"]);
        let may_repeat = method == "GET" || expected.iter().any(|(status, _)| *status == 410);
        let patience = if may_repeat {
            crate::robust::PATIENCE
        } else {
            Duration::ZERO
        };
        let begin = Instant::now();
        loop {
            let sending = tokio::time::timeout(crate::robust::PATIENCE, self.send(entry));
            let Ok(mut answer) = sending.await else {
                return Err("no response".to_owned());
            };
            let mut entry = entry.clone();
            if rules.any_order.contains(&name) {
                let recorded = text(&entry["response"]["text"]).to_owned();
                entry["response"]["text"] = sort_lines(&recorded).into();
                answer.body = sort_lines(&String::from_utf8_lossy(&answer.body)).into();
            }
            let result = self.compare(&entry, &expected, &answer);
            if result.is_ok() || begin.elapsed() >= patience {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, entry: &Value) -> Answer {
        let request = &entry["request"];
        let path = self.placeholders.fill(text(&request["path"]));
        let body = body(request);
        let headers = headers(request);
        let method = text(&request["method"]);
        self.server.send(method, &path, &headers, &body).await
    }

    fn compare(
        &self,
        entry: &Value,
        expected: &[Ours],
        answer: &Answer,
    ) -> Result<Option<(String, String)>, String> {
        if expected.is_empty() {
            self.compare_recorded(entry, answer)?;
        } else {
            let mut errors = Vec::new();
            for ours in expected {
                match self.compare_ours(ours, answer) {
                    Ok(()) => errors.clear(),
                    Err(error) => errors.push(error),
                }
                if errors.is_empty() {
                    break;
                }
            }
            if !errors.is_empty() {
                return Err(errors.join("; or "));
            }
        }
        let Some(captures) = entry["captures"].as_object() else {
            return Ok(None);
        };
        let (name, field) = captures.iter().next().unwrap();
        let json = answer.json();
        let id = json[text(field)].as_str().ok_or("nothing to capture")?;
        Ok(Some((name.clone(), id.to_owned())))
    }

    fn compare_ours(&self, (status, fields): &Ours, answer: &Answer) -> Result<(), String> {
        let tell = || {
            format!(
                "{} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        };
        if answer.status != *status {
            return Err(format!("{} instead of {status}", tell()));
        }
        if *status >= 400 && !answer.body.is_empty() {
            error_code(answer)?;
        }
        let empty = serde_json::Map::new();
        let fields = fields.as_object().unwrap_or(&empty);
        if fields.is_empty() {
            return Ok(());
        }
        let actual: Value = serde_json::from_slice(&answer.body).map_err(|_| tell())?;
        for (name, value) in fields {
            let compared = self.placeholders.compare(value, &actual[name]);
            compared.map_err(|error| format!("{name}: {error} in {}", tell()))?;
        }
        Ok(())
    }

    fn compare_recorded(&self, entry: &Value, answer: &Answer) -> Result<(), String> {
        let response = &entry["response"];
        let recorded = response["text"].as_str().unwrap_or_default();
        let tell = || {
            format!(
                "{} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        };
        let status = status(response).unwrap();
        if answer.status != status {
            return Err(format!("{} instead of {status}", tell()));
        }
        if status >= 400 {
            // Ours all have the form of an error, and the newer codes.
            let code = error_code(answer)?;
            let is_below_sessions =
                text(&entry["request"]["path"]).starts_with("/process/session/");
            let recorded: Value = serde_json::from_str(recorded).unwrap_or_default();
            let expect = match recorded["code"].as_str() {
                Some("NOT_FOUND") if is_below_sessions => "PROCESS_NOT_FOUND",
                Some("GONE") => "COMMAND_ALREADY_COMPLETED",
                Some(code) => code,
                None => return Ok(()),
            };
            return if code == expect {
                Ok(())
            } else {
                Err(format!("{code} instead of {expect}"))
            };
        }
        let content_type = response["headers"]["Content-Type"].as_str();
        if answer.header("content-type") != content_type {
            return Err(format!("{:?} has another type", answer.head));
        }
        let body = String::from_utf8_lossy(&answer.body);
        match content_type {
            Some(json) if json.starts_with("application/json") => {
                let recorded: Value = serde_json::from_str(recorded).map_err(|_| "not kept")?;
                let actual = serde_json::from_str(&body).map_err(|_| tell())?;
                let compared = self.placeholders.compare(&recorded, &actual);
                compared.map_err(|error| format!("{error} in {actual}"))
            }
            Some(_) => self.placeholders.compare_log(recorded, &body),
            None if body == recorded => Ok(()),
            None => Err(tell()),
        }
    }

    /// Waits until the session of a request has a command.
    async fn until_a_command_runs(&self, entry: &Value) {
        let path = text(&entry["request"]["path"]).trim_end_matches("/exec");
        while self.server.get(path, &[]).await.json()["commands"] == json!([]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Requires a reason for a response that differs, which the table of deviations shows.
pub(super) fn has_reason(entry: &Value) -> Result<(), String> {
    if entry["fault"].is_string() || entry["differs"].is_string() {
        Ok(())
    } else {
        Err("it differs, and its `differs` does not say why".to_owned())
    }
}

/// The paths of the sessions, terminals and contexts of a daemon of another owner.
async fn things(server: &TestServer) -> Vec<String> {
    let mut things = Vec::new();
    if !server.is_foreign() {
        return things;
    }
    for (path, list, id) in [
        ("/process/session", "", "sessionId"),
        ("/process/pty", "sessions", "id"),
        ("/process/interpreter/context", "contexts", "id"),
    ] {
        let answer = server.get(path, &[]).await;
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let listed = if list.is_empty() { &json } else { &json[list] };
        let ids = listed.as_array().into_iter().flatten();
        let ids = ids.filter_map(|thing| thing[id].as_str()).map(escape);
        things.extend(ids.map(|id| format!("{path}/{id}")));
    }
    things
}

/// An id as part of a path.
fn escape(id: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    id.bytes().map(escape).collect()
}

/// Sorts the lines of the stdout of a log, and leaves out the form with markers, which is the same.
fn sort_lines(log: &str) -> String {
    let Ok(mut log) = serde_json::from_str::<Value>(log) else {
        return log.to_owned();
    };
    let mut lines: Vec<_> = text(&log["stdout"])
        .split('\n')
        .map(str::to_owned)
        .collect();
    lines.sort();
    log["stdout"] = lines.join("\n").into();
    log["output"] = Value::Null;
    log.to_string()
}

const DELETED_FIRST: &str = "delete under a sync call";
