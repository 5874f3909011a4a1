//! Interpreter contexts: `/process/interpreter/context`. The messages of a run are in [`ws`](crate::ws).

use serde::{Deserialize, Serialize};

use super::ResourceLimits;
use super::{Isolation, IsolationLevel};
use crate::liberal::null_as_default;

/// `POST /process/interpreter/context`, sent by the client: creates a context. The response has status 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateContextRequest {
    /// The working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The language. Absent and `null` mean `python`, which every daemon supports; `""` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// *Extension*: what the context's worker may use, with everything that it starts; absent means the daemon's own limits, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// *Extension*: the isolation of the context's workers; absent means the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// An interpreter context; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterpreterContext {
    /// The id of the context, which is random.
    pub id: String,
    /// The directory in which the worker starts.
    pub cwd: String,
    /// The time of creation, RFC 3339.
    pub created_at: String,
    /// Whether the context accepts code.
    pub active: bool,
    /// The language, such as `python`.
    pub language: String,
    /// *Extension*: how strongly the context's workers are isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
}

/// `GET /process/interpreter/context`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListContextsResponse {
    /// The contexts, without [`DEFAULT_CONTEXT`].
    #[serde(deserialize_with = "null_as_default")]
    pub contexts: Vec<InterpreterContext>,
}

/// The id of the context that exists without being created. It cannot be deleted and is not listed.
pub const DEFAULT_CONTEXT: &str = "default";
