//! The messages of a run in an interpreter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::liberal::null_as_default;
use crate::rest::Termination;

/// The one message of an interpreter's client, text or binary.
///
/// A message that does not parse as one is closed with [`PROTOCOL_ERROR`](super::close_code::PROTOCOL_ERROR); one that
/// parses and is refused, with [`POLICY_VIOLATION`](super::close_code::POLICY_VIOLATION).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterpreterRequest {
    /// The code to run. Absent and `null` read as `""`, which is refused; white space runs.
    #[serde(default, deserialize_with = "null_as_default")]
    pub code: String,
    /// The context to run it in; absent means [`DEFAULT_CONTEXT`](crate::rest::DEFAULT_CONTEXT). No context is
    /// called `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    /// The time limit in whole seconds; absent means 600, 0 means none, less is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Variables for this run only; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
}

/// A text message from the daemon of an interpreter.
///
/// First comes the output, then at most one error, then `control`, then the close. All five fields are always
/// written; those that the kind does not use are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterMessage {
    /// The kind of message, which determines the fields below that are set.
    #[serde(rename = "type")]
    pub kind: InterpreterMessageKind,
    /// A piece of the output, or for `control` [`CONTROL_COMPLETED`], [`CONTROL_INTERRUPTED`] or
    /// [`CONTROL_ENDED`].
    #[serde(default, deserialize_with = "null_as_default")]
    pub text: String,
    /// The type of an error, such as `ValueError`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
    /// The message of an error.
    #[serde(default, deserialize_with = "null_as_default")]
    pub value: String,
    /// The traceback of an error, as the language prints it, over several lines.
    #[serde(default, deserialize_with = "null_as_default")]
    pub traceback: String,
    /// *Extension*: the chart of a `chart`, as in a code run's artifacts; or the contents of a `display` by their media types:
    /// text as it is, JSON as such, everything else in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// *Extension*: the lengths in bytes of contents of a `display` that were too large to send, by their media types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub omitted: BTreeMap<String, u64>,
    /// *Extension*: how the code ended, and what it has used; of a `control`, for clients that offer the subprotocol
    /// [`INTERPRETER_RICH`](super::subprotocol::INTERPRETER_RICH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
}

/// The kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum InterpreterMessageKind {
    /// The code wrote `text` to stdout.
    Stdout,
    /// The code wrote `text` to stderr.
    Stderr,
    /// The code ended with an error that it did not catch.
    Error,
    /// The run has ended, in the way that `text` names.
    Control,
    /// *Extension*: the value of the code's last expression. `text` is its plain text. Only sent to clients that offer the
    /// subprotocol [`INTERPRETER_RICH`](super::subprotocol::INTERPRETER_RICH), after the output.
    Display,
    /// *Extension*: a chart that the code showed; as for `display`.
    Chart,
    /// A kind that this version does not know; never sent.
    #[serde(other)]
    Unknown,
}

impl InterpreterMessage {
    /// Returns a message of a kind that only needs `text`: a piece of output, or control.
    pub fn text(kind: InterpreterMessageKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            name: String::new(),
            value: String::new(),
            traceback: String::new(),
            data: None,
            omitted: BTreeMap::new(),
            termination: None,
        }
    }

    /// Returns the message of an uncaught error.
    pub fn error(
        name: impl Into<String>,
        value: impl Into<String>,
        traceback: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            traceback: traceback.into(),
            ..Self::text(InterpreterMessageKind::Error, "")
        }
    }
}

/// The text of the control message after code that ran to its end, also with an error.
pub const CONTROL_COMPLETED: &str = "completed";

/// The text of the control message after code that was interrupted.
pub const CONTROL_INTERRUPTED: &str = "interrupted";

/// *Extension*: the text of the control message after code that ended in another way, which the close names. Only sent to
/// clients that offer the subprotocol [`INTERPRETER_RICH`](super::subprotocol::INTERPRETER_RICH).
pub const CONTROL_ENDED: &str = "ended";
