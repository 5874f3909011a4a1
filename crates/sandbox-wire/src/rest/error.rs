//! The error envelope of every route.

use serde::{Deserialize, Serialize};

use super::{Artifacts, OutputTruncation, Termination};

/// `source` of an error that the daemon itself made, as the official clients know it.
pub const SOURCE_DAEMON: &str = "DAYTONA_DAEMON";

/// The body of every answer with a status of 400 or more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorEnvelope {
    /// Equals the HTTP status.
    #[serde(default)]
    pub status_code: u16,
    /// For people; clients do not parse it. Some servers call it `error`.
    #[serde(default, alias = "error")]
    pub message: String,
    /// A name of the [`ErrorCode`](crate::ErrorCode) table, or one that a newer server invented.
    #[serde(default, alias = "error_code", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who made the error: [`SOURCE_DAEMON`], `DAYTONA_API` or `DAYTONA_PROXY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub timestamp: String,
    /// The request's path without its query.
    #[serde(default)]
    pub path: String,
    /// The request's method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// *Extension*: what a command that ran out of time had written by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// *Extension*: its stdout alone, when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: its stderr alone, when the request asked to split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: what it had shown by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// *Extension*: how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when that output was longer than the daemon keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
}
