//! Interpreter contexts: `/process/interpreter/context`. What travels during a run is in [`ws`](crate::ws).

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `POST /process/interpreter/context`, sent by the client: asks for a context. Answered with 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateContextRequest {
    /// Working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Absent and `null` mean `python`, the one language that every daemon has; `""` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A context; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterpreterContext {
    /// Its id: a random one.
    pub id: String,
    /// The directory that its worker starts in.
    pub cwd: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Whether it takes code.
    pub active: bool,
    /// Its language, such as `python`.
    pub language: String,
}

/// `GET /process/interpreter/context`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListContextsResponse {
    /// The contexts, without [`DEFAULT_CONTEXT`].
    #[serde(deserialize_with = "null_as_default")]
    pub contexts: Vec<InterpreterContext>,
}

/// The id of the context that is there without being made. It cannot be deleted and is not listed.
pub const DEFAULT_CONTEXT: &str = "default";
