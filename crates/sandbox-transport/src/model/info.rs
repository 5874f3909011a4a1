//! What a daemon reports about itself and about what runs in it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{IsolationLevel, IsolationSupport, LimitSupport, Termination, Usage};

/// What a daemon can do besides the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The daemon's version, as it reports it.
    pub version: String,
    /// Whether the daemon is one of this project's, which has the extensions.
    pub extensions: bool,
    /// How strongly the daemon can isolate processes; `None` if it cannot be asked to.
    pub isolation: Option<IsolationSupport>,
    /// What enforces each limit of a run; empty if the daemon does not report it.
    pub limits: Vec<LimitSupport>,
}

impl Capabilities {
    /// Creates the capabilities of a daemon of this version, without extensions.
    pub fn new(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            extensions: false,
            isolation: None,
            limits: Vec::new(),
        }
    }
}

/// The resource usage of a sandbox. What the daemon does not know is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Processors that the sandbox may use.
    pub cpu_count: Option<u32>,
    /// The usage of those processors, in percent.
    pub cpu_used_percent: Option<f64>,
    /// Memory that the sandbox may use, in bytes.
    pub memory_total: Option<u64>,
    /// Memory in use, in bytes.
    pub memory_used: Option<u64>,
    /// Memory that caches files and can be reclaimed, in bytes.
    pub memory_cache: Option<u64>,
    /// Size of the file system, in bytes.
    pub disk_total: Option<u64>,
    /// Bytes of the file system in use.
    pub disk_used: Option<u64>,
    /// Bytes of the file system that are free.
    pub disk_free: Option<u64>,
    /// *Extension*: how the processes of a run are found when it is ended.
    pub containment: Option<String>,
    /// The time of the measurement.
    pub time: Option<SystemTime>,
}

/// A session and its commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// The session's id.
    pub session_id: String,
    /// The session's commands. This project's daemon lists them oldest first; the order of others is arbitrary.
    pub commands: Vec<CommandInfo>,
    /// *Extension*: how the session's shell ended. `None` while it takes commands, and if the daemon does not report
    /// it; a session that has ended takes none, and can be inspected until it is deleted.
    pub termination: Option<Termination>,
    /// *Extension*: the number of commands before [`commands`](Self::commands), which have ended and which the daemon
    /// has discarded.
    pub forgotten_commands: u64,
    /// *Extension*: how strongly its shell is, and so its commands are, isolated, if the daemon reports it.
    pub isolation_level: Option<IsolationLevel>,
}

/// A command of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandInfo {
    /// The command's id.
    pub id: String,
    /// The command's text.
    pub command: String,
    /// The command's [exit code](Termination::session_exit_code): `None` while it waits or runs, and if it is not
    /// known.
    pub exit_code: Option<i32>,
    /// How the command ended; [`Termination::Unknown`] until then, and if the daemon does not report it.
    pub termination: Termination,
    /// *Extension*: what the command has used; `None` until its end, and if the daemon does not report it.
    pub usage: Option<Usage>,
}

impl CommandInfo {
    /// Creates the description of a command that ended as `termination` says.
    pub fn new(id: String, command: String, termination: Termination) -> Self {
        Self {
            id,
            command,
            exit_code: termination.session_exit_code(),
            termination,
            usage: None,
        }
    }

    /// Returns whether the command waits for its turn or runs, as far as the daemon reports it.
    pub fn is_running(&self) -> bool {
        self.exit_code.is_none() && self.termination == Termination::Unknown
    }
}

/// A terminal of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PtyInfo {
    /// The terminal's id, as the client chose it.
    pub id: String,
    /// The directory that its shell starts in.
    pub cwd: String,
    /// The variables that it was created with, TERM included.
    pub envs: BTreeMap<String, String>,
    /// Characters in a line.
    pub cols: u16,
    /// Lines.
    pub rows: u16,
    /// The time of its creation, if the daemon reports a time that can be read.
    pub created_at: Option<SystemTime>,
    /// Whether its shell runs.
    pub active: bool,
    /// Whether its shell waits for the first client.
    pub lazy_start: bool,
    /// *Extension*: how strongly its shell is isolated, if the daemon reports it.
    pub isolation_level: Option<IsolationLevel>,
}

/// A context of an interpreter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextInfo {
    /// The context's id, chosen by the daemon.
    pub id: String,
    /// The directory that its code runs in.
    pub cwd: String,
    /// The time of its creation, if the daemon reports a time that can be read.
    pub created_at: Option<SystemTime>,
    /// Whether the context takes code.
    pub active: bool,
    /// The name of the context's [`Language`](crate::Language), or of one that only the daemon knows.
    pub language: String,
    /// *Extension*: how strongly its workers are isolated, if the daemon reports it.
    pub isolation_level: Option<IsolationLevel>,
}
