//! What a sandbox is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The id of a sandbox. Unique among all sandboxes of a provider, those that were deleted included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId(String);

impl SandboxId {
    /// An id with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The description of a sandbox that is to be created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Spec {
    /// The name; a provider chooses one if there is none.
    pub name: Option<String>,
    /// The registered image whose files the sandbox sees; the machine's own if there is none.
    pub image: Option<String>,
    /// The user that its processes run as; `daytona` if there is none.
    pub user: Option<String>,
    /// Variables of all its processes.
    pub env: BTreeMap<String, String>,
    /// Texts by which clients find it.
    pub labels: BTreeMap<String, String>,
    /// What it may use.
    pub resources: Resources,
    /// Whether it is without a network.
    pub block_network: bool,
    /// Whether previews of its ports need no token.
    pub public: bool,
    /// How long it may be idle until it is stopped.
    pub auto_stop: Interval,
    /// How long it may be stopped until it is deleted.
    pub auto_delete: Interval,
    /// How long it exists at most.
    pub ttl: Interval,
    /// The secret by which clients sign URLs of its files. No process of the sandbox sees it.
    pub signing_key: Option<String>,
}

/// What a sandbox may use. What is `None` is as the provider decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Resources {
    /// Processors.
    pub cpus: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes on the disk.
    pub disk: Option<u64>,
}

/// A time until something happens by itself; `None` is never.
pub type Interval = Option<Duration>;

/// A sandbox as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sandbox {
    /// Its id.
    pub id: SandboxId,
    /// Its description, with the name, user and resources that the provider chose.
    pub spec: Spec,
    /// Its state.
    pub state: State,
    /// Why it is in [`State::Error`].
    pub reason: Option<String>,
    /// How strongly it is isolated, in the words of the provider.
    pub isolation: String,
    /// When it was created.
    pub created_at: SystemTime,
    /// When its state or description changed last.
    pub updated_at: SystemTime,
    /// When it came into its state.
    pub state_since: SystemTime,
}

impl Sandbox {
    /// Returns a sandbox that was just created, for providers: without a reason or an isolation.
    pub fn new(id: SandboxId, spec: Spec, state: State, created_at: SystemTime) -> Self {
        Self {
            id,
            spec,
            state,
            reason: None,
            isolation: "none".to_owned(),
            created_at,
            updated_at: created_at,
            state_since: created_at,
        }
    }
}

/// How the processes of a sandbox are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// Asks them to end, and kills those that have not ended after a time of the provider's choice.
    Terminate,
    /// Kills them immediately.
    Kill,
}

/// The state of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It is being created.
    Creating,
    /// Its daemon runs and can be dialed.
    Started,
    /// It is being started.
    Starting,
    /// Its processes are being ended.
    Stopping,
    /// Nothing runs; its files are there.
    Stopped,
    /// Its processes are frozen.
    Paused,
    /// It is being removed.
    Deleting,
    /// It ended by itself and cannot be used until it is started or deleted.
    Error,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Started => "started",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Deleting => "deleting",
            Self::Error => "error",
        })
    }
}

/// A change of a sandbox's description. What is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Change {
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether it is without a network.
    pub block_network: Option<bool>,
    /// See [`Spec::public`].
    pub public: Option<bool>,
    /// See [`Spec::auto_stop`].
    pub auto_stop: Option<Interval>,
    /// See [`Spec::auto_delete`].
    pub auto_delete: Option<Interval>,
    /// See [`Spec::ttl`].
    pub ttl: Option<Interval>,
    /// See [`Spec::signing_key`].
    pub signing_key: Option<String>,
    /// What it may use from now on; what is `None` stays.
    pub resources: Resources,
}
