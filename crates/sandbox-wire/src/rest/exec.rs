//! `POST /process/execute`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Asks for one shell command to be run to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment. Names match `[A-Za-z_][A-Za-z0-9_]*`; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// Whole seconds; absent and 0 mean no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// *Extension*: the limit in milliseconds, which this project's daemon takes instead of `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u64>,
    /// *Extension*: keep stdout and stderr apart, in the answer's `stdout` and `stderr`. Two pipes cannot
    /// keep the order between them, so `result` is then in the order in which the daemon read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_output: Option<bool>,
}

/// What a command did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteResponse {
    /// The command's exit code; 128 + n after signal n; -1 when it could not be started.
    #[serde(default, alias = "code", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// stdout and stderr merged, as lossy UTF-8; the reason when the command could not be started.
    #[serde(default)]
    pub result: String,
    /// *Extension*: stdout alone, present when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: stderr alone, present when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: how the command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when the output was longer than the daemon keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
}

/// *Extension*: how a process ended, told apart where the exit code alone cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Termination {
    /// Which of the fields below are set.
    pub kind: TerminationKind,
    /// The exit code of a process that [exited](TerminationKind::Exited).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended a [signaled](TerminationKind::Signaled) process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why the process [was not started](TerminationKind::SpawnFailed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The ways a process can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TerminationKind {
    /// It exited by itself, with `exitCode`.
    Exited,
    /// `signal` ended it.
    Signaled,
    /// Its time limit ran out and the daemon ended it.
    TimedOut,
    /// It never ran, for `reason`.
    SpawnFailed,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// *Extension*: how much of an output is missing from its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputTruncation {
    /// Bytes that the process wrote.
    pub total_bytes: u64,
    /// Bytes that were dropped between the kept beginning and the kept end.
    pub dropped_bytes: u64,
}
