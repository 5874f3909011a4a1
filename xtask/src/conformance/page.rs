//! `docs/COMPATIBILITY.md`, from a report and from what the recordings say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::report::{EXCHANGES, Report, Tally};
use crate::sh::{self, Result};

/// A file of recorded exchanges.
#[derive(Debug)]
pub(super) struct Recording {
    name: String,
    entries: Vec<Value>,
}

/// Those that the daemon's tests replay.
pub(super) fn recordings() -> Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for entry in fs::read_dir(sh::root().join("crates/sandbox-daemon/tests/data"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            recordings.push(Recording {
                name: name.into_owned(),
                entries: serde_json::from_str(&super::read(&path)?)?,
            });
        }
    }
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(recordings)
}

/// Returns the page. What `committed`, the page as it is, has of programs that were not run here, stays.
///
/// # Errors
///
/// When something failed: the page reports what holds.
pub(super) fn render(report: &Report, recordings: &[Recording], committed: &str) -> Result<String> {
    if let Some(case) = report.failures().next() {
        return Err(format!("{}: {} failed", case.sdk, case.name).into());
    }
    let mut page = INTRODUCTION.to_owned();
    sdks(&mut page, report);
    page.push_str(QUIRKS);
    programs(&mut page, report, committed);
    exchanges(&mut page, report, recordings);
    deviations(&mut page, recordings);
    Ok(page)
}

/// Which methods work with which SDK.
fn sdks(page: &mut String, report: &Report) {
    let tallies = report.tallies();
    let mut reasons: BTreeSet<(String, String, String)> = BTreeSet::new();
    for (language, sdks) in report.sdks() {
        let names = sdks
            .iter()
            .map(|sdk| sdk.split_once(' ').map_or("", |(_, name)| name));
        let names = names.collect::<Vec<_>>().join(" | ");
        let rule = "|---".repeat(sdks.len() + 2);
        let _ = write!(
            page,
            "\n### {language}\n\n| | method | {names} |\n{rule}|\n"
        );
        for ((area, method), tallies) in &tallies {
            if !sdks.iter().any(|sdk| tallies.contains_key(sdk)) {
                continue;
            }
            let cells = sdks.iter().map(|sdk| match tallies.get(sdk) {
                None => "",
                Some(Tally { passed: 0, .. }) => "absent",
                Some(Tally { absences: 0, .. }) => "yes",
                Some(_) => "yes, in part",
            });
            let cells = cells.collect::<Vec<_>>().join(" | ");
            let _ = writeln!(page, "| {area} | `{method}` | {cells} |");
            for (sdk, tally) in tallies {
                let sdk = sdk.split_once(' ').map_or("", |(_, name)| name);
                for reason in &tally.absent {
                    reasons.insert((sdk.to_owned(), method.clone(), reason.clone()));
                }
            }
        }
    }
    page.push_str("\nWhat is absent, and why:\n\n");
    let mut grouped: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (sdk, method, reason) in reasons {
        grouped.entry((reason, method)).or_default().insert(sdk);
    }
    for ((reason, method), sdks) in grouped {
        let sdks = sdks.into_iter().collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "- `{method}`: {reason} ({sdks})");
    }
}

/// The calls of published programs.
fn programs(page: &mut String, report: &Report, committed: &str) {
    page.push_str(PROGRAMS_HEAD);
    let calls = report.calls().map(|(program, call, result)| {
        let row = format!("| {program} | `{call}` | {result} |");
        (name_of(program).to_owned(), row)
    });
    let mut rows: BTreeSet<(String, String)> = calls.collect();
    let run: BTreeSet<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    let section = committed.split_once(PROGRAMS_HEAD);
    let lines = section.map_or("", |(_, rest)| rest).lines();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let program = line.trim_start_matches("| ");
        let name = name_of(program);
        if !run.contains(name) {
            rows.insert((name.to_owned(), line.to_owned()));
        }
    }
    for (_, row) in rows {
        page.push_str(&row);
        page.push('\n');
    }
}

