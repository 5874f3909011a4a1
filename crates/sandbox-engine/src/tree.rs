//! The processes that belong to a run, found through `/proc`.

use std::collections::HashSet;
use std::io;

use crate::tag::Tag;
use rustix::process::{Pid, PidfdFlags, Signal};

/// A live process, told apart from a later one with the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pid: u32,
    start: u64,
    state: u8,
}

impl Member {
    /// Whether it is running, about to run, or in the middle of a system call that will end: it may still write.
    pub(crate) fn is_busy(self) -> bool {
        matches!(self.state, b'R' | b'D')
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    pub(crate) fn signal_or_warn(self, signal: Signal) {
        if let Err(error) = self.signal(signal) {
            tracing::warn!(pid = self.pid, ?signal, %error, "cannot signal a process");
        }
    }

    /// Signals this very process; one that has ended meanwhile is not an error.
    fn signal(self, signal: Signal) -> io::Result<()> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        let gone = |error: io::Error| match error.raw_os_error() {
            Some(libc::ESRCH) => Ok(()),
            _ => Err(error),
        };
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(error) => return gone(error.into()),
        };
        // The descriptor names one process for good; if it is not the one that was found, that one has ended.
        match read_stat(self.pid) {
            Some(stat) if stat.start == self.start => {}
            _ => return Ok(()),
        }
        rustix::process::pidfd_send_signal(&pidfd, signal).or_else(|error| gone(error.into()))
    }
}

/// The live processes of the run that `leader` leads: its descendants, its group and its session.
///
/// `leader` may have ended, but must not have been reaped if this is to kill: its number could be another's.
/// A process that left the group *and* whose parents have ended is not found.
pub(crate) fn members(leader: u32) -> Vec<Member> {
    let all = read_all();
    let mut inside = HashSet::from([leader]);
    let belongs = |stat: &Stat, inside: &HashSet<u32>| {
        stat.group == leader || stat.session == leader || inside.contains(&stat.parent)
    };
    // Until nothing is added: /proc is in order of process id, and a child's may be smaller than its parent's.
    loop {
        let before = inside.len();
        for stat in &all {
            if belongs(stat, &inside) {
                inside.insert(stat.pid);
            }
        }
        if inside.len() == before {
            break;
        }
    }
    all.iter()
        .filter(|stat| inside.contains(&stat.pid) && !matches!(stat.state, b'Z' | b'X'))
        .map(|stat| Member {
            pid: stat.pid,
            start: stat.start,
            state: stat.state,
        })
        .collect()
}

/// The live processes with one of the tags.
pub(crate) fn tagged(tags: &HashSet<Tag>) -> Vec<Member> {
    read_all()
        .iter()
        .filter(|stat| !matches!(stat.state, b'Z' | b'X'))
        .filter(|stat| Tag::of(stat.pid).is_some_and(|tag| tags.contains(&tag)))
        .map(|stat| Member {
            pid: stat.pid,
            start: stat.start,
            state: stat.state,
        })
        .collect()
}

/// Signals every member of the run that `leader` leads, and tells how many there were.
pub(crate) fn signal(leader: u32, signal: Signal) -> usize {
    let members = members(leader);
    for member in &members {
        if let Err(error) = member.signal(signal) {
            tracing::warn!(pid = member.pid, ?signal, %error, "cannot signal a process");
        }
    }
    members.len()
}

struct Stat {
    pid: u32,
    state: u8,
    parent: u32,
    group: u32,
    session: u32,
    start: u64,
}

fn read_all() -> Vec<Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read_stat)
        .collect()
}

fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads a line of proc_pid_stat(5). The second field is the program's name in parentheses, which may itself hold
/// blanks and parentheses, so fields are counted from the last one.
fn parse_stat(pid: u32, line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&line[after_name..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    Some(Stat {
        pid,
        state: *fields.next()?.as_bytes().first()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        // starttime is field 22 of the line, and four were taken after the second.
        start: fields.nth(15)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_with_a_hostile_name() {
        let line = b"7 (a) R 1 (b)) S 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9988 1 2";
        let stat = parse_stat(7, line).unwrap();
        assert_eq!(
            (stat.state, stat.parent, stat.group, stat.session),
            (b'S', 3, 4, 5)
        );
        assert_eq!(stat.start, 9988);
        assert!(parse_stat(7, b"7 (x) S 1").is_none());
        assert!(parse_stat(7, b"").is_none());
    }

    #[test]
    fn finds_this_very_process() {
        let me = std::process::id();
        assert!(members(me).iter().any(|member| member.pid == me));
    }
}
