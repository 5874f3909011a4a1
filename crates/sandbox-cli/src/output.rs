//! What a person or a program sees of a run.
//!
//! Everything that this program prints goes through here: what cannot be written is an error of
//! the subcommand that printed it, so that a full disk is never a success.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use sandbox_process::{Channel, CommandInfo, Outcome, Termination, Usage};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::exit::Exit;

/// Writes what a run wrote: its stdout on ours, its stderr on ours; then, on stderr, what its exit code does not show.
pub(crate) fn show(outcome: &Outcome) -> Result<(), CliError> {
    match &outcome.termination {
        Termination::NotStarted { reason } => note(&format!("error: {reason}"))?,
        termination => {
            print(Channel::Stdout, &outcome.stdout)?;
            print(Channel::Stderr, &outcome.stderr)?;
            if let Some(text) = unusual(termination) {
                note(&text)?;
            }
        }
    }
    if let Some(truncation) = &outcome.truncation {
        let (dropped, total) = (truncation.dropped_bytes, truncation.total_bytes);
        note(&format!(
            "note: {dropped} of {total} bytes of output were discarded"
        ))?;
    }
    Ok(())
}

/// The run as one JSON object, with `charts` as the caller describes them.
pub(crate) fn show_json(outcome: &Outcome, charts: Option<Value>) -> Result<(), CliError> {
    let (kind, reason) = kind(&outcome.termination);
    // What was not started has written nothing but the reason.
    let result = match &outcome.termination {
        Termination::NotStarted { reason } => reason.into(),
        _ => String::from_utf8_lossy(outcome.output()),
    };
    let mut object = json!({
        "exitCode": outcome.exit_code(),
        "termination": kind,
        "result": result,
        "stdout": outcome.stdout_lossy(),
        "stderr": outcome.stderr_lossy(),
    });
    let more = [
        ("reason", reason.map(|reason| json!(reason))),
        ("charts", charts),
        ("execId", outcome.still_running().map(|id| json!(id))),
        (
            "isolationLevel",
            outcome.isolation_level.map(|level| json!(level.name())),
        ),
        ("usage", outcome.usage().map(|usage| describe(&usage))),
        (
            "droppedBytes",
            outcome.truncation.as_ref().map(|t| json!(t.dropped_bytes)),
        ),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    line(&object.to_string())
}

/// Returns what a run has used, in seconds and bytes.
pub(crate) fn describe(usage: &Usage) -> Value {
    json!({
        "wallSeconds": usage.wall_time.as_secs_f64(),
        "userSeconds": usage.user_time.as_secs_f64(),
        "systemSeconds": usage.system_time.as_secs_f64(),
        "peakRssBytes": usage.peak_rss_bytes,
        "peakMemoryBytes": usage.peak_memory_bytes,
        "memoryKills": usage.memory_kills,
        "refusedForks": usage.refused_forks,
    })
}

/// The name of an end, and the reason where it is known.
pub(crate) fn kind(termination: &Termination) -> (&'static str, Option<&str>) {
    match termination {
        Termination::Exited { .. } => ("exited", None),
        Termination::Signaled { .. } => ("signaled", None),
        Termination::TimedOut => ("timed_out", None),
        Termination::OutOfMemory => ("out_of_memory", None),
        Termination::LimitExceeded { .. } => ("limit_exceeded", None),
        Termination::Lost { reason } => ("lost", Some(reason)),
        Termination::NotStarted { reason } => ("not_started", Some(reason)),
        Termination::StillRunning { .. } => ("running", None),
        _ => ("unknown", None),
    }
}

/// The name of a command's end, or `running`.
pub(crate) fn state(command: &CommandInfo) -> &'static str {
    if command.is_running() {
        "running"
    } else {
        kind(&command.termination).0
    }
}

