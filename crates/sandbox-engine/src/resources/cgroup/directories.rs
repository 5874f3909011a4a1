//! The directories of a control group, in which its limits are set.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::description::Limit;
use super::find::{Parent, Version};
use crate::limits::CPU_PERIOD;
use crate::oom;
use crate::procfs;
use crate::spawner::GroupEntry;

/// The directories of one control group: one in each hierarchy that it needs.
#[derive(Debug, Default)]
pub(in super::super) struct Directories {
    paths: Vec<PathBuf>,
    entries: Vec<GroupEntry>,
    memory: Option<(Version, PathBuf)>,
    processes: Option<PathBuf>,
    cpus: Option<(Version, PathBuf)>,
}

impl Directories {
    /// Returns the directories of a group that exists, whose limits can be read and set.
    pub(in super::super) fn at(paths: Vec<PathBuf>) -> Self {
        let of = |limit| {
            paths.iter().find_map(|path| {
                // The versions have files of different names, which show the version. Only
                // `pids.max` is in both, where it makes no difference.
                let mut versions = [Version::One, Version::Two].into_iter();
                let version = versions.find(|version| path.join(version.file(limit)).exists())?;
                Some((version, path.clone()))
            })
        };
        Self {
            memory: of(Limit::Memory),
            processes: of(Limit::Processes).map(|(_, path)| path),
            cpus: of(Limit::Cpus),
            entries: Vec::new(),
            paths,
        }
    }

    /// Sets a limit in the directory `name` below `parent`, which is created with the first limit in it.
    pub(in super::super) fn add(
        &mut self,
        parent: &Parent,
        name: &str,
        limit: Limit,
        value: u64,
    ) -> io::Result<()> {
        let directory = parent.directory.join(name);
        if !self.paths.contains(&directory) {
            std::fs::create_dir(&directory)?;
            self.paths.push(directory.clone());
            // Opened here: between `fork` and `execve` the child only has to write to it.
            self.entries.push(entry(parent.version, &directory)?);
        }
        let version = parent.version;
        match limit {
            Limit::Memory => self.memory = Some((version, directory)),
            Limit::Processes => self.processes = Some(directory),
            _ => self.cpus = Some((version, directory)),
        }
        self.set(limit, value)
    }

    /// Sets a limit that was set before.
    pub(in super::super) fn set(&self, limit: Limit, value: u64) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match limit {
            Limit::Memory => {
                let (version, directory) = self.memory.as_ref().ok_or_else(missing)?;
                set_memory(*version, directory, value)
            }
            Limit::Processes => {
                let directory = self.processes.as_ref().ok_or_else(missing)?;
                write(directory, Version::Two.file(limit), &value.to_string())
            }
            _ => {
                let (version, directory) = self.cpus.as_ref().ok_or_else(missing)?;
                set_cpus(*version, directory, value)
            }
        }
    }

    pub(in super::super) fn entries(&self) -> Vec<GroupEntry> {
        self.entries.clone()
    }

    pub(in super::super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(in super::super) fn into_paths(self) -> Vec<PathBuf> {
        self.paths
    }

    /// Returns the number of processes that were killed because of the memory limit.
    pub(in super::super) fn memory_kills(&self) -> u64 {
        let text = self.memory_events().map(procfs::read_to_string);
        let text = text.and_then(Result::ok);
        text.and_then(|text| oom::parse(&text)).unwrap_or(0)
    }

    /// Returns the file in which the kernel counts those processes.
    pub(in super::super) fn memory_events(&self) -> Option<PathBuf> {
        let (version, directory) = self.memory.as_ref()?;
        Some(directory.join(match version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        }))
    }

    /// Returns the largest memory of all processes together; `None` if the kernel does not count it.
    pub(in super::super) fn peak_memory(&self) -> Option<u64> {
        let (version, directory) = self.memory.as_ref()?;
        let file = match version {
            Version::One => "memory.max_usage_in_bytes",
            // Since Linux 5.19.
            Version::Two => "memory.peak",
        };
        let text = procfs::read_to_string(directory.join(file)).ok()?;
        text.trim().parse().ok()
    }

    /// Returns the number of forks that have failed because of the process limit.
    pub(in super::super) fn refused_forks(&self) -> u64 {
        let Some(directory) = &self.processes else {
            return 0;
        };
        let text = procfs::read_to_string(directory.join("pids.events")).unwrap_or_default();
        let mut counts = text.lines().filter_map(|line| line.strip_prefix("max "));
        counts
            .next()
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    }
}

