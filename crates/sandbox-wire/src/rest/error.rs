//! The error envelope of every route.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Artifacts, IsolationLevel, OutputTruncation, Termination};
use crate::liberal::Fields;

/// The `source` of an error that the daemon itself returns, as the official clients know it.
pub const SOURCE_DAEMON: &str = "DAYTONA_DAEMON";

/// The body of every response with a status of 400 or more, sent by the daemon.
///
/// No field is required when it is read, so that the message of a proxy or an older server is not lost: some
/// call `message` `error` and `code` `error_code`; a message that is not a text, such as a list, becomes its JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorEnvelope {
    /// The HTTP status; 0 when absent.
    pub status_code: u16,
    /// The message for people; clients do not parse it. Empty when absent.
    pub message: String,
    /// A name of the [`ErrorCode`](crate::ErrorCode) table, or one that a newer server added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The origin of the error: [`SOURCE_DAEMON`], `DAYTONA_API` or `DAYTONA_PROXY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The time of the error, RFC 3339. Empty when absent.
    pub timestamp: String,
    /// The request's path without its query. Empty when absent.
    pub path: String,
    /// The request's method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// *Extension*: the output of a command up to its time limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// *Extension*: the command's stdout alone, when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: the command's stderr alone, when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: the artifacts of the program up to its time limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// *Extension*: how the command ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when that output was longer than the daemon retains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
    /// *Extension*: the level of isolation that the command had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
    /// For an upload of several files: the error of each file that was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for ErrorEnvelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        fields.rename("error", "message");
        fields.rename("error_code", "code");
        fields.stringify("message");
        fields.stringify("code");
        Read::deserialize(fields.into_object()).map_err(D::Error::custom)
    }
}

/// The fields as they are read; the compiler checks them against the type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", remote = "ErrorEnvelope")]
struct Read {
    #[serde(default)]
    status_code: u16,
    #[serde(default)]
    message: String,
    code: Option<String>,
    source: Option<String>,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    path: String,
    method: Option<String>,
    result: Option<String>,
    stdout: Option<String>,
    stderr: Option<String>,
    artifacts: Option<Artifacts>,
    termination: Option<Termination>,
    truncation: Option<OutputTruncation>,
    isolation_level: Option<IsolationLevel>,
    errors: Option<Vec<String>>,
}
