//! `POST /process/code-run`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Isolation, IsolationLevel, OutputTruncation, ResourceLimits, Termination};
use crate::liberal::null_as_default;

/// A request to run a program by the runtime of its language. Sent by the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeRunRequest {
    /// The program's text; not empty.
    pub code: String,
    /// `python`, `javascript` or `typescript`.
    pub language: String,
    /// The program's arguments, passed verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Variables on top of the daemon's environment, as in [`ExecuteRequest`](super::ExecuteRequest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// The time limit in whole seconds; absent and 0 mean no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// *Extension*: the limit in milliseconds, which this project's daemon takes instead of `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u64>,
    /// *Extension*: as in [`ExecuteRequest`](super::ExecuteRequest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_output: Option<bool>,
    /// *Extension*: what the program may use, with everything that it starts; absent means the daemon's own limits, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// *Extension*: the isolation of the program; absent means the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// The result of a program. Sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeRunResponse {
    /// The program's exit code; 128 + n after signal n; -1 when it could not be started. Absent means unknown,
    /// never 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// stdout and stderr merged, as lossy UTF-8; the reason when the program could not be started. Empty when
    /// absent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub result: String,
    /// The artifacts that the program showed; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// *Extension*: stdout alone, present when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: stderr alone, present when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: how the program ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when the output was longer than the daemon retains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
    /// *Extension*: how strongly the program was isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
}

/// The artifacts of a program besides its output. Sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Artifacts {
    /// Chart objects in the order shown; `sandbox-charts` reads them.
    /// Absent and `null` mean none.
    #[serde(default)]
    pub charts: Option<Vec<Value>>,
}
