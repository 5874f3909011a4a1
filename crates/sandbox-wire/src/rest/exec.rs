//! `POST /process/execute`.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Isolation, IsolationLevel, ResourceLimit, ResourceLimits, ResourceUsage};
use crate::liberal::Fields;

/// A request to run one shell command to its end. Sent by the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// The working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment. Names match `[A-Za-z_][A-Za-z0-9_]*`; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// The time limit in whole seconds; absent and 0 mean no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// *Extension*: the limit in milliseconds, which this project's daemon takes instead of `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u64>,
    /// *Extension*: the soft limit in milliseconds: if the command still runs then, the response has its output so far, and
    /// `execId`; the command runs on. Shorter than the time limit; absent and 0 mean none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_timeout_millis: Option<u64>,
    /// *Extension*: keep stdout and stderr apart, in `stdout` and `stderr` of the response. Two pipes cannot
    /// preserve the order between them, so `result` is then in the order in which the daemon read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_output: Option<bool>,
    /// *Extension*: what the command may use; absent means the daemon's own limits, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// *Extension*: the isolation of the command; absent means the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// The result of a command. Sent by the daemon.
///
/// Some older servers call `exitCode` `code`; that is read, and not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteResponse {
    /// The command's exit code; 128 + n after signal n; -1 when it could not be started. Absent means unknown,
    /// never 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// stdout and stderr merged, as lossy UTF-8; the reason when the command could not be started. Empty when
    /// absent.
    pub result: String,
    /// *Extension*: stdout alone, present when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: stderr alone, present when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: how the command ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when the output was longer than the daemon retains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
    /// *Extension*: how strongly the command was isolated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
    /// *Extension*: the id of a command that still runs, because its soft limit has passed; then there is neither an exit code
    /// nor a termination. Absent when the command has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_id: Option<String>,
}

impl<'de> Deserialize<'de> for ExecuteResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        fields.rename("code", "exitCode");
        Read::deserialize(fields.into_object()).map_err(D::Error::custom)
    }
}

/// The fields as they are read; the compiler checks them against the type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "ExecuteResponse")]
struct Read {
    exit_code: Option<i32>,
    #[serde(default)]
    result: String,
    stdout: Option<String>,
    stderr: Option<String>,
    termination: Option<Termination>,
    truncation: Option<OutputTruncation>,
    isolation_level: Option<IsolationLevel>,
    exec_id: Option<String>,
}

/// *Extension*: how a process ended, in cases that the exit code cannot distinguish. Sent by the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Termination {
    /// The kind of end, which determines the fields below that are set.
    pub kind: TerminationKind,
    /// The exit code of a process that [exited](TerminationKind::Exited).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended a [signaled](TerminationKind::Signaled) process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The reason why the process [was not started](TerminationKind::SpawnFailed) or is
    /// [lost](TerminationKind::Lost), for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The limit of the run that ended the process: `memory`, with the kind `out_of_memory`, or `file_size`, with the kind
    /// `signaled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<ResourceLimit>,
    /// What the run has used; absent if the daemon does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResourceUsage>,
}

/// The ways a process can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TerminationKind {
    /// The process exited by itself, with `exitCode`.
    Exited,
    /// The process was ended by `signal`.
    Signaled,
    /// The time limit was exceeded and the daemon ended the process.
    TimedOut,
    /// The kernel ended the process because it was out of memory.
    OutOfMemory,
    /// The process never ran, for `reason`.
    SpawnFailed,
    /// The end is unknown: the daemon was not running meanwhile, for `reason`.
    Lost,
    /// A kind that this version does not know; sent if the daemon has no better one.
    #[serde(other)]
    Unknown,
}

/// *Extension*: how much of an output is missing from its middle. Sent by the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputTruncation {
    /// The number of bytes that the process wrote.
    pub total_bytes: u64,
    /// The number of bytes that were dropped between the retained beginning and the retained end.
    pub dropped_bytes: u64,
}
