//! The limits of one run while it runs.

use super::cgroup::{Directories, Group};
use super::description::{Limit, Limits};
use super::usage::Usage;
use crate::offload::file_calls;
use crate::spawner::{SpawnLimits, SpawnSpec};
use crate::termination::Termination;

/// The limits of one run, ready to be applied to its first process. To be dropped when the run has ended, which removes its
/// control group.
#[derive(Debug, Default)]
pub(crate) struct Confinement {
    limits: Limits,
    group: Option<Group>,
}

impl Confinement {
    pub(super) fn new(limits: Limits, group: Option<Group>) -> Self {
        Self { limits, group }
    }

    fn directories(&self) -> Option<&Directories> {
        self.group.as_ref().map(Group::directories)
    }

    /// Adds the limits to the description of the run's first process.
    pub(crate) fn apply(&self, spec: &mut SpawnSpec) {
        spec.limits = SpawnLimits {
            groups: self
                .directories()
                .map(Directories::entries)
                .unwrap_or_default(),
            file_bytes: self.limits.file_bytes,
            open_files: self.limits.open_files.map(u64::from),
        };
    }

    /// Sets `termination` to the limit that ended the process, if one did; `kills_before` is the number of
    /// [processes](Self::memory_kills) that the memory limit had killed when it began.
    ///
    /// A shell exits with 137 after its last command was killed. That is explained, too, if the memory limit has killed
    /// any process of the run meanwhile.
    pub(crate) fn explain(&self, termination: &mut Termination, kills_before: u64) {
        let limit = match *termination {
            Termination::Signaled { signal, .. } if signal == libc::SIGKILL => Limit::Memory,
            Termination::Exited { code } if code == 128 + libc::SIGKILL => Limit::Memory,
            Termination::Signaled { signal, .. } if signal == libc::SIGXFSZ => Limit::FileSize,
            _ => return,
        };
        let is_it = match limit {
            Limit::Memory => self.memory_kills() > kills_before,
            limit => self.limits.get(limit).is_some(),
        };
        if is_it {
            *termination = Termination::LimitExceeded { limit };
        }
    }

    /// Adds what the control group has counted.
    pub(crate) fn add_to(&self, usage: &mut Usage) {
        if let Some(group) = self.directories() {
            usage.memory_kills = group.memory_kills();
            usage.refused_forks = group.refused_forks();
            usage.peak_memory_bytes = group.peak_memory();
        }
    }

    /// Removes the control group, on a thread that may wait for the kernel.
    pub(crate) async fn remove(self) {
        if self.group.is_some() {
            // One that cannot be removed in time is left to that thread.
            let _ = file_calls(move || drop(self)).await;
        }
    }

    /// Returns the number of processes that the memory limit has killed.
    pub(crate) fn memory_kills(&self) -> u64 {
        self.directories().map_or(0, Directories::memory_kills)
    }
}
