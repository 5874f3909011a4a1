//! What operations on sandboxes take and return.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The settings of a sandbox to create. What is `None` is as the control plane decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxRequest {
    /// The name, which no other sandbox has.
    pub name: Option<String>,
    /// The registered image whose files the sandbox sees: a snapshot in the words of Daytona's API.
    pub image: Option<String>,
    /// The user that processes run as.
    pub user: Option<String>,
    /// Environment variables of every process.
    pub env: BTreeMap<String, String>,
    /// Labels, by which sandboxes can be listed.
    pub labels: BTreeMap<String, String>,
    /// Whether the sandbox has no network.
    pub block_network: Option<bool>,
    /// The number of processors.
    pub cpus: Option<u32>,
    /// The memory, in GiB.
    pub memory_gib: Option<u32>,
    /// The space on the disk, in GiB.
    pub disk_gib: Option<u32>,
    /// How long the sandbox may be idle until it is stopped, rounded up to minutes; zero means that it never is.
    pub auto_stop: Option<Duration>,
    /// How long the sandbox may be stopped until it is deleted, rounded up to minutes; zero means that it is deleted when
    /// it stops, and `Some(None)` that it never is.
    pub auto_delete: Option<Option<Duration>>,
    /// How long the sandbox exists at most, rounded up to minutes; zero means without a limit.
    pub ttl: Option<Duration>,
}

/// A sandbox, as the control plane described it last.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SandboxInfo {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The registered image that it was created from, if the control plane reports one.
    pub image: Option<String>,
    /// The user that processes run as.
    pub user: String,
    /// Environment variables of every process. Lists do not have them.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the sandbox has no network.
    pub block_network: bool,
    /// The number of processors; 0 if it is not limited.
    pub cpus: f64,
    /// The memory, in GiB; 0 if it is not limited.
    pub memory_gib: f64,
    /// The space on the disk, in GiB; 0 if it is not limited.
    pub disk_gib: f64,
    /// The state.
    pub state: SandboxState,
    /// The reason of an error state.
    pub error_reason: Option<String>,
    /// How long the sandbox may be idle until it is stopped; `None` if it never is.
    pub auto_stop: Option<Duration>,
    /// How long the sandbox may be stopped until it is deleted; `None` if it never is.
    pub auto_delete: Option<Duration>,
    /// When it was created, if the control plane reports a time that can be read.
    pub created: Option<SystemTime>,
    /// When it changed last, if the control plane reports a time that can be read.
    pub updated: Option<SystemTime>,
    /// The URL of its daemon, without the id at its end; empty if the control plane reports it elsewhere.
    pub toolbox_url: String,
}

/// A page of a list of sandboxes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SandboxPage {
    /// The sandboxes.
    pub items: Vec<SandboxInfo>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// The URL at which a server in a sandbox can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviewUrl {
    /// The URL.
    pub url: String,
    /// The token that requests need, in the header `x-daytona-preview-token`; a signed URL contains it.
    pub token: String,
}

/// The state of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SandboxState {
    /// The sandbox is being created.
    Creating,
    /// The sandbox is being started.
    Starting,
    /// The sandbox runs.
    Started,
    /// The processes of the sandbox are being ended.
    Stopping,
    /// Nothing runs in the sandbox; its files are there.
    Stopped,
    /// The processes of the sandbox are being frozen.
    Pausing,
    /// The processes of the sandbox are frozen.
    Paused,
    /// The processes of the sandbox are being continued.
    Resuming,
    /// The sandbox is being deleted.
    Deleting,
    /// The sandbox does not exist any more.
    Deleted,
    /// The sandbox failed; [`SandboxInfo::error_reason`] says why.
    Error,
    /// The image of the sandbox could not be built.
    BuildFailed,
    /// Another state, by the control plane's name for it.
    Other(String),
    /// The control plane did not report the state.
    #[default]
    Unknown,
}

impl SandboxState {
    /// Returns the state with this name in Daytona's API.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "" | "unknown" => Self::Unknown,
            "creating" => Self::Creating,
            "starting" => Self::Starting,
            "started" => Self::Started,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "pausing" => Self::Pausing,
            "paused" => Self::Paused,
            "resuming" => Self::Resuming,
            "destroying" => Self::Deleting,
            "destroyed" => Self::Deleted,
            "error" => Self::Error,
            "build_failed" => Self::BuildFailed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns whether the sandbox has failed: it does not leave this state by itself.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Error | Self::BuildFailed)
    }
}

impl fmt::Display for SandboxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Resuming => "resuming",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
            Self::BuildFailed => "build failed",
            Self::Other(name) => name,
            Self::Unknown => "unknown",
        })
    }
}
