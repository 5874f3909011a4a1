//! What a daemon reports about itself and about what runs in it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::Termination;

/// What a daemon can do besides the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Its version, as it reports it.
    pub version: String,
    /// Whether it is one of this project's, which has the extensions.
    pub extensions: bool,
}

impl Capabilities {
    /// Creates the capabilities of a daemon of this version.
    pub fn new(version: impl Into<String>, extensions: bool) -> Self {
        Self {
            version: version.into(),
            extensions,
        }
    }
}

/// How busy a sandbox is. What the daemon does not know is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Processors that the sandbox may use.
    pub cpu_count: Option<u32>,
    /// How busy they are, in percent.
    pub cpu_used_percent: Option<f64>,
    /// Memory that the sandbox may use, in bytes.
    pub memory_total: Option<u64>,
    /// Memory in use, in bytes.
    pub memory_used: Option<u64>,
    /// Memory that caches files and can be given back, in bytes.
    pub memory_cache: Option<u64>,
    /// Size of the file system, in bytes.
    pub disk_total: Option<u64>,
    /// Bytes of it in use.
    pub disk_used: Option<u64>,
    /// Bytes of it that are free.
    pub disk_free: Option<u64>,
    /// *Extension*: how the processes of a run are found when it is ended.
    pub containment: Option<String>,
    /// When this was measured.
    pub time: Option<SystemTime>,
}

/// A session and its commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub session_id: String,
    /// Its commands. This project's daemon lists them oldest first; the order of others is arbitrary.
    pub commands: Vec<CommandInfo>,
    /// *Extension*: how its shell ended. `None` while it takes commands, and where the daemon does not report it; a session
    /// that has ended takes none, and can be looked at until it is deleted.
    pub termination: Option<Termination>,
    /// *Extension*: how many commands it had before [`commands`](Self::commands), which have ended and which the daemon has
    /// forgotten.
    pub forgotten_commands: u64,
}

/// A command of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandInfo {
    /// Its id.
    pub id: String,
    /// Its text.
    pub command: String,
    /// Its [exit code](Termination::session_exit_code): `None` while it waits or runs, and if it is not known.
    pub exit_code: Option<i32>,
    /// How it ended; [`Termination::Unknown`] until then, and where the daemon does not report it.
    pub termination: Termination,
}

impl CommandInfo {
    /// Creates the description of a command that ended so.
    pub fn new(id: String, command: String, termination: Termination) -> Self {
        Self {
            id,
            command,
            exit_code: termination.session_exit_code(),
            termination,
        }
    }
}

/// A terminal of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PtyInfo {
    /// Its id, as the client chose it.
    pub id: String,
    /// The directory that its shell starts in.
    pub cwd: String,
    /// The variables that it was created with, TERM included.
    pub envs: BTreeMap<String, String>,
    /// Characters in a line.
    pub cols: u16,
    /// Lines.
    pub rows: u16,
    /// When it was created, if the daemon reports a time that can be read.
    pub created_at: Option<SystemTime>,
    /// Whether its shell runs.
    pub active: bool,
    /// Whether its shell waits for the first client.
    pub lazy_start: bool,
}

/// A context of an interpreter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextInfo {
    /// Its id, chosen by the daemon.
    pub id: String,
    /// The directory that its code runs in.
    pub cwd: String,
    /// When it was created, if the daemon reports a time that can be read.
    pub created_at: Option<SystemTime>,
    /// Whether it takes code.
    pub active: bool,
    /// The name of its [`Language`](crate::Language), or of one that only the daemon knows.
    pub language: String,
}
