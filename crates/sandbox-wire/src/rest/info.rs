//! Routes that tell about the daemon, and those that set it up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `GET /version`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version, `v` in front.
    pub version: String,
}

/// `GET /healthz` (*extension*), sent by the daemon while it takes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `draining` once shutdown has begun.
    pub status: String,
}

/// `GET /work-dir`, `/user-home-dir` and `/project-dir`, sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirResponse {
    /// The directory: where the daemon works, or its user's home for the other two routes.
    pub dir: String,
}

/// The answer to `/init`, to `/env` and to every `DELETE` but a session's; sent by the daemon. Other servers
/// may add fields of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageResponse {
    /// For people; may be absent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub message: String,
}

/// `POST /init`, sent by whoever started the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitializeRequest {
    /// The access token. The protocol calls it required; the daemons take a request without, which changes
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// `POST /env`, sent by the client: changes the daemon's own environment, for processes that start later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateEnvRequest {
    /// Variables to set, after the other two; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<BTreeMap<String, Option<String>>>,
    /// Names to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset: Option<Vec<String>>,
    /// Removes every variable whose value begins so and whose name is not in `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset_value_prefix: Option<String>,
}

/// `GET /system/metrics`, sent by the daemon. What it does not know is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemMetrics {
    /// Processors that the sandbox may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<u32>,
    /// How busy they are, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_used_pct: Option<f64>,
    /// Memory that the sandbox may use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_total: Option<u64>,
    /// Memory in use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_used: Option<u64>,
    /// Memory that caches files and can be given back, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_cache: Option<u64>,
    /// Size of the file system, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_total: Option<u64>,
    /// Bytes of it in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_used: Option<u64>,
    /// Bytes of it that are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    /// *Extension*: how the processes of a run are found when it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containment: Option<String>,
    /// When this was so, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The same moment, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_unix: Option<i64>,
}
