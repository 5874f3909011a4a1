//! Limits of what a run may use, and what it has used.

use std::fmt;
use std::time::Duration;

/// Limits of a run, each for all its processes together unless it says otherwise. *Extension.*
///
/// A limit that is not set is the daemon's own, if it has one. A daemon that cannot enforce a limit refuses the request; a stock
/// daemon ignores it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ResourceLimits {
    /// Bytes of memory, at least 1 MiB.
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time, at least 1.
    pub processes: Option<u32>,
    /// Thousandths of one processor, at least 10.
    pub millicpus: Option<u32>,
    /// Bytes of each file that a process writes.
    pub file_bytes: Option<u64>,
    /// Open descriptors of each process, at least 32.
    pub open_files: Option<u32>,
}

impl ResourceLimits {
    /// Returns whether no limit is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One of the [`ResourceLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`ResourceLimits::memory_bytes`].
    Memory,
    /// [`ResourceLimits::processes`].
    Processes,
    /// [`ResourceLimits::millicpus`].
    Cpus,
    /// [`ResourceLimits::file_bytes`].
    FileSize,
    /// [`ResourceLimits::open_files`].
    OpenFiles,
}

/// Writes words, such as `file size`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Cpus => "cpus",
            Self::FileSize => "file size",
            Self::OpenFiles => "open files",
        })
    }
}

/// What enforces a limit of a run. *Extension.*
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitSupport {
    /// The limit.
    pub limit: Limit,
    /// What enforces it: `cgroup-v1`, `cgroup-v2` or `rlimit`. `None` if nothing does: a request with the limit is refused.
    pub mechanism: Option<String>,
    /// Why nothing enforces it.
    pub problem: Option<String>,
}

/// What a run has used until its first process ended.
///
/// The processor times and [`peak_rss_bytes`](Self::peak_rss_bytes) are those of the first process and of all processes that it
/// or they have waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Usage {
    /// The time from the start of the first process to its end.
    pub wall_time: Duration,
    /// Processor time in programs.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// The largest resident memory of any one process, in bytes. `None` if it was less than the daemon's own memory has ever
    /// been.
    pub peak_rss_bytes: Option<u64>,
    /// The largest memory of all processes together, in bytes. `None` without a memory limit, and where the daemon's kernel
    /// does not count it.
    pub peak_memory_bytes: Option<u64>,
    /// Processes that were killed because of the memory limit. The run may have survived them.
    pub memory_kills: u64,
    /// Forks that have failed because of the process limit.
    pub refused_forks: u64,
}
