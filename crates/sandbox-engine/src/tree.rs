//! The processes that belong together: found by their tag and through `/proc`, signaled, ended.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::time::Instant;

use crate::limits::KILL_WAIT;
use crate::procfs::{self, Stat};
use crate::tag::Tag;

/// Which processes are meant; whenever it is asked, those that live then.
///
/// This process is never among them, whatever it descends from.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    leader: Option<u32>,
    tags: HashSet<Tag>,
    /// Never among them.
    spared: Option<u32>,
}

impl Tree {
    /// The run that `leader` leads: all with its tag, its group, its session, and all descendants of these.
    ///
    /// `leader` may have ended, but must not have been reaped if this is to kill: its number could be another's.
    pub(crate) fn of_run(leader: u32, tag: Option<Tag>) -> Self {
        Self {
            leader: Some(leader),
            tags: tag.into_iter().collect(),
            spared: None,
        }
    }

    /// All with one of these tags, and no others: a tenth of the cost of a run's.
    pub(crate) fn tagged(tags: impl IntoIterator<Item = Tag>) -> Self {
        Self {
            leader: None,
            tags: tags.into_iter().collect(),
            spared: None,
        }
    }

    /// All but this one.
    pub(crate) fn without(self, spared: u32) -> Self {
        Self {
            spared: Some(spared),
            ..self
        }
    }

    /// The live processes. Takes some 20 us per process on the machine; see [`tagged`](Self::tagged).
    pub(crate) fn members(&self) -> Vec<Member> {
        self.visit(|_| ())
    }

    /// Signals every live process, and tells which there were.
    pub(crate) fn signal(&self, signal: Signal) -> Vec<Member> {
        self.visit(|member| {
            if let Err(error) = member.signal(signal) {
                tracing::warn!(pid = member.pid, ?signal, %error, "cannot signal a process");
            }
        })
    }

    /// Ends every process: TERM, `grace`, KILL until none is left, and tells whether none is. After
    /// [`KILL_WAIT`] what is left is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, and may be begun anew.
    pub(crate) async fn end(&self, grace: Duration) -> bool {
        let mut left = self.off_thread(Self::terminate).await;
        let grace_ends = Instant::now() + grace;
        while left > 0 && Instant::now() < grace_ends {
            tokio::time::sleep(Duration::from_millis(5)).await;
            left = self.off_thread(|tree| tree.members().len()).await;
        }
        let give_up = Instant::now() + KILL_WAIT;
        while self.off_thread(Self::kill).await > 0 {
            if Instant::now() > give_up {
                tracing::error!(tree = ?self, "processes are left after KILL");
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }

    /// Signals every live process, on another thread.
    pub(crate) async fn send(&self, signal: Signal) -> usize {
        self.off_thread(move |tree| tree.signal(signal).len()).await
    }

    /// Whether one of them may still write something.
    pub(crate) async fn is_busy(&self) -> bool {
        let busy = |tree: &Self| {
            tree.members()
                .into_iter()
                .filter(|member| member.is_busy())
                .count()
        };
        self.off_thread(busy).await > 0
    }

    /// Signals every live process by KILL, until no new ones are found, and tells how many have not ended yet.
    fn kill(&self) -> usize {
        let give_up = Instant::now() + KILL_WAIT;
        let mut seen = HashSet::new();
        loop {
            let found = self.signal(Signal::KILL);
            let mut is_settled = true;
            for member in &found {
                is_settled &= !seen.insert((member.pid, member.start));
            }
            if is_settled || Instant::now() > give_up {
                return found.len();
            }
        }
    }

    fn terminate(&self) -> usize {
        let found = self.signal(Signal::TERM);
        // A stopped process takes no notice before it goes on.
        for member in found.iter().filter(|member| member.state == b'T') {
            if let Err(error) = member.signal(Signal::CONT) {
                tracing::debug!(pid = member.pid, %error, "cannot continue a process");
            }
        }
        found.len()
    }

    /// Reading /proc takes milliseconds on a busy machine.
    async fn off_thread(&self, work: impl FnOnce(&Self) -> usize + Send + 'static) -> usize {
        let tree = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&tree)).await;
        // A panic there has been reported, and the runtime refuses when it is shutting down.
        done.unwrap_or(0)
    }

    /// Finds the live processes, and shows each to `see` at once: what forks all the time must have no time to.
    fn visit(&self, mut see: impl FnMut(&Member)) -> Vec<Member> {
        let me = std::process::id();
        let mut found = Vec::new();
        let mut inside: HashSet<u32> = self.leader.into_iter().collect();
        let mut others = Vec::new();
        for pid in procfs::pids().filter(|pid| *pid != me && Some(*pid) != self.spared) {
            let tag = Tag::of(pid).filter(|tag| self.tags.contains(tag));
            if tag.is_none() && self.leader.is_none() {
                continue;
            }
            let Some(stat) = Stat::of(pid) else { continue };
            if tag.is_some() {
                inside.insert(pid);
                found.extend(Member::meet(&stat, tag, &mut see));
            } else {
                others.push(stat);
            }
        }
        // Until nothing is added: /proc is in order of process id, and a child's may be smaller than its parent's.
        loop {
            let before = others.len();
            others.retain(|stat| {
                let leads = |id| self.leader == Some(id);
                let belongs = [stat.pid, stat.group, stat.session].into_iter().any(leads)
                    || inside.contains(&stat.parent);
                if belongs {
                    inside.insert(stat.pid);
                    found.extend(Member::meet(stat, None, &mut see));
                }
                !belongs
            });
            if others.len() == before {
                return found;
            }
        }
    }
}

/// A live process, told apart from a later one with the same number by its tag or by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pid: u32,
    start: u64,
    tag: Option<Tag>,
    state: u8,
}

impl Member {
    fn meet(stat: &Stat, tag: Option<Tag>, see: &mut impl FnMut(&Self)) -> Option<Self> {
        let member = Self {
            pid: stat.pid,
            start: stat.start,
            tag,
            state: stat.state,
        };
        stat.is_live().then(|| {
            see(&member);
            member
        })
    }

    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it is running, about to run, or in the middle of a system call that will end: it may still write.
    fn is_busy(self) -> bool {
        matches!(self.state, b'R' | b'D')
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
        let is_it = match self.tag {
            Some(tag) => Tag::of(self.pid) == Some(tag),
            None => Stat::of(self.pid).is_some_and(|stat| stat.start == self.start),
        };
        if !is_it {
            return Ok(());
        }
        rustix::process::pidfd_send_signal(&pidfd, signal).or_else(|error| gone(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_is_never_a_member() {
        let me = std::process::id();
        let members = Tree::of_run(me, None).members();
        assert!(members.iter().all(|member| member.pid != me));
    }

    #[test]
    fn nobody_has_a_new_tag() {
        assert_eq!(Tree::tagged([Tag::next()]).members(), []);
        assert_eq!(Tree::tagged([]).members(), []);
    }
}
