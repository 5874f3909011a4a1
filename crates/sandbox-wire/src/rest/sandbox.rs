//! Sandboxes: the control plane's `/sandbox` and the routes below it.
//!
//! Only the fields that this project's client uses. A control plane has more; those are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::liberal::null_as_default;

/// `POST /sandbox`, sent by the client: creates a sandbox and starts it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateSandboxRequest {
    /// The name; absent means that the control plane chooses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The snapshot, which is a registered image; absent means the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The user that processes run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Environment variables of every process.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether the sandbox has no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_block_all: Option<bool>,
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// GiB of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// GiB on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<u32>,
    /// Idle minutes until the sandbox is stopped; 0 means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_stop_interval: Option<i64>,
    /// Minutes after a stop until the sandbox is deleted; 0 means immediately, a negative number never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_delete_interval: Option<i64>,
    /// Minutes after its creation until the sandbox is deleted; 0 means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<i64>,
}

/// A sandbox, sent by the control plane.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
    /// The snapshot that it was created from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The user that processes run as.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user: String,
    /// Environment variables of every process; absent in lists.
    #[serde(default, deserialize_with = "null_as_default")]
    pub env: BTreeMap<String, String>,
    /// Labels.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// Whether the sandbox has no network.
    #[serde(default, deserialize_with = "null_as_default")]
    pub network_block_all: bool,
    /// Processors.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cpu: f64,
    /// GiB of memory.
    #[serde(default, deserialize_with = "null_as_default")]
    pub memory: f64,
    /// GiB on the disk.
    #[serde(default, deserialize_with = "null_as_default")]
    pub disk: f64,
    /// The state, by its name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub state: String,
    /// The reason of an error state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// Idle minutes until the sandbox is stopped; 0 means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_stop_interval: Option<f64>,
    /// Minutes after a stop until the sandbox is deleted; a negative number means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_delete_interval: Option<f64>,
    /// When it was created, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it changed last, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// The URL before `/{id}` of the routes of sandboxes' daemons; older control planes have a route for it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub toolbox_proxy_url: String,
}

/// `GET /sandbox`, sent by the control plane.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListSandboxesResponse {
    /// The sandboxes of this page.
    pub items: Vec<Sandbox>,
    /// What to send for the next page; `null` on the last one.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// `GET /sandbox/{id}/toolbox-proxy-url`, sent by the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolboxProxyUrl {
    /// The URL before `/{id}` of the routes of sandboxes' daemons.
    pub url: String,
}

/// `GET /sandbox/{id}/ports/{port}/preview-url` and `…/signed-preview-url`, sent by the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewUrl {
    /// The URL of the port.
    pub url: String,
    /// The token of its requests.
    #[serde(default, deserialize_with = "null_as_default")]
    pub token: String,
}

/// `PUT /sandbox/{id}/labels`, sent by the client, and the response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxLabels {
    /// All labels.
    pub labels: BTreeMap<String, String>,
}
