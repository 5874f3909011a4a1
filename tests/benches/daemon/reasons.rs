//! Why goals are missed, as profiles show it, and which rows README quotes.

use crate::measure::Row;

/// Beginnings of the names of rows, with the reason why they miss their goals.
const REASONS: &[(&str, &str)] = &[];

/// The rows that README quotes.
const QUOTED: &[&str] = &[
    "exec of `true`, TCP",
    "exec of `true`, 16 clients",
    "64 MiB streamed, HTTP",
    "session command `:`",
    "log, followed: written to received",
    "terminal, a line echoed by `cat`",
    "Python, `print(1)`",
    "Python, a line chart",
    "JavaScript, with pauses",
    "context, call",
    "file of 1 GiB, download",
    "exec of `true`, added by isolation",
    "sandbox, create",
    "idle, resident",
];

pub(crate) fn is_quoted(name: &str) -> bool {
    QUOTED.contains(&name)
}

/// Returns the reasons of rows that miss their goals, each with the names of its rows.
pub(crate) fn of(missed: &[&Row]) -> Vec<(&'static str, Vec<String>)> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for row in missed {
        let reason = REASONS.iter().find(|(name, _)| row.name.starts_with(name));
        let reason = reason.map_or("not explained yet.", |(_, reason)| reason);
        match found.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(row.name.clone()),
            None => found.push((reason, vec![row.name.clone()])),
        }
    }
    found
}
