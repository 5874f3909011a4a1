//! Terminals: `/process/pty` and the routes below it. What travels once connected is in [`ws`](crate::ws).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `POST /process/pty`, sent by the client: asks for a terminal with a login shell. Answered with 201.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyCreateRequest {
    /// The id to give it. The protocol calls it optional, and every daemon refuses its absence, which reads
    /// as `""`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub id: String,
    /// Working directory; relative to the daemon's. Absent, `null` and `""` mean the daemon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment, `null` is `""`. TERM is `xterm-256color` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// Columns, at most 1000; absent means 80.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows, at most 1000; absent means 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Whether the shell starts only when the first client connects; absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lazy_start: Option<bool>,
}

/// The answer to [`PtyCreateRequest`], sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyCreateResponse {
    /// The id that was asked for.
    pub session_id: String,
}

/// `GET /process/pty/{id}`, and the answer to [`PtyResizeRequest`]; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtySessionInfo {
    /// Its id, as the client chose it.
    pub id: String,
    /// The directory that its shell starts in.
    pub cwd: String,
    /// The variables that it was made with, TERM included.
    #[serde(deserialize_with = "null_as_default")]
    pub envs: BTreeMap<String, String>,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Whether its shell runs.
    pub active: bool,
    /// Whether its shell waits for the first client.
    pub lazy_start: bool,
}

/// `GET /process/pty`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtyListResponse {
    /// The terminals. This project's daemon lists them oldest first.
    #[serde(deserialize_with = "null_as_default")]
    pub sessions: Vec<PtySessionInfo>,
}

/// `POST /process/pty/{id}/resize`, sent by the client. Answered with [`PtySessionInfo`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtyResizeRequest {
    /// Columns, 1 to 1000.
    pub cols: u16,
    /// Rows, 1 to 1000.
    pub rows: u16,
}
