//! What a part of the life of a process uses: a command that a shell evaluates, or code in an interpreter.

use std::time::Duration;

use tokio::time::Instant;

use super::confinement::Confinement;
use super::usage::{ProcessUsage, Usage};
use crate::procfs::Spent;

/// Measures what a process uses from now on, with the processes that it waits for.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: u32,
    begun: Instant,
    before: Option<Spent>,
    counted: Usage,
}

impl Meter {
    /// Starts to measure a process that has these limits.
    pub(crate) fn begin(pid: u32, confinement: &Confinement) -> Self {
        let mut counted = Usage::default();
        confinement.add_to(&mut counted);
        Self {
            pid,
            begun: Instant::now(),
            before: Spent::of(pid),
            counted,
        }
    }

    /// Returns what the process has used since; `None` if the system does not report it. `total` is what it has used in all
    /// its life, after its end.
    ///
    /// The peak of one process is not measured: the kernel counts it from the beginning of the process.
    pub(crate) fn end(
        &self,
        total: Option<ProcessUsage>,
        confinement: &Confinement,
    ) -> Option<Usage> {
        let wall_time = self.begun.elapsed();
        let before = self.before?;
        let (user, system) = match total {
            // The process was reaped, and `/proc` no longer has it.
            Some(total) => (total.user_time, total.system_time),
            None => {
                let now = Spent::of(self.pid)?;
                (ticks(now.user), ticks(now.system))
            }
        };
        let process = ProcessUsage {
            user_time: user.saturating_sub(ticks(before.user)),
            system_time: system.saturating_sub(ticks(before.system)),
            peak_rss_bytes: None,
        };
        let mut usage = Usage::of(wall_time, process);
        confinement.add_to(&mut usage);
        usage.memory_kills = { usage.memory_kills }.saturating_sub(self.counted.memory_kills);
        usage.refused_forks = { usage.refused_forks }.saturating_sub(self.counted.refused_forks);
        Some(usage)
    }
}

/// Converts clock ticks, of which each is 10 ms on most systems.
fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let rest = (count % per_second) * 1_000_000_000 / per_second;
    Duration::from_secs(count / per_second) + Duration::from_nanos(rest)
}
