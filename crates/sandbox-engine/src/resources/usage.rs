//! What a run has used.

use std::time::Duration;

/// What a run has used until its leader ended.
///
/// The times and the peak of one process are those of the leader and of all processes that it or they have waited for, as
/// `wait4(2)` reports them; processes in the background are not among them.
///
/// A command of a session, and code in a context, are parts of the life of a process: processor time is what that has used
/// meanwhile, to one clock tick (10 ms), and what the control group counts is that of the whole session or context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Usage {
    /// The time from the start of the leader to its end.
    pub wall_time: Duration,
    /// Processor time in the programs.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// The largest resident memory of any one process, in bytes. `None` if it was less than the engine's own memory has ever
    /// been: the kernel counts that, too, since each process begins as a copy. `None` for a command of a session. For code in a
    /// context, that of the context's process so far.
    pub peak_rss_bytes: Option<u64>,
    /// The largest memory of all processes of the run together, in bytes. `None` without a memory limit, and where the
    /// kernel does not count it.
    pub peak_memory_bytes: Option<u64>,
    /// Processes of the run that the kernel has killed because of its memory limit. Always 0 without one.
    pub memory_kills: u64,
    /// Forks that have failed because of the run's process limit. Always 0 without one.
    pub refused_forks: u64,
}

/// What a process has used, with those that it has waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// Processor time in the programs.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// The largest resident memory of any one of them, in bytes; `None` if it is not known.
    pub peak_rss_bytes: Option<u64>,
}

impl Usage {
    pub(crate) fn of(wall_time: Duration, process: ProcessUsage) -> Self {
        Self {
            wall_time,
            user_time: process.user_time,
            system_time: process.system_time,
            peak_rss_bytes: process.peak_rss_bytes,
            ..Self::default()
        }
    }
}
