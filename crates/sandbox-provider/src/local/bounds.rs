//! What each sandbox may use of this machine: a control group of its own.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox_engine::resources::{LastingGroup, LastingGroups, Limit, LimitError, Limits};

use super::Inner;
use super::blocking::blocking;
use super::store::Store;
use crate::error::Error;
use crate::limits::{LEAST_MEMORY, PROCESSES};
use crate::sandbox::{Resources, Sandbox, SandboxId};

/// Limits sandboxes.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    groups: LastingGroups,
    wanted: Wanted,
}

/// The limits of sandboxes whose description has none, if the provider was configured so.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) memory: Option<u64>,
    pub(super) processes: Option<u32>,
    /// The control group of version 2 for all of them.
    pub(super) cgroup: Option<PathBuf>,
}

impl Bounds {
    /// Returns the bounds of a provider.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unsupported`] if a limit was configured that cannot be enforced.
    pub(super) fn new(wanted: Wanted) -> Result<Self, Error> {
        let groups = LastingGroups::new(wanted.cgroup.clone());
        let asked = [
            (Limit::Memory, wanted.memory.is_some()),
            (Limit::Processes, wanted.processes.is_some()),
        ];
        for (limit, is_asked) in asked {
            if is_asked || wanted.cgroup.is_some() {
                groups.mechanism(limit).map_err(refused)?;
            }
        }
        if let Some(memory) = wanted.memory {
            least(memory)?;
        }
        Ok(Self { groups, wanted })
    }

    /// Returns which limits no sandbox has here, and why.
    pub(super) fn warning(&self) -> Option<String> {
        let limits = [Limit::Memory, Limit::Processes, Limit::Cpus].into_iter();
        let refused = limits.filter_map(|limit| Some((limit, self.groups.mechanism(limit).err()?)));
        let refused: Vec<_> = refused.collect();
        let (_, error) = refused.first()?;
        let names = refused.iter().map(|(limit, _)| limit.to_string());
        Some(format!(
            "sandboxes have no limit of {}: {error}",
            names.collect::<Vec<_>>().join(", ")
        ))
    }

    /// Adds what a sandbox has whose description says nothing, as far as it can be enforced.
    pub(super) fn complete(&self, resources: &mut Resources) {
        let can = |limit| self.groups.mechanism(limit).is_ok();
        if resources.memory.is_none() && can(Limit::Memory) {
            resources.memory = self.wanted.memory.or_else(half_of_memory);
        }
        if resources.cpus.is_none() && can(Limit::Cpus) {
            resources.cpus = processors();
        }
    }