/// The name of a program, without its version.
fn name_of(program: &str) -> &str {
    program.split(' ').next().unwrap_or_default()
}

/// How many of the recorded exchanges go as they were recorded.
fn exchanges(page: &mut String, report: &Report, recordings: &[Recording]) {
    page.push_str(EXCHANGES_HEAD);
    let tallies = report.tallies();
    let mut reasons = BTreeSet::new();
    for recording in recordings {
        let name = &recording.name;
        let key = (EXCHANGES.to_owned(), name.clone());
        let tally = tallies
            .get(&key)
            .and_then(|tallies| tallies.values().next());
        let tally = tally.cloned().unwrap_or_default();
        let otherwise = recording
            .entries
            .iter()
            .filter(|entry| deviates(entry))
            .count();
        let count = recording.entries.len();
        let same = tally.passed.saturating_sub(otherwise);
        let absences = tally.absences;
        let _ = writeln!(
            page,
            "| `{name}` | {count} | {same} | {otherwise} | {absences} |"
        );
        reasons.extend(
            tally
                .absent
                .iter()
                .map(|reason| format!("- `{name}`: {reason}\n")),
        );
    }
    page.push_str("\nNot looked at:\n\n");
    page.extend(reasons);
}

/// Where the response differs, with the reason.
fn deviations(page: &mut String, recordings: &[Recording]) {
    page.push_str(DEVIATIONS_HEAD);
    for recording in recordings {
        let name = &recording.name;
        let mut faults: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in &recording.entries {
            let text = |field: &str| entry[field].as_str();
            let exchange = text("name").unwrap_or_default();
            match (text("fault"), text("ours"), text("differs")) {
                (Some(fault), ours, _) => {
                    faults
                        .entry((fault, ours.unwrap_or_default()))
                        .or_default()
                        .push(exchange);
                }
                (None, _, Some(differs)) => others.entry(differs).or_default().push(exchange),
                _ => {}
            }
        }
        if faults.is_empty() && others.is_empty() {
            continue;
        }
        let _ = write!(page, "\n### `{name}`\n\n");
        if !faults.is_empty() {
            page.push_str("| exchange | the reference | this daemon |\n|---|---|---|\n");
            for ((fault, ours), names) in faults {
                let _ = writeln!(
                    page,
                    "| {} | {} | {} |",
                    list(&names),
                    cell(fault),
                    cell(ours)
                );
            }
            page.push('\n');
        }
        for (differs, names) in others {
            let _ = writeln!(page, "- {}: {differs}.", list(&names));
        }
    }
}

fn deviates(entry: &Value) -> bool {
    entry["fault"].is_string() || entry["differs"].is_string()
}

