//! Whether a response is as recorded, whatever its ids, times and cuts are.

use std::collections::BTreeMap;

use sandbox_logcodec::demux_log;
use serde_json::Value;

use crate::client::{Answer, TestServer};

/// Fields that the reference has not.
const EXTENSIONS: [&str; 5] = [
    "termination",
    "truncation",
    "sessionEnded",
    "forgottenCommands",
    "isolationLevel",
];

/// What stands for the placeholders of the recordings.
#[derive(Debug, Clone, Default)]
pub(super) struct Placeholders(BTreeMap<String, String>);

impl Placeholders {
    pub(super) async fn of(server: &TestServer) -> Self {
        let mut placeholders = Self::default();
        let places = server.places().await;
        placeholders.set("home", &places.home);
        placeholders.set("work-dir", &places.work_dir);
        placeholders
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(format!("<{name}>"), value.to_owned());
    }

    pub(super) fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.0 {
            text = text.replace(name, value);
        }
        text
    }

    /// Holds a JSON value to a recorded one. All that is recorded must be there, and nothing more but extensions.
    pub(super) fn compare(&self, expect: &Value, actual: &Value) -> Result<(), String> {
        match (expect, actual) {
            (Value::Object(expected), Value::Object(fields)) => {
                for (name, value) in expected {
                    let field = fields.get(name).ok_or_else(|| format!("no {name}"))?;
                    match (name.as_str(), value.as_str(), field.as_str()) {
                        ("output", Some(expect), Some(actual)) => self.compare_log(expect, actual),
                        _ => self.compare(value, field),
                    }
                    .map_err(|error| format!("{name}: {error}"))?;
                }
                let known = |name: &str| expected.contains_key(name) || EXTENSIONS.contains(&name);
                match fields.keys().find(|name| !known(name)) {
                    Some(name) => Err(format!("unknown field {name}")),
                    None => Ok(()),
                }
            }
            (Value::Array(expected), Value::Array(values)) => {
                let mut rest: Vec<_> = values.iter().collect();
                // The order of sessions and commands is arbitrary with the reference.
                for value in expected {
                    let found = rest
                        .iter()
                        .position(|rest| self.compare(value, rest).is_ok());
                    rest.remove(found.ok_or_else(|| format!("no {value} in {actual}"))?);
                }
                match rest.as_slice() {
                    [] => Ok(()),
                    [more, ..] => Err(format!("{more} is too much")),
                }
            }
            (Value::String(expect), Value::String(actual)) => self.compare_text(expect, actual),
            _ if expect == actual => Ok(()),
            _ => Err(format!("{actual} instead of {expect}")),
        }
    }

    /// Compares logs with markers, or without: by channel, since cuts and the order between channels are chance.
    pub(super) fn compare_log(&self, expect: &str, actual: &str) -> Result<(), String> {
        let is_marked = |log: &str| log.starts_with(['\u{1}', '\u{2}']);
        if is_marked(expect) != is_marked(actual) {
            return Err(format!("{actual:?} has markers or not, unlike {expect:?}"));
        }
        if is_marked(expect) {
            let (expect, actual) = (demux_log(expect.as_bytes()), demux_log(actual.as_bytes()));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.compare_text(&text(&expect.0), &text(&actual.0))?;
            return self.compare_text(&text(&expect.1), &text(&actual.1));
        }
        let sorted = |log: &str| {
            let mut lines: Vec<_> = log.lines().map(str::to_owned).collect();
            lines.sort();
            lines.join("\n")
        };
        self.compare_text(&sorted(expect), &sorted(actual))
    }

    fn compare_text(&self, expect: &str, actual: &str) -> Result<(), String> {
        let (expect, actual) = (bare_messages(&self.fill(expect)), bare_messages(actual));
        if matches(&expect, &actual) {
            Ok(())
        } else {
            Err(format!("{actual:?} instead of {expect:?}"))
        }
    }
}

/// The error that a response is, in the form that all have.
pub(super) fn error_code(answer: &Answer) -> Result<String, String> {
    let Ok(envelope) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err(format!("{answer:?} has no envelope"));
    };
    let code = envelope["code"].as_str().unwrap_or_default().to_owned();
    answer.expect_error(answer.status, &code);
    Ok(code)
}

