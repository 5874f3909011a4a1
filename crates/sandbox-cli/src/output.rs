//! What a person or a program sees of a run.

use std::borrow::Cow;
use std::io::{self, Write};

use sandbox_process::{Channel, ExecuteResponse, Termination};
use serde_json::{Value, json};

use crate::exit::Exit;

/// Writes what a run wrote: its stdout on ours, its stderr on ours; then, on stderr, what its exit code does not tell.
pub(crate) fn show(response: &ExecuteResponse) {
    let stdout = response.stdout.as_ref().unwrap_or(&response.result);
    let stderr = response.stderr.as_deref().unwrap_or_default();
    match &response.termination {
        Termination::NotStarted { reason } => note(&format!("error: {reason}")),
        termination => {
            write(io::stdout(), stdout);
            write(io::stderr(), stderr);
            if let Some(text) = unusual(termination) {
                note(&text);
            }
        }
    }
    if let Some(truncation) = &response.truncation {
        let (dropped, total) = (truncation.dropped_bytes, truncation.total_bytes);
        note(&format!(
            "note: {dropped} of {total} bytes of output were not kept"
        ));
    }
}

/// The run as one JSON object, with `charts` as the caller describes them.
pub(crate) fn show_json(response: &ExecuteResponse, charts: Option<Value>) {
    let (kind, reason) = kind(&response.termination);
    let mut object = json!({
        "exitCode": response.exit_code,
        "termination": kind,
        "result": response.result,
        "stdout": response.stdout,
        "stderr": response.stderr,
    });
    let more = [
        ("reason", reason.map(|reason| json!(reason))),
        ("charts", charts),
        (
            "droppedBytes",
            response.truncation.as_ref().map(|t| json!(t.dropped_bytes)),
        ),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    line(&object.to_string());
}

/// The name of an end, and why it came, where that is told.
pub(crate) fn kind(termination: &Termination) -> (&'static str, Option<&str>) {
    match termination {
        Termination::Exited { .. } => ("exited", None),
        Termination::Signaled { .. } => ("signaled", None),
        Termination::TimedOut => ("timed_out", None),
        Termination::OutOfMemory => ("out_of_memory", None),
        Termination::Lost { reason } => ("lost", Some(reason)),
        Termination::NotStarted { reason } => ("not_started", Some(reason)),
        _ => ("unknown", None),
    }
}

/// Tells on stderr how a command ended, where its exit code does not; the code to exit with.
pub(crate) fn ended(exit_code: Option<i32>, termination: &Termination) -> Exit {
    match termination {
        Termination::NotStarted { reason } => note(&format!("error: {reason}")),
        termination => unusual(termination)
            .into_iter()
            .for_each(|text| note(&text)),
    }
    Exit::by_end(exit_code, termination)
}

fn unusual(termination: &Termination) -> Option<Cow<'static, str>> {
    let text = match termination {
        Termination::TimedOut => "error: the time limit ran out",
        Termination::OutOfMemory => "error: the system ended it for want of memory",
        Termination::Unknown => "error: the daemon did not tell how it ended",
        Termination::Lost { reason } => {
            return Some(format!("error: how it ended is lost: {reason}").into());
        }
        _ => return None,
    };
    Some(text.into())
}

/// Tells what was done to a program; a person sees that nothing went wrong.
pub(crate) fn done(is_json: bool, told: &Value) {
    if is_json {
        line(&told.to_string());
    }
}

/// Bytes of a command's, on the output of the same name. A reader that has gone (`| head`) wants no more, which is no error.
pub(crate) fn pass_on(channel: Channel, bytes: &[u8]) {
    let _ = match channel {
        Channel::Stdout => {
            let mut stdout = io::stdout();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
        Channel::Stderr => io::stderr().write_all(bytes),
    };
}

/// That a part of the output is not there.
pub(crate) fn gap(length: u64) {
    note(&format!("note: {length} bytes of output were not kept"));
}

/// A line on standard output.
pub(crate) fn line(text: &str) {
    write(io::stdout(), &format!("{text}\n"));
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    write(io::stderr(), &format!("{text}\n"));
}

/// A reader that has gone (`| head`) wants no more, which is no error.
pub(crate) fn write(mut to: impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
