//! *Extension*: limits of what a process may use, and what it has used.

use serde::{Deserialize, Serialize};

/// Limits of a process, together with everything that it starts unless a limit says otherwise. Sent by the client.
///
/// An absent limit is the daemon's own, if it has one. A daemon that cannot enforce a limit refuses the request with the code
/// `RESOURCE_LIMIT_UNAVAILABLE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceLimits {
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Thousandths of one processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millicpus: Option<u32>,
    /// Bytes of each file that a process writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Open descriptors of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
}

/// One of the [`ResourceLimits`]. Sent by the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResourceLimit {
    /// `memoryBytes`.
    Memory,
    /// `processes`.
    Processes,
    /// `millicpus`.
    Cpus,
    /// `fileBytes`.
    FileSize,
    /// `openFiles`.
    OpenFiles,
    /// A limit that this version does not know.
    #[serde(other)]
    Unknown,
}

/// What enforces a limit of a run. Sent by the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitSupport {
    /// The limit.
    pub limit: ResourceLimit,
    /// What enforces it: `cgroup-v1`, `cgroup-v2` or `rlimit`; absent if nothing does, so that a request with the limit is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Why nothing enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a run has used. Sent by the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceUsage {
    /// Microseconds from the start of the process to its end.
    pub wall_micros: u64,
    /// Microseconds of processor time in programs.
    pub user_micros: u64,
    /// Microseconds of processor time in the kernel.
    pub system_micros: u64,
    /// The largest resident memory of any one process, in bytes; absent if it was less than the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// The largest memory of all processes together, in bytes; absent without a memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Processes that were killed because of the memory limit; absent for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_kills: u64,
    /// Forks that have failed because of the process limit; absent for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_forks: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