/// Names, or the first few of many.
fn list(names: &[&str]) -> String {
    let shown = names.iter().take(SHOWN).map(|name| cell(name));
    let shown = shown.collect::<Vec<_>>().join("; ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// A text in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Names of exchanges in one line.
const SHOWN: usize = 8;

const INTRODUCTION: &str = "\
# Compatibility

What `sandbox-daemon` and `sandbox up` do for code that was written for Daytona: Daytona's official SDKs and programs that use them, as published and
unmodified, and the exchanges that were recorded from Daytona's own daemon v0.190. This page is written by `cargo xtask conformance --write` from a run of all of it, and
`cargo xtask test` fails if a run has other results. `cargo xtask conformance URL` tests any other daemon by the same
suites, and prints a table.

## Official SDKs

*yes*: every case of the method passed, with its results, its errors by class, and its streams. *absent*: that version of the SDK does
not have it. *control* is about the control plane, over daemons of one process.
";

const QUIRKS: &str = "
What some of these clients do by themselves, whatever the daemon:

- `daytona` 0.130 cuts the end off the last line of every result, quotes no argument of `code_run`, and runs the `python3` of the `PATH`.
- `@daytonaio/sdk` 0.143 wraps a command in another one and runs code by a command, both without quoting variables and arguments; its errors
  have no class but `DaytonaError`; and where there are no streams, it keeps the last one of several files.
- `daytona` 0.167 takes the close of an interpreter whose context was deleted (1001) for success.
- `@daytona/sdk` and `@daytonaio/sdk` take 1001 for success, too; a `createPty` that fails and a log of a command that is not there come as errors of no
  class of their own, with the status lost. They spread each message of a log into call arguments, so messages are small.
- A terminal's `wait_for_connection` gives up on a daemon that is silent for 100 ms at the wrong moment: `connected` is the first thing sent.
- A client whose charts are strict models drops a chart with an unknown type or a missing field, and with it the others of that run: charts are sent in
  the strict form alone.
- Followed logs are cut at message boundaries by older clients, so that a marker in two messages is taken for text: markers are never cut.
";

const PROGRAMS_HEAD: &str = "
## Published programs

Programs that drive Daytona, as published, each in an environment of its own, on `sandbox up`: the calls of their backends. *yes*: the call did
what it does on Daytona, bad input included. Images are the files of this machine under the name that the program asks for.

| program | call | result |
|---|---|---|
";

const EXCHANGES_HEAD: &str = "
## Recorded exchanges

Requests and WebSocket messages, with the responses of the reference. *Otherwise*: this daemon responds otherwise on purpose; the reasons are below.

| file | exchanges | as recorded | otherwise | not looked at |
|---|--:|--:|--:|--:|
";

const DEVIATIONS_HEAD: &str = "
## Where this daemon differs from the reference

First what is a fault there, with what is done here; then what differs for another reason. Every error here has one form, a JSON object with a code,
where the reference has several or a page; that alone is no entry of these lists.
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_what_holds() {
        let report = Report::parse(concat!(
            r#"{"sdk":"python daytona 0.9.1","area":"process","method":"exec","case":"a","result":"passed"}"#,
            "\n",
            r#"{"sdk":"python daytona 0.8.0","area":"process","method":"exec","case":"a","result":"absent","reason":"it came later"}"#,
            "\n",
            r#"{"sdk":"recorded exchanges","area":"exchanges","method":"session","case":"c","result":"passed"}"#,
            "\n",
            r#"{"sdk":"recorded exchanges","area":"exchanges","method":"session","case":"d","result":"passed"}"#,
        ));
        let recording = Recording {
            name: "session".to_owned(),
            entries: vec![
                json!({"name": "c"}),
                json!({"name": "d", "fault": "it | hangs", "ours": "an answer"}),
            ],
        };
        let page = render(&report.unwrap(), &[recording], "").unwrap();
        for expect in [
            "| process | `exec` | yes | absent |\n",
            "- `exec`: it came later (daytona 0.8.0)\n",
            "| `session` | 2 | 1 | 1 | 0 |\n",
            "| d | it \\| hangs | an answer |\n",
        ] {
            assert!(page.contains(expect), "{expect:?} in\n{page}");
        }
    }

    #[test]
    fn what_the_page_has_of_programs_that_were_not_run_stays() {
        let line = r#"{"sdk":"program b 2","area":"programs","method":"new","case":"yes","result":"passed"}"#;
        let committed =
            format!("{PROGRAMS_HEAD}| a 1 | `kept` | yes |\n| b 1 | `old` | yes |\n\n| c |\n");
        let page = render(&Report::parse(line).unwrap(), &[], &committed).unwrap();
        let rows = format!("{PROGRAMS_HEAD}| a 1 | `kept` | yes |\n| b 2 | `new` | yes |\n\n");
        assert!(page.contains(&rows), "{page}");
    }

    #[test]
    fn failures_are_no_page() {
        let line = r#"{"sdk":"x 1","area":"process","method":"exec","case":"a","result":"failed"}"#;
        assert!(render(&Report::parse(line).unwrap(), &[], "").is_err());
    }
}
