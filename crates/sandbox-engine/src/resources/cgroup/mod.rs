//! Control groups of runs, of either version.

mod abandoned;
mod directories;
mod find;
mod group;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub(super) use directories::Directories;
pub(super) use group::Group;

use super::confinement::Confinement;
use super::description::{Limit, Limits, Mechanism};
use super::error::LimitError;
use crate::limits::LIMITED_RUNS;
use crate::sync::lock;
pub(super) use find::Parent;
use find::{Parents, Surroundings};

/// The control groups that one engine makes. Finds out with the first limit where they can be.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// The control group of version 2 in which groups are made, if it is not to be searched for.
    root: Option<PathBuf>,
    parents: OnceLock<Parents>,
    held: Arc<Held>,
}

/// The groups that exist.
#[derive(Debug, Default)]
struct Held {
    count: AtomicUsize,
    /// The directories of runs that have ended and have left processes in the background.
    populated: Mutex<Vec<PathBuf>>,
}

impl Groups {
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Self {
            root,
            ..Self::default()
        }
    }

    /// Removes the groups that engines of this machine have left whose processes have ended.
    pub(crate) fn remove_abandoned(&self) {
        let directories = Surroundings::here(self.root.as_deref()).directories();
        abandoned::remove(&directories);
    }

    /// Makes what enforces `limits`; `launchers` are processes of ours that are in the group besides those of the run.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] for the first limit that cannot be enforced.
    pub(crate) fn confine(
        &self,
        limits: &Limits,
        launchers: u32,
    ) -> Result<Confinement, LimitError> {
        let settings = self.settings(limits, launchers)?;
        let group = if settings.is_empty() {
            None
        } else {
            Some(Group::make(&self.held, &settings)?)
        };
        Ok(Confinement::new(*limits, group))
    }

    /// Returns where each of `limits` that a control group enforces is set, and to what.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] for the first limit that cannot be enforced.
    pub(super) fn settings(
        &self,
        limits: &Limits,
        launchers: u32,
    ) -> Result<Vec<(&Parent, Limit, u64)>, LimitError> {
        let mut settings = Vec::new();
        for limit in Limit::ALL {
            if let Some(value) = limits.get(limit)
                && Mechanism::is_of_groups(limit)
            {
                let value = match limit {
                    Limit::Processes => value + u64::from(launchers),
                    _ => value,
                };
                settings.push((self.parent(limit)?, limit, value));
            }
        }
        Ok(settings)
    }

    /// Returns what enforces a limit.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::Unavailable`] if nothing does.
    pub(crate) fn mechanism(&self, limit: Limit) -> Result<Mechanism, LimitError> {
        if Mechanism::is_of_groups(limit) {
            Ok(self.parent(limit)?.mechanism())
        } else {
            Ok(Mechanism::Rlimit)
        }
    }

    fn parent(&self, limit: Limit) -> Result<&Parent, LimitError> {
        let parents = self.parents.get_or_init(|| {
            self.remove_abandoned();
            Parents::find(&Surroundings::here(self.root.as_deref()))
        });
        let unavailable = |reason: &String| LimitError::Unavailable {
            limit,
            reason: reason.clone(),
        };
        parents.of(limit).map_err(unavailable)
    }
}

impl Mechanism {
    fn is_of_groups(limit: Limit) -> bool {
        matches!(limit, Limit::Memory | Limit::Processes | Limit::Cpus)
    }
}

impl Held {
    /// Counts one more group.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::TooMany`] at the limit.
    fn add(&self) -> Result<(), LimitError> {
        self.sweep();
        // Relaxed: the count publishes nothing else.
        let add = |count| (count < LIMITED_RUNS).then_some(count + 1);
        let added = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.map(drop).map_err(|_| LimitError::TooMany)
    }

    /// Removes the directories of a group; those in which processes remain, later.
    fn remove(&self, directories: Vec<PathBuf>) {
        // Processes in the background keep their group busy until they end; they stay limited by
        // it.
        let left: Vec<_> = { directories.into_iter() }
            .filter(|directory| !is_removed(directory))
            .collect();
        if left.is_empty() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        // Each directory of one group has the same processes: the last one stands for the group.
        self.populated().extend(left);
        self.sweep();
    }

    /// Removes the directories whose processes have ended meanwhile.
    fn sweep(&self) {
        let mut populated = self.populated();
        if populated.is_empty() {
            return;
        }
        let groups = |directories: &[PathBuf]| {
            let names = directories.iter().filter_map(|path| path.file_name());
            names.collect::<std::collections::HashSet<_>>().len()
        };
        let before = groups(&populated);
        let left: Vec<_> = populated
            .drain(..)
            .filter(|path| !is_removed(path))
            .collect();
        *populated = left;
        let removed = before - groups(&populated);
        self.count.fetch_sub(removed, Ordering::Relaxed);
    }

    fn populated(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        lock(&self.populated)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// Removes a group's directory; returns whether it is not there any more.
fn is_removed(directory: &Path) -> bool {
    match std::fs::remove_dir(directory) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
