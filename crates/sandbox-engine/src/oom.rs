//! Whether the kernel has ended processes for want of memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Watches the counter of this process's control group, in which its children are, too.
#[derive(Debug)]
pub(crate) struct OomCounter {
    /// The file that has it; `None` where no control group can be read.
    file: Option<PathBuf>,
    seen: AtomicU64,
}

impl OomCounter {
    pub(crate) fn of_this_process() -> Self {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let file = candidates(&groups)
            .into_iter()
            .find(|file| read(file).is_some());
        let seen = file.as_deref().and_then(read).unwrap_or_default();
        Self {
            file,
            seen: seen.into(),
        }
    }

    /// Whether it has risen since it was asked last. To be asked when a process was killed: reads a file.
    pub(crate) fn has_risen(&self) -> bool {
        let Some(now) = self.file.as_deref().and_then(read) else {
            return false;
        };
        now > self.seen.swap(now, Ordering::Relaxed)
    }
}

/// Where the counter may be. A container often sees its own group as the root.
fn candidates(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        // `hierarchy:controllers:path`, of cgroups(7).
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.events"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.oom_control")
            }
            _ => continue,
        };
        files.push(
            Path::new(root)
                .join(path.trim_start_matches('/'))
                .join(file),
        );
        files.push(Path::new(root).join(file));
    }
    files
}

fn read(file: &Path) -> Option<u64> {
    parse(&std::fs::read_to_string(file).ok()?)
}

/// The line `oom_kill 3` of either file.
fn parse(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_both_versions() {
        let files = candidates("11:memory:/a/b\n4:cpu,cpuacct:/\n0::/c\n");
        let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let expect = [
            "/sys/fs/cgroup/memory/a/b/memory.oom_control",
            "/sys/fs/cgroup/memory/memory.oom_control",
            "/sys/fs/cgroup/c/memory.events",
            "/sys/fs/cgroup/memory.events",
        ];
        assert_eq!(files, expect);
        assert_eq!(
            parse("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
            Some(3)
        );
        assert_eq!(
            parse("low 0\nhigh 0\nmax 1\noom 1\noom_kill 1\noom_group_kill 0\n"),
            Some(1)
        );
        assert_eq!(parse("oom_kill x"), None);
    }

    #[test]
    fn a_rise_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("memory.events");
        std::fs::write(&file, "oom_kill 1\n").unwrap();
        let counter = OomCounter {
            file: Some(file.clone()),
            seen: 1.into(),
        };
        assert!(!counter.has_risen());
        std::fs::write(&file, "oom_kill 2\n").unwrap();
        assert!(counter.has_risen());
        assert!(!counter.has_risen());
        std::fs::remove_file(&file).unwrap();
        assert!(!counter.has_risen());
    }
}
