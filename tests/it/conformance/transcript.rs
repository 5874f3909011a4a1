//! What a case saw.

use std::fmt::Debug;

use sandbox_process::transport::CommandOutput;
use sandbox_process::{Bytes, Channel, LogEvent};
use sandbox_tests::Sandbox;
use sandbox_transport::{Error, ExecEvent, InterpreterEvent, PtyEvent};

/// Lines that are the same whatever carried the operations.
pub(super) struct Transcript {
    lines: Vec<String>,
    /// What differs from run to run, and what it is called here.
    names: Vec<(String, String)>,
    /// Whether the carrier has bytes, and not text alone.
    is_exact: bool,
}

impl Transcript {
    pub(super) fn new(sandbox: &Sandbox) -> Self {
        let directory = sandbox.work_dir().to_string_lossy().into_owned();
        Self {
            lines: Vec::new(),
            names: vec![(directory, "<directory>".to_owned())],
            is_exact: sandbox.url.starts_with("grpc"),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Calls a value by a name from here on.
    pub(super) fn name(&mut self, value: &str, name: &str) {
        if !value.is_empty() {
            self.names.push((value.to_owned(), format!("<{name}>")));
        }
    }

    pub(super) fn tell(&mut self, what: &str, value: impl Debug) {
        let mut line = format!("{what}: {value:?}");
        for (value, name) in &self.names {
            line = line.replace(value, name);
        }
        // Where a program's file is.
        let line = without_digits(&without_digits(&line, "/sandbox-"), "/run-");
        self.lines.push(without_usage(&line));
    }

    /// Reports a result, and all that an error says.
    pub(super) fn result<T: Debug>(&mut self, what: &str, result: Result<T, Error>) {
        match result {
            Ok(value) => self.tell(what, value),
            Err(error) => self.error(what, &error),
        }
    }

    pub(super) fn error(&mut self, what: &str, error: &Error) {
        let line = (
            (error.kind(), error.delivery()),
            (error.status(), error.code()),
            error.to_string(),
        );
        self.tell(what, line);
    }

    /// Reports bytes that are not UTF-8: they are exact over gRPC, and text over HTTP.
    #[track_caller]
    pub(super) fn bytes(&mut self, what: &str, found: &[u8], written: &[u8]) {
        let text = String::from_utf8_lossy(written);
        assert_ne!(text.as_bytes(), written, "{what} is text");
        let expect = if self.is_exact {
            written
        } else {
            text.as_bytes()
        };
        assert_eq!(found, expect, "{what}");
        self.tell(what, text);
    }

    /// Reports how a stream was refused.
    pub(super) fn refusal(&mut self, what: &str, error: &Error) {
        let line = (error.kind(), error.delivery(), error.to_string());
        self.tell(what, line);
    }

    /// Where two transcripts are not the same.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.lines == other.lines {
            return None;
        }
        let mut text = String::new();
        for index in 0..self.lines.len().max(other.lines.len()) {
            let (ours, theirs) = (self.lines.get(index), other.lines.get(index));
            if ours != theirs {
                let ours = ours.map(|line| format!("  - {line}\n"));
                let theirs = theirs.map(|line| format!("  + {line}\n"));
                text.extend([ours, theirs].into_iter().flatten());
            }
        }
        Some(text)
    }
}

/// The text without the digits that come after each `begin`.
fn without_digits(line: &str, begin: &str) -> String {
    let mut parts = line.split(begin);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(begin);
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    shown
}

/// The text without the numbers of what a run has used; whether they are there stays.
fn without_usage(line: &str) -> String {
    let mut parts = line.split("Usage { ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("Usage ");
        shown.push_str(part.split_once(" }").map_or(part, |(_, rest)| rest));
    }
    shown
}

/// Output as every carrier reports it.
pub(super) fn as_text(output: CommandOutput) -> CommandOutput {
    let text = |bytes: Bytes| Bytes::from(String::from_utf8_lossy(&bytes).into_owned());
    CommandOutput {
        combined: text(output.combined),
        stdout: output.stdout.map(text),
        stderr: output.stderr.map(text),
        ..output
    }
}

/// What came of a stream, joined.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Where the next byte belongs.
    pub(super) offset: Option<u64>,
}

impl Joined {
    fn push(&mut self, channel: Channel, offset: u64, bytes: &[u8]) {
        let expect = self.offset.replace(offset + bytes.len() as u64);
        assert!(
            expect.is_none_or(|expect| expect == offset),
            "{offset} behind {expect:?}"
        );
        match channel {
            Channel::Stdout => self.stdout.extend_from_slice(bytes),
            Channel::Stderr => self.stderr.extend_from_slice(bytes),
        }
    }

    pub(super) fn text(&self) -> (String, String) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&self.stdout), text(&self.stderr))
    }

    /// Takes output of a log; gives anything else back.
    pub(super) fn log(&mut self, event: LogEvent) -> Option<LogEvent> {
        match event {
            LogEvent::Output {
                channel,
                offset,
                bytes,
            } => self.push(channel, offset, &bytes),
            other => return Some(other),
        }
        None
    }

    /// The same of a command.
    pub(super) fn exec(&mut self, event: ExecEvent) -> Option<ExecEvent> {
        match event {
            ExecEvent::Output {
                channel,
                offset,
                bytes,
            } => self.push(channel, offset, &bytes),
            other => return Some(other),
        }
        None
    }

    /// The same of a terminal.
    pub(super) fn pty(&mut self, event: PtyEvent) -> Option<PtyEvent> {
        match event {
            PtyEvent::Output { bytes } => self.stdout.extend_from_slice(&bytes),
            other => return Some(other),
        }
        None
    }

    /// The same of an interpreter.
    pub(super) fn interpreter(&mut self, event: InterpreterEvent) -> Option<InterpreterEvent> {
        match event {
            InterpreterEvent::Output { channel, bytes } => match channel {
                Channel::Stdout => self.stdout.extend_from_slice(&bytes),
                Channel::Stderr => self.stderr.extend_from_slice(&bytes),
            },
            other => return Some(other),
        }
        None
    }
}
