//! What commands and programs did.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::Termination;

/// What a command wrote, in bytes.
///
/// Over gRPC these are the bytes that were written. JSON has only text: over HTTP, what is not UTF-8 arrives as U+FFFD, in
/// everything but streams.
///
/// Of an output that is longer than the daemon or this client retains, the beginning and the end are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// Both outputs, in the order in which the daemon read them. Of a session's command or log, with the markers of
    /// `sandbox-logcodec`, which tell the channels apart.
    pub combined: Bytes,
    /// Stdout alone, if it was asked for and the daemon tells it apart.
    pub stdout: Option<Bytes>,
    /// Stderr alone, likewise.
    pub stderr: Option<Bytes>,
    /// Present if something is missing.
    pub truncation: Option<Truncation>,
}

impl CommandOutput {
    /// Returns both outputs as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.combined)
    }
}

/// How much of an output is missing from its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Bytes that were written.
    pub total_bytes: u64,
    /// Bytes that were not retained.
    pub dropped_bytes: u64,
}

/// What a command or program did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What it wrote.
    pub output: CommandOutput,
    /// How it ended.
    pub termination: Termination,
    /// The charts that it showed, in their order, as JSON that `sandbox-charts` reads. None of a command.
    pub charts: Vec<Value>,
}

/// What a command of a session did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOutcome {
    /// The command's id.
    pub command_id: String,
    /// What it wrote; `None` of a command that is not waited for.
    pub output: Option<CommandOutput>,
    /// How it ended; [`Termination::Unknown`] of a command that is not waited for.
    pub termination: Termination,
    /// *Extension*: whether the session has ended, with this command or since, so that it takes no more. `false` of a command
    /// that is not waited for, and where the daemon does not report it.
    pub session_ended: bool,
}
