//! *Extension*: the isolation of processes from the machine.

use serde::{Deserialize, Serialize};

/// *Extension*: what an isolated process sees, may change and may reach. Sent by the client; the empty object is the
/// strictest.
///
/// The machine is read-only; `/tmp`, `/var/tmp`, `/run` and all home directories are empty directories of the process's own;
/// the daemon's working directory is writable. All paths are absolute. A field that a daemon does not know is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Isolation {
    /// The level; absent means namespaces. It is never another than the one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<IsolationLevel>,
    /// The network; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<IsolationNetwork>,
    /// Files and directories of the machine that are shown or writable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<IsolationBind>,
    /// Files and directories to hide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Empty writable directories in memory, discarded with the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scratch: Vec<String>,
    /// The size of each scratch directory in bytes, at least 1; absent means 1 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch_bytes: Option<u64>,
}

/// The network of an isolated process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationNetwork {
    /// A loopback interface of its own.
    None,
    /// A network of its own from which other machines are reached, but not the loopback interface of this one.
    User,
    /// The network of the machine.
    Host,
}

/// A file or directory of the machine in the view of an isolated process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IsolationBind {
    /// The path in the view.
    pub path: String,
    /// The path on the machine; absent means `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the process may do there.
    pub access: IsolationAccess,
}

/// What a bind allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationAccess {
    /// Reading and executing.
    Read,
    /// Changes, too.
    Write,
}

/// *Extension*: how strongly a process is isolated. Sent by the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IsolationLevel {
    /// It has the rights of the daemon.
    None,
    /// Landlock, a filter of system calls, no capabilities; without namespaces.
    Landlock,
    /// As namespaces, made by the program bubblewrap of the machine.
    Bwrap,
    /// Namespaces, a filter of system calls, no capabilities.
    Namespaces,
    /// A level that this version does not know.
    #[serde(other)]
    Unknown,
}

/// *Extension*: the levels that a daemon can give. Sent by the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsolationSupport {
    /// The strongest of them.
    pub level: IsolationLevel,
    /// All of them; absent means only `level`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<IsolationLevel>,
    /// Whether the daemon isolates everything that it runs; absent means no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_default: bool,
    /// The step of the level of namespaces that the system does not allow; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What would allow it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Why no process can have the network `user`; absent if nothing is known that would prevent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_problem: Option<String>,
}