/// Opens a group for processes that are to be in it.
fn entry(version: Version, directory: &Path) -> io::Result<GroupEntry> {
    let open = |name| File::options().write(true).open(directory.join(name));
    // Not `cgroup.procs` where it can be helped: for that the kernel waits until no process of the machine starts, ends or executes,
    // for a grace period of RCU, which takes longer than all of a start.
    Ok(match version {
        Version::One => GroupEntry {
            file: Arc::new(open("tasks")?.into()),
            directory: None,
        },
        Version::Two => GroupEntry {
            file: Arc::new(open("cgroup.procs")?.into()),
            directory: Some(Arc::new(File::open(directory)?.into())),
        },
    })
}

/// Limits memory and swap together.
fn set_memory(version: Version, group: &Path, bytes: u64) -> io::Result<()> {
    let bytes = bytes.to_string();
    let memory = || write(group, version.file(Limit::Memory), &bytes);
    let (swap, most) = match version {
        // Of memory and swap together.
        Version::One => ("memory.memsw.limit_in_bytes", bytes.as_str()),
        Version::Two => ("memory.swap.max", "0"),
    };
    let swap = || match write(group, swap, most) {
        // This kernel does not account for swap.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    match memory() {
        // Of version 1 neither may be beyond the other at any time, so one that grows comes second.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            swap()?;
            memory()
        }
        done => done.and_then(|()| swap()),
    }
}

fn set_cpus(version: Version, group: &Path, millicpus: u64) -> io::Result<()> {
    let period = CPU_PERIOD.as_micros();
    let quota = u128::from(millicpus) * period / 1000;
    match version {
        Version::One => {
            write(group, "cpu.cfs_period_us", &period.to_string())?;
            write(group, "cpu.cfs_quota_us", &quota.to_string())
        }
        Version::Two => write(group, "cpu.max", &format!("{quota} {period}")),
    }
}

/// Writes to a file of a group, which the kernel has made.
fn write(group: &Path, file: &str, text: &str) -> io::Result<()> {
    // Without `O_CREAT`, so that a file that the kernel does not have is `NotFound`, as
    // `set_memory` expects.
    let mut file = File::options().write(true).open(group.join(file))?;
    io::Write::write_all(&mut file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a group as the kernel makes them.
    fn group(files: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(home.path().join(file), "").unwrap();
        }
        home
    }

    #[test]
    fn limits_are_written_in_both_versions() {
        let read =
            |group: &tempfile::TempDir, file| std::fs::read_to_string(group.path().join(file));
        let one = group(&[
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "cpu.cfs_period_us",
            "cpu.cfs_quota_us",
        ]);
        set_memory(Version::One, one.path(), 1 << 20).unwrap();
        set_cpus(Version::One, one.path(), 1500).unwrap();
        assert_eq!(read(&one, "memory.limit_in_bytes").unwrap(), "1048576");
        assert_eq!(
            read(&one, "memory.memsw.limit_in_bytes").unwrap(),
            "1048576"
        );
        assert_eq!(read(&one, "cpu.cfs_period_us").unwrap(), "100000");
        assert_eq!(read(&one, "cpu.cfs_quota_us").unwrap(), "150000");

        let two = group(&["memory.max", "memory.swap.max", "cpu.max"]);
        set_memory(Version::Two, two.path(), 1 << 20).unwrap();
        set_cpus(Version::Two, two.path(), 10).unwrap();
        assert_eq!(read(&two, "memory.max").unwrap(), "1048576");
        assert_eq!(read(&two, "memory.swap.max").unwrap(), "0");
        assert_eq!(read(&two, "cpu.max").unwrap(), "1000 100000");

        // Without an account of swap the limit is that of memory alone; without a controller there is none.
        set_memory(Version::Two, group(&["memory.max"]).path(), 1 << 20).unwrap();
        set_memory(Version::Two, group(&[]).path(), 1 << 20).unwrap_err();
    }

    #[test]
    fn counts_are_read() {
        let home = group(&[]);
        let file = |name: &str| home.path().join(name);
        std::fs::write(file("memory.events"), "low 0\nmax 9\noom 3\noom_kill 2\n").unwrap();
        std::fs::write(file("memory.peak"), "4096\n").unwrap();
        std::fs::write(file("pids.events"), "max 5\n").unwrap();
        let group = Directories {
            memory: Some((Version::Two, home.path().to_owned())),
            processes: Some(home.path().to_owned()),
            ..Directories::default()
        };
        assert_eq!(group.memory_kills(), 2);
        assert_eq!(group.peak_memory(), Some(4096));
        assert_eq!(group.refused_forks(), 5);
    }
}