/// Compares with a text in which `<uuid>`, `<pid>`, `<time>` and names of ids that are not known yet stand for anything
/// such.
fn matches(expect: &str, actual: &str) -> bool {
    let id = "0123456789abcdefABCDEF-";
    let kinds = [
        ("<uuid>", id),
        ("<pid>", "0123456789"),
        ("<cmd-", id),
        ("<context-", id),
        ("<time>", "0123456789-:.TZ+"),
    ];
    let first = kinds
        .iter()
        .filter_map(|(name, characters)| Some((expect.find(name)?, *characters)))
        .min();
    let Some((at, characters)) = first else {
        return expect == actual;
    };
    let Some(actual) = actual.strip_prefix(&expect[..at]) else {
        return false;
    };
    let rest = actual.trim_start_matches(|c: char| characters.contains(c));
    let behind = expect[at..]
        .split_once('>')
        .map_or("", |(_, behind)| behind);
    rest.len() < actual.len() && matches(behind, rest)
}

/// Takes from the messages of a shell what it calls itself and where it found the line, in front and within; and the blanks
/// that make a short pid as wide as a long one.
fn bare_messages(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let message = line.find(": line ").and_then(|at| {
            let (number, message) = line[at + 7..].split_once(": ")?;
            number.parse::<u32>().is_ok().then_some(message)
        });
        let message = message.map(|message| match message.split_once(" at line ") {
            Some((before, behind)) => {
                let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before} at line N{behind}")
            }
            None => message.trim_start().to_owned(),
        });
        lines.push(message.unwrap_or_else(|| line.to_owned()));
    }
    lines.join("\n")
}

#[test]
fn comparing_is_strict() {
    let mut known = Placeholders::default();
    known.set("cmd-a", "77");
    let check = |expect: &str, actual: &str, is_equal| {
        let expect: Value = serde_json::from_str(expect).unwrap();
        let actual: Value = serde_json::from_str(actual).unwrap();
        assert_eq!(
            known.compare(&expect, &actual).is_ok(),
            is_equal,
            "{actual}"
        );
    };
    check(r#"{"a":1}"#, r#"{"a":1,"termination":{}}"#, true);
    check(r#"{"a":1}"#, r#"{"a":1,"b":1}"#, false);
    check(r#"{"a":null}"#, "{}", false);
    check(r#"["a","b"]"#, r#"["b","a"]"#, true);
    check(r#"["a","a"]"#, r#"["a","b"]"#, false);
    check(r#""x<uuid>y<pid>""#, r#""xab-0y12""#, true);
    check(r#""x<uuid>y""#, r#""xy""#, false);
    check(r#""<cmd-a>""#, r#""77""#, true);
    check(r#""<cmd-a>""#, r#""78""#, false);
    check(r#""<cmd-b>""#, r#""78""#, true);
    check(r#""<l>""#, r#""<l>""#, true);
    check(r#""at <time>!""#, r#""at 2026-01-02T03:04:05.006Z!""#, true);
    check(
        r#""a/cmd.sh: line 1: x: no""#,
        r#""bash: line 7: x: no""#,
        true,
    );
    check(r#""a: line 1: x: no""#, r#""b: line 1: y: no""#, false);
    check(r#""a: line 1:   <pid> x""#, r#""b: line 1: 12345 x""#, true);
    check(
        r#""a: line 1: x at line 1 (y)""#,
        r#""b: line 1: x at line 22 (y)""#,
        true,
    );
    let log = |text: &str| format!(r#"{{"output":"{text}"}}"#);
    let (out, err) = ("\\u0001\\u0001\\u0001", "\\u0002\\u0002\\u0002");
    let both = log(&format!("{out}a{err}b{out}c"));
    check(&both, &log(&format!("{err}b{out}ac")), true);
    check(&both, &log(&format!("{err}b{out}ca")), false);
    check(&both, &log("abc"), false);
    check(&log("a\\nb\\n"), &log("b\\na\\n"), true);
}
