//! Names of the directories of groups, which say which process has made them: those of one that was killed are removed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::is_removed;
use crate::procfs::Stat;

/// A process that makes groups, distinguishable from all others of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Maker {
    /// The number of the process namespace in which `pid` is a process.
    namespace: u64,
    pid: u32,
    start: u64,
}

/// Returns a new name.
pub(super) fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}", *SELF)
}

/// Removes the groups in these directories whose makers have ended and that have no processes.
pub(super) fn remove(directories: &[PathBuf]) {
    for directory in directories {
        remove_in(directory);
    }
}

fn remove_in(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let maker = entry.file_name().to_str().and_then(maker);
        // The kernel refuses to remove a group that has processes (`EBUSY`), so nothing that still
        // runs is affected.
        if maker.is_some_and(|maker| maker.has_ended()) && is_removed(&entry.path()) {
            tracing::warn!(
                group = %entry.path().display(),
                "a daemon was killed here: removed a control group that it had made"
            );
        }
    }
}

/// Returns the maker that a name has.
fn maker(name: &str) -> Option<Maker> {
    let mut numbers = name.strip_prefix(PREFIX)?.split('-');
    let mut next = || numbers.next()?.parse::<u64>().ok();
    let (namespace, pid, start, _number) = (next()?, next()?, next()?, next()?);
    let pid = u32::try_from(pid).ok()?;
    Some(Maker {
        namespace,
        pid,
        start,
    })
}

impl Maker {
    /// Returns whether it is known to have ended: processes of other namespaces cannot be seen.
    fn has_ended(self) -> bool {
        // 0 stands for an unknown namespace; two unknown ones need not be the same.
        self.namespace != 0
            && self.namespace == SELF.namespace
            && start_of(self.pid) != Some(self.start)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.namespace, self.pid, self.start)
    }
}

static SELF: LazyLock<Maker> = LazyLock::new(|| {
    let pid = std::process::id();
    Maker {
        namespace: namespace().unwrap_or_default(),
        pid,
        start: start_of(pid).unwrap_or_default(),
    }
});

/// Returns the number of this process's process namespace.
fn namespace() -> Option<u64> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let link = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    link.parse().ok()
}

fn start_of(pid: u32) -> Option<u64> {
    Stat::of(pid).filter(Stat::is_live).map(|stat| stat.start)
}

const PREFIX: &str = "sandbox-run-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_processes_that_have_ended_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let ended = Maker {
            start: SELF.start + 1,
            ..*SELF
        };
        let elsewhere = Maker {
            namespace: 1,
            ..ended
        };
        let own = name();
        let kept = [
            own.as_str(),
            &format!("{PREFIX}{elsewhere}-0"),
            "sandbox-run-x",
            "other",
        ];
        for name in kept {
            std::fs::create_dir(home.path().join(name)).unwrap();
        }
        std::fs::create_dir(home.path().join(format!("{PREFIX}{ended}-7"))).unwrap();
        remove(&[home.path().to_owned(), home.path().join("missing")]);
        let names = std::fs::read_dir(home.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let mut expect = kept.map(std::ffi::OsString::from);
        expect.sort();
        assert_eq!(names, expect);
        assert_ne!(name(), own);
    }
}
