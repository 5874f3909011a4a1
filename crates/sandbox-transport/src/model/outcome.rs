//! The results of commands and programs.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::{IsolationLevel, Termination, Usage};

/// The output of a command, in bytes.
///
/// Over gRPC these are the bytes that were written. JSON has only text: over HTTP, what is not UTF-8 arrives as U+FFFD, in
/// everything but streams.
///
/// If an output is longer than the daemon or this client retains, only its beginning and its end are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// Both outputs, in the order in which the daemon read them. For a session's command or log, this includes the
    /// markers of `sandbox-logcodec`, which separate the channels.
    pub combined: Bytes,
    /// Stdout alone, if it was requested and the daemon separates the channels.
    pub stdout: Option<Bytes>,
    /// Stderr alone, likewise.
    pub stderr: Option<Bytes>,
    /// How much is missing, if anything is.
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

/// The result of a command or program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// The output.
    pub output: CommandOutput,
    /// How the command or program ended.
    pub termination: Termination,
    /// *Extension*: what it has used; `None` if the daemon does not report it.
    pub usage: Option<Usage>,
    /// The charts that the code showed, in their order, as JSON that `sandbox-charts` reads. Empty for a command.
    pub charts: Vec<Value>,
    /// *Extension*: how strongly it was isolated, if the daemon reports it.
    pub isolation_level: Option<IsolationLevel>,
}

/// The result of a command of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOutcome {
    /// The command's id.
    pub command_id: String,
    /// The command's output; `None` for a command that is not waited for.
    pub output: Option<CommandOutput>,
    /// How the command ended; [`Termination::Unknown`] for a command that is not waited for.
    pub termination: Termination,
    /// *Extension*: what it has used; `None` if the daemon does not report it, and for a command that is not waited for.
    pub usage: Option<Usage>,
    /// *Extension*: whether the session has ended, with this command or since, so that it takes no more. `false` for a
    /// command that is not waited for, and if the daemon does not report it.
    pub session_ended: bool,
}
