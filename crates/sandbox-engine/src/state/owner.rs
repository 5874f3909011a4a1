//! The owner of a private directory, stored in a file in it: for the next engine there, should this process be killed.

use std::io::{self, Read, Write};

use super::directory::Directory;
use crate::procfs::Stat;
use crate::tag::Instance;
use crate::tree::Tree;

/// The engine that created a directory, and its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: u32,
    /// The start time of the process, which distinguishes it from a later one with the same number.
    start: u64,
    /// The boot id: numbers of processes and labels are invalid after a restart of the machine.
    boot: String,
    instance: Instance,
}

impl Owner {
    /// Returns the owner for an engine of this process.
    pub(super) fn here(instance: Instance) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            start: start_of(pid),
            boot: boot(),
            instance,
        }
    }

    pub(super) fn write(&self, directory: &Directory) -> io::Result<()> {
        let Self {
            pid,
            start,
            boot,
            instance,
        } = self;
        let text = format!("pid {pid}\nstart {start}\nboot {boot}\ninstance {instance}\n");
        directory.create(FILE)?.write_all(text.as_bytes())
    }

    pub(super) fn read(directory: &Directory) -> Option<Self> {
        let mut text = String::new();
        let file = directory.read(FILE).ok()?;
        // Bounded, since programs of runs can write to the directory.
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find_map(|(key, value)| (key == name).then_some(value))
        };
        Some(Self {
            pid: value("pid")?.parse().ok()?,
            start: value("start")?.parse().ok()?,
            boot: value("boot")?.to_owned(),
            instance: Instance::parse(value("instance")?)?,
        })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.boot == boot() && start_of(self.pid) == self.start
    }

    /// Kills the engine's processes that are still alive; returns their number.
    pub(super) fn end(&self) -> usize {
        if self.boot == boot() {
            Tree::of_instance(self.instance).end_now()
        } else {
            0
        }
    }
}

/// Returns the start time of a process, 0 if there is none.
fn start_of(pid: u32) -> u64 {
    Stat::of(pid)
        .filter(Stat::is_live)
        .map_or(0, |stat| stat.start)
}

fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

const FILE: &[u8] = b"engine";

/// The maximum size of the file in bytes.
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(home.path()).unwrap();
        assert_eq!(Owner::read(&directory), None);
        let owner = Owner::here(Instance::draw());
        owner.write(&directory).unwrap();
        assert_eq!(Owner::read(&directory), Some(owner.clone()));
        assert!(owner.is_alive());
        let earlier = Owner {
            start: owner.start - 1,
            ..owner.clone()
        };
        assert!(!earlier.is_alive());
        let before_the_boot = Owner {
            boot: "x".to_owned(),
            ..owner
        };
        assert!(!before_the_boot.is_alive());
    }
}
