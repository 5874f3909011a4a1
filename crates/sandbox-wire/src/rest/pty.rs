//! Terminals: `/process/pty` and the routes below it. The messages of a connection are in [`ws`](crate::ws).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ResourceLimits;
use super::{Isolation, IsolationLevel};
use crate::liberal::null_as_default;

/// `POST /process/pty`, sent by the client: creates a terminal with a login shell. The response has status 201.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyCreateRequest {
    /// The id of the terminal. The protocol calls it optional, and every daemon refuses its absence, which reads
    /// as `""`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub id: String,
    /// The working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment, `null` is `""`. TERM is `xterm-256color` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// The number of columns, at most 1000; absent means 80.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// The number of rows, at most 1000; absent means 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Whether the shell starts only when the first client connects; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lazy_start: Option<bool>,
    /// *Extension*: what the terminal's shell may use, with everything that it starts; absent means the daemon's own limits, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// *Extension*: the isolation of the shell; absent means the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// The response to [`PtyCreateRequest`], sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyCreateResponse {
    /// The id from the request.
    pub session_id: String,
}

/// `GET /process/pty/{id}`, and the response to [`PtyResizeRequest`]; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtySessionInfo {
    /// The id of the terminal, as the client chose it.
    pub id: String,
    /// The directory in which the shell starts.
    pub cwd: String,
    /// The variables that the terminal was created with, TERM included.
    #[serde(deserialize_with = "null_as_default")]
    pub envs: BTreeMap<String, String>,
    /// The number of columns.
    pub cols: u16,
    /// The number of rows.
    pub rows: u16,
    /// The time of creation, RFC 3339.
    pub created_at: String,
    /// Whether the shell runs.
    pub active: bool,
    /// Whether the shell waits for the first client.
    pub lazy_start: bool,
    /// *Extension*: how strongly the shell is isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
}

/// `GET /process/pty`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtyListResponse {
    /// The terminals. This project's daemon lists them oldest first.
    #[serde(deserialize_with = "null_as_default")]
    pub sessions: Vec<PtySessionInfo>,
}

/// `POST /process/pty/{id}/resize`, sent by the client. The response is [`PtySessionInfo`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtyResizeRequest {
    /// The number of columns, 1 to 1000.
    pub cols: u16,
    /// The number of rows, 1 to 1000.
    pub rows: u16,
}
