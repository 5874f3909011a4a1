//! The error envelope of every route.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Artifacts, OutputTruncation, Termination};
use crate::liberal::Fields;

/// `source` of an error that the daemon itself made, as the official clients know it.
pub const SOURCE_DAEMON: &str = "DAYTONA_DAEMON";

/// The body of every answer with a status of 400 or more, sent by the daemon.
///
/// Nothing in it is required when it is read, so that what a proxy or an older server says is not lost: some
/// call `message` `error` and `code` `error_code`; a message that is no text, such as a list, becomes its JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorEnvelope {
    /// Equals the HTTP status; 0 when absent.
    pub status_code: u16,
    /// For people; clients do not parse it. Empty when absent.
    pub message: String,
    /// A name of the [`ErrorCode`](crate::ErrorCode) table, or one that a newer server invented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who made the error: [`SOURCE_DAEMON`], `DAYTONA_API` or `DAYTONA_PROXY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it happened, RFC 3339. Empty when absent.
    pub timestamp: String,
    /// The request's path without its query. Empty when absent.
    pub path: String,
    /// The request's method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// *Extension*: what a command that ran out of time had written by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// *Extension*: its stdout alone, when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// *Extension*: its stderr alone, when the request asked to split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// *Extension*: what it had shown by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// *Extension*: how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when that output was longer than the daemon keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
    /// Of an upload of several files: what was wrong with each that was not written.
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

/// How the fields are read; the compiler holds it against the type.
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
    errors: Option<Vec<String>>,
}
