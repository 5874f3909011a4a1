//! Detects whether the kernel has killed processes because it was out of memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::procfs;
use crate::termination::Termination;

/// The number of out-of-memory kills in this process's control group, which its children share.
#[derive(Debug)]
pub(crate) struct OomKills(Option<File>);

impl OomKills {
    /// Finds the counter. Without control groups or their file system there is none, and the count stays 0.
    pub(crate) fn find() -> Self {
        let groups = procfs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let files = candidates(&groups);
        let mut files = files.iter().filter_map(|path| File::open(path).ok());
        Self(files.find(|file| read(file).is_some()))
    }

    /// Takes the counter from a file of a control group, `memory.events` or `memory.oom_control`.
    pub(crate) fn of(file: File) -> Self {
        Self(Some(file))
    }

    /// Returns the current count, to compare with a later one. Costs 2 us.
    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().and_then(read).unwrap_or_default()
    }

    /// Sets `termination` to out of memory if it is a death by a KILL that this process did not send and the kernel has killed
    /// since the count was `before`.
    ///
    /// An unrelated KILL, while another process of the control group ran out of memory, is mistaken for it.
    pub(crate) fn explain(&self, termination: &mut Termination, before: u64) {
        if let Termination::Signaled { signal, .. } = termination
            && *signal == libc::SIGKILL
            && self.count() > before
        {
            *termination = Termination::OutOfMemory;
        }
    }
}

/// Returns the possible paths of the counter. A container often sees its own group as the root.
pub(crate) fn candidates(groups: &str) -> Vec<PathBuf> {
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

fn read(file: &File) -> Option<u64> {
    // Both files are a few short lines.
    let mut text = [0; 1024];
    // The kernel makes the text anew for each read at its beginning, so the file stays open.
    let count = file.read_at(&mut text, 0).ok()?;
    parse(std::str::from_utf8(&text[..count]).ok()?)
}

/// Parses the line `oom_kill 3` of either file.
pub(crate) fn parse(text: &str) -> Option<u64> {
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
    fn only_a_kill_while_the_count_rose_is_explained() {
        let killed = Termination::Signaled {
            signal: libc::SIGKILL,
            core_dumped: false,
        };
        let explained = |kills: &OomKills, mut termination, before| {
            kills.explain(&mut termination, before);
            termination
        };
        assert_eq!(explained(&OomKills(None), killed.clone(), 0), killed);

        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"oom_kill 3\n").unwrap();
        let kills = OomKills(Some(file));
        assert_eq!(explained(&kills, killed.clone(), 3), killed);
        assert_eq!(explained(&kills, killed, 2), Termination::OutOfMemory);
        let exited = Termination::Exited { code: 137 };
        assert_eq!(explained(&kills, exited.clone(), 2), exited);
    }
}