/// Prints on stderr how a command ended, where its exit code does not show it; returns the code to exit with.
pub(crate) fn ended(exit_code: Option<i32>, termination: &Termination) -> Result<Exit, CliError> {
    match termination {
        Termination::NotStarted { reason } => note(&format!("error: {reason}"))?,
        termination => {
            if let Some(text) = unusual(termination) {
                note(&text)?;
            }
        }
    }
    Ok(Exit::by_end(exit_code, termination))
}

fn unusual(termination: &Termination) -> Option<Cow<'static, str>> {
    let text = match termination {
        Termination::TimedOut => "error: the time limit ran out",
        Termination::OutOfMemory => "error: the system ended it: out of memory",
        Termination::Unknown => "error: the daemon did not report how the command ended",
        Termination::LimitExceeded { limit } => {
            return Some(format!("error: its {limit} limit ended it").into());
        }
        Termination::StillRunning { exec_id } => {
            return Some(
                format!(
                    "note: it runs on; `sandbox follow {exec_id}` shows it, `sandbox follow --signal TERM {exec_id}` ends it"
                )
                .into(),
            );
        }
        Termination::Lost { reason } => {
            return Some(format!("error: how it ended is lost: {reason}").into());
        }
        _ => return None,
    };
    Some(text.into())
}

/// Prints what was done for a program; a person sees that nothing went wrong.
pub(crate) fn done(is_json: bool, told: &Value) -> Result<(), CliError> {
    if is_json {
        line(&told.to_string())
    } else {
        Ok(())
    }
}

/// Prints that a part of the output is not there.
pub(crate) fn gap(length: u64) -> Result<(), CliError> {
    note(&format!("note: {length} bytes of output were discarded"))
}

/// Prints rows below a header, in columns as wide as their cells.
pub(crate) fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> Result<(), CliError> {
    line(columns(header, rows).trim_end())
}

fn columns<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Prints a line on standard output.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    print(Channel::Stdout, format!("{text}\n").as_bytes())
}

/// Prints a line on standard error.
pub(crate) fn note(text: &str) -> Result<(), CliError> {
    print(Channel::Stderr, format!("{text}\n").as_bytes())
}

/// Prints bytes on the output of this name, to the last one.
///
/// # Errors
///
/// [`CliError::Write`]. A reader that has closed its pipe (`| head`) wants no more, which is no
/// error.
pub(crate) fn print(channel: Channel, bytes: &[u8]) -> Result<(), CliError> {
    is_read(channel, bytes).map(drop)
}

/// Prints as [`print()`] does, and returns false if the reader has closed its pipe.
pub(crate) fn is_read(channel: Channel, bytes: &[u8]) -> Result<bool, CliError> {
    let written = match channel {
        Channel::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
        Channel::Stderr => io::stderr().write_all(bytes),
    };
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::Write(error)),
    }
}

/// Appends a name as it is, or for a terminal without what would control it.
pub(crate) fn put_name(text: &mut Vec<u8>, name: &Path) {
    let bytes = name.as_os_str().as_encoded_bytes();
    if is_terminal() {
        text.extend_from_slice(printable(&String::from_utf8_lossy(bytes)).as_bytes())
    } else {
        text.extend_from_slice(bytes)
    }
}

/// Returns a text of the sandbox's without characters that control a terminal, which are escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::new();
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default())
        } else {
            printable.push(character)
        }
    }
    printable
}

/// Returns whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let header = ["NAME", "STATE", "AGE"];
        assert_eq!(columns(header, std::iter::empty()), "NAME  STATE  AGE\n");
        let rows = [row(["a", "started", "5m"]), row(["\u{e9}long", "s", ""])];
        assert_eq!(
            columns(header, rows.into_iter()),
            "NAME   STATE    AGE\na      started  5m\n\u{e9}long  s\n"
        );
    }

    #[test]
    fn names_do_not_control_a_terminal() {
        assert_eq!(printable("a b\u{e9}"), "a b\u{e9}");
        assert_eq!(printable("\x1b[2J\n\u{9b}"), "\\u{1b}[2J\\n\\u{9b}");
    }
}
