//! Routes with information about the daemon, and those that configure it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IsolationSupport, LimitSupport};
use crate::liberal::null_as_default;

/// `GET /version`, sent by the daemon; with `?support=true` it has all fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version, with a `v` prefix.
    pub version: String,
    /// *Extension*: how strongly the daemon can isolate processes; absent if it cannot be asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationSupport>,
    /// *Extension*: what enforces each limit of a run; absent if the daemon does not report it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitSupport>,
}

/// `GET /healthz` (*extension*), sent by the daemon while it accepts requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `draining` after shutdown has begun.
    pub status: String,
}

/// `GET /work-dir`, `/user-home-dir` and `/project-dir`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirResponse {
    /// The directory: the daemon's working directory, or its user's home for the other two routes.
    pub dir: String,
}

/// The response to `/init`, to `/env` and to every `DELETE` except a session's; sent by the daemon. Other servers
/// may add fields of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageResponse {
    /// The message for people; may be absent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub message: String,
}

/// `POST /init`, sent by the program that started the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitializeRequest {
    /// The access token. The protocol calls it required; the daemons accept a request without, which has no
    /// effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// `POST /env`, sent by the client: changes the daemon's own environment, for processes that start later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateEnvRequest {
    /// Variables to set, after the other two fields are applied; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<BTreeMap<String, Option<String>>>,
    /// Names to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset: Option<Vec<String>>,
    /// The prefix of values: every variable with such a value whose name is not in `set` is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset_value_prefix: Option<String>,
}

/// `GET /system/metrics`, sent by the daemon. Values that it does not know are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemMetrics {
    /// The number of processors that the sandbox may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<u32>,
    /// The load of the processors, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_used_pct: Option<f64>,
    /// Memory that the sandbox may use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_total: Option<u64>,
    /// Memory in use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_used: Option<u64>,
    /// Memory that caches files and can be reclaimed, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_cache: Option<u64>,
    /// The size of the file system, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_total: Option<u64>,
    /// Used space of the file system, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_used: Option<u64>,
    /// Free space of the file system, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    /// *Extension*: the mechanism that finds the processes of a run when it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containment: Option<String>,
    /// The time of the measurement, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The time of the measurement, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_unix: Option<i64>,
}
