//! Control groups that outlive the process that has made them.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::cgroup::{Directories, Groups, Parent};
use super::description::{Limit, Limits, Mechanism};
use super::error::LimitError;
use crate::limits::GROUP_REMOVAL;
use crate::spawner::GroupEntry;
use crate::tree::pause;

/// Makes the control groups of processes that outlive this one; see [`Detached`](crate::isolation::Detached).
///
/// Its calls block the thread: the kernel takes locks for them.
#[derive(Debug, Default)]
pub struct LastingGroups {
    groups: Groups,
}

impl LastingGroups {
    /// Returns a maker of groups in this control group of version 2, which must have been delegated to this user and has no processes
    /// itself; by default, where this process may make groups.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self {
            groups: Groups::new(root),
        }
    }

    /// Returns what enforces a limit; finds out with the first call.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::Unavailable`] if nothing does, or nothing that is a control group.
    pub fn mechanism(&self, limit: Limit) -> Result<Mechanism, LimitError> {
        match self.groups.mechanism(limit)? {
            Mechanism::Rlimit => Err(LimitError::Unavailable {
                limit,
                reason: "no control group has it".to_owned(),
            }),
            mechanism => Ok(mechanism),
        }
    }

    /// Describes a group with these limits. `name` is that of no other group: nothing is made yet, so that the paths can be stored first.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] if one of the limits is out of range or cannot be enforced.
    pub fn plan(&self, name: &str, limits: &Limits) -> Result<PlannedGroup, LimitError> {
        let limits = limits.within(&Limits::default())?;
        for limit in Limit::ALL {
            if limits.get(limit).is_some() {
                self.mechanism(limit)?;
            }
        }
        let settings = self.groups.settings(&limits, 0)?;
        let settings = settings.into_iter();
        Ok(PlannedGroup {
            name: name.to_owned(),
            settings: settings
                .map(|(parent, limit, value)| (parent.clone(), limit, value))
                .collect(),
        })
    }
}

/// A group that is to be made.
#[derive(Debug)]
pub struct PlannedGroup {
    name: String,
    settings: Vec<(Parent, Limit, u64)>,
}

impl PlannedGroup {
    /// Returns the directories that are made.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> = { self.settings.iter() }
            .map(|(parent, ..)| parent.directory.join(&self.name))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Makes the group.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::Os`] with the limit that was not applied. Directories may be left at [`paths`](Self::paths).
    pub fn make(&self) -> Result<LastingGroup, LimitError> {
        let mut directories = Directories::default();
        for (parent, limit, value) in &self.settings {
            let added = directories.add(parent, &self.name, *limit, *value);
            added.map_err(|error| LimitError::os(*limit, error))?;
        }
        Ok(LastingGroup { directories })
    }
}

/// A control group that stays until it is [removed](Self::remove), whatever becomes of this process.
#[derive(Debug)]
pub struct LastingGroup {
    directories: Directories,
}

impl LastingGroup {
    /// Returns the group with these directories, which may have been made by another process.
    pub fn at(paths: Vec<PathBuf>) -> Self {
        Self {
            directories: Directories::at(paths),
        }
    }

    /// Sets other limits, at once, of those that it was made with. Those that are not in `limits` stay.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] if one is out of range, or the system does not apply it: a memory limit may be below what is in use.
    pub fn change(&self, limits: &Limits) -> Result<(), LimitError> {
        let limits = limits.within(&Limits::default())?;
        for limit in Limit::ALL {
            if let Some(value) = limits.get(limit) {
                let set = self.directories.set(limit, value);
                set.map_err(|error| LimitError::os(limit, error))?;
            }
        }
        Ok(())
    }

    /// Returns the number of its processes that the kernel has killed because of the memory limit.
    pub fn memory_kills(&self) -> u64 {
        self.directories.memory_kills()
    }

    /// Returns the number of forks that have failed because of the process limit.
    pub fn refused_forks(&self) -> u64 {
        self.directories.refused_forks()
    }

    /// Opens the file in which the kernel counts [these processes](Self::memory_kills), for a process that does not see it.
    /// `None` without a memory limit.
    pub fn memory_events(&self) -> Option<File> {
        File::open(self.directories.memory_events()?).ok()
    }

    pub(crate) fn entries(&self) -> Vec<GroupEntry> {
        self.directories.entries()
    }

    /// Removes the group, whose processes have ended. What does not exist is removed.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, after [`GROUP_REMOVAL`] if there are processes in it.
    pub fn remove(&self) -> io::Result<()> {
        let give_up = Instant::now() + GROUP_REMOVAL;
        for path in self.directories.paths() {
            remove(|| std::fs::remove_dir(path), give_up)?;
        }
        Ok(())
    }
}

/// Removes a directory, in which the kernel may count a process for a moment after its end has been reported.
fn remove(mut directory: impl FnMut() -> io::Result<()>, give_up: Instant) -> io::Result<()> {
    loop {
        match directory() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < give_up =>
            {
                pause();
            }
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_in_a_group_are_not_waited_for_without_end() {
        let busy = || Err(io::ErrorKind::ResourceBusy.into());
        let error = remove(busy, Instant::now()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        let mut results = [busy(), busy(), Ok(())].into_iter();
        remove(|| results.next().unwrap(), Instant::now() + GROUP_REMOVAL).unwrap();
        remove(|| Err(io::ErrorKind::NotFound.into()), Instant::now()).unwrap();
        remove(
            || Err(io::ErrorKind::PermissionDenied.into()),
            Instant::now(),
        )
        .unwrap_err();
    }

    #[test]
    fn a_group_has_no_limit_that_is_none_of_a_group() {
        let groups = LastingGroups::default();
        let error = groups.mechanism(Limit::OpenFiles).unwrap_err();
        assert_eq!(error.limit(), Limit::OpenFiles);
        let small = Limits {
            memory_bytes: Some(1),
            ..Limits::default()
        };
        let error = groups.plan("x", &small).unwrap_err();
        assert!(matches!(error, LimitError::OutOfRange { .. }), "{error}");
        let none = groups.plan("x", &Limits::default()).unwrap();
        assert!(none.paths().is_empty());
    }
}