    /// Checks that what is asked for can be enforced.
    pub(super) fn check(&self, resources: &Resources) -> Result<(), Error> {
        if resources.disk.is_some() {
            return Err(Error::unsupported(
                "a sandbox of this machine has no limit of its disk: its files are in a directory of the machine's file \
                 system, which has no quota for one; help: leave it out",
            ));
        }
        if let Some(memory) = resources.memory {
            least(memory)?;
        }
        if resources.cpus == Some(0) {
            return Err(Error::invalid("a sandbox has at least one processor"));
        }
        let limits = limits(resources);
        for limit in [Limit::Memory, Limit::Cpus] {
            if limits.get(limit).is_some() {
                self.groups.mechanism(limit).map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Makes the control group of a sandbox that is to be started; `None` where nothing is limited.
    pub(super) fn make(
        &self,
        store: &Store,
        sandbox: &Sandbox,
    ) -> Result<Option<Arc<LastingGroup>>, Error> {
        remove(store, &sandbox.id)?;
        let mut limits = limits(&sandbox.spec.resources);
        if self.groups.mechanism(Limit::Processes).is_ok() {
            limits.processes = Some(self.wanted.processes.unwrap_or(PROCESSES));
        }
        if limits.is_empty() {
            return Ok(None);
        }
        let name = format!("sandbox-{}", sandbox.id);
        let planned = self.groups.plan(&name, &limits).map_err(refused)?;
        // First, so that the next provider finds them if this process is killed now.
        let stored = fs::write(file(store, &sandbox.id), encode(&planned.paths()));
        stored.map_err(|error| Error::of_files("cannot store the control group", error))?;
        planned.make().map(Arc::new).map(Some).map_err(refused)
    }

    /// Applies other limits to a sandbox that runs.
    pub(super) fn change(
        store: &Store,
        id: &SandboxId,
        resources: &Resources,
    ) -> Result<(), Error> {
        let limits = limits(resources);
        match group(store, id)? {
            _ if limits.is_empty() => Ok(()),
            Some(group) => group.change(&limits).map_err(refused),
            None => Err(Error::unsupported(
                "the sandbox was started without limits; help: stop it first",
            )),
        }
    }
}

impl Inner {
    /// Returns why a sandbox has ended by itself.
    pub(super) fn reason(&self, id: &SandboxId) -> String {
        let mut reason = "the sandbox ended by itself".to_owned();
        let kills = memory_kills(&self.store, id);
        if kills > 0 {
            let kills = kills.to_string();
            reason.extend(["; its memory limit has killed processes of it: ", &kills]);
        }
        let end = self.store.end_of_log(id);
        if !end.is_empty() {
            reason.extend([": ", &end]);
        }
        reason
    }

    /// Removes the control group of a sandbox that has ended. What cannot be removed is left to its next start, or to its removal.
    pub(super) async fn remove_group(&self, id: &SandboxId) {
        let (store, ended) = (Arc::clone(&self.store), id.clone());
        if let Err(error) = blocking(move || remove(&store, &ended)).await {
            tracing::warn!(%id, %error, "the control group of a sandbox is left");
        }
    }

    /// Removes the control group and the files of a sandbox that has ended.
    pub(super) async fn remove_all(&self, id: &SandboxId) -> Result<(), Error> {
        let (store, ended) = (Arc::clone(&self.store), id.clone());
        // The group first: the file that names it is one of those.
        blocking(move || remove(&store, &ended).and_then(|()| store.remove(&ended))).await
    }
}

/// Returns how many processes of a sandbox the kernel has killed because memory ran out.
fn memory_kills(store: &Store, id: &SandboxId) -> u64 {
    let group = group(store, id).ok().flatten();
    group.map_or(0, |group| group.memory_kills())
}

/// Removes the control group of a sandbox that does not run, if it has one.
fn remove(store: &Store, id: &SandboxId) -> Result<(), Error> {
    let failed = |error| Error::failed("cannot remove the control group of the sandbox", error);
    if let Some(group) = group(store, id)? {
        group.remove().map_err(failed)?;
        fs::remove_file(file(store, id)).map_err(failed)?;
    }
    Ok(())
}

fn group(store: &Store, id: &SandboxId) -> Result<Option<LastingGroup>, Error> {
    match fs::read(file(store, id)) {
        Ok(bytes) => Ok(Some(LastingGroup::at(decode(&bytes)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::failed("cannot read the control group", error)),
    }
}

/// Returns the file with the directories of a sandbox's control group.
fn file(store: &Store, id: &SandboxId) -> PathBuf {
    store.data(id).join("group-directories")
}

fn encode(paths: &[PathBuf]) -> Vec<u8> {
    let paths = paths.iter().map(|path| path.as_os_str().as_bytes());
    paths.flat_map(|path| [path, b"\0"].concat()).collect()
}

fn decode(bytes: &[u8]) -> Vec<PathBuf> {
    // What was not written to its end was not made.
    let mut paths: Vec<_> = bytes.split(|byte| *byte == 0).collect();
    paths.pop();
    let paths = paths.into_iter().map(<[u8]>::to_vec);
    paths
        .map(|path| std::ffi::OsString::from_vec(path).into())
        .collect()
}

fn limits(resources: &Resources) -> Limits {
    Limits {
        memory_bytes: resources.memory,
        millicpus: resources.cpus.map(|cpus| cpus.saturating_mul(1000)),
        ..Limits::default()
    }
}

fn least(memory: u64) -> Result<(), Error> {
    if memory >= LEAST_MEMORY {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "a sandbox has at least {} MiB of memory",
            LEAST_MEMORY >> 20
        )))
    }
}

fn refused(error: LimitError) -> Error {
    match error {
        LimitError::Unavailable { .. } => Error::unsupported(error.to_string()),
        LimitError::OutOfRange { .. } | LimitError::AboveDefault { .. } => {
            Error::invalid(error.to_string())
        }
        error => Error::failed("cannot limit the sandbox", error),
    }
}

/// Returns half of the machine's memory, so that one sandbox does not take it all.
fn half_of_memory() -> Option<u64> {
    let text = fs::read_to_string(Path::new("/proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes * 1024 / 2).max(LEAST_MEMORY))
}

fn processors() -> Option<u32> {
    let count = std::thread::available_parallelism().ok()?;
    u32::try_from(count.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_groups_are_stored() {
        let paths: Vec<PathBuf> = vec!["/sys/fs/cgroup/pids/a\nb".into(), "/c".into()];
        let bytes = encode(&paths);
        assert_eq!(decode(&bytes), paths);
        // Written in part: the second one was not made yet.
        assert_eq!(decode(bytes.get(..bytes.len() - 1).unwrap()), paths[..1]);
        assert!(decode(b"").is_empty());
    }

    #[test]
    fn what_cannot_be_limited_is_refused() {
        let bounds = Bounds::default();
        let mut resources = Resources::default();
        bounds.check(&resources).unwrap();
        resources.disk = Some(1);
        let error = bounds.check(&resources).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("no quota"), "{error}");
        for (memory, cpus) in [(Some(LEAST_MEMORY - 1), None), (None, Some(0))] {
            let resources = Resources {
                memory,
                cpus,
                ..Resources::default()
            };
            let error = bounds.check(&resources).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{error}");
        }
        // A group that does not exist enforces nothing.
        let nowhere = || Wanted {
            cgroup: Some("/nonexistent/group".into()),
            ..Wanted::default()
        };
        let error = Bounds::new(nowhere()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let bounds = Bounds {
            groups: LastingGroups::new(nowhere().cgroup),
            wanted: Wanted::default(),
        };
        for (memory, cpus) in [(Some(1 << 30), None), (None, Some(1))] {
            let resources = Resources {
                memory,
                cpus,
                ..Resources::default()
            };
            let error = bounds.check(&resources).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains("help: "), "{error}");
        }
        let mut resources = Resources::default();
        bounds.complete(&mut resources);
        assert_eq!(resources, Resources::default());
    }
}
