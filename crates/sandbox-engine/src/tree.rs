//! Sets of related processes: found by tag and through `/proc`, signaled, ended.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::time::Instant;

use crate::limits::{HUNT, KILL_WAIT, WALK};
use crate::procfs::{self, Stat, process_id};
use crate::sys::{PidFd, group_of, session_of};
use crate::tag::{Instance, Tag};

/// A description of a set of processes; each query returns those that live at that time.
///
/// This process is never one of them, whatever it descends from.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    leader: Option<u32>,
    tags: HashSet<Tag>,
    /// Every tag of this instance matches.
    instance: Option<Instance>,
    /// Never one of them.
    spared: Option<u32>,
}

impl Tree {
    /// Creates the set of the run that `leader` leads: all with its tag, its group, its session, and all descendants of these.
    ///
    /// `leader` may have ended, but must not have been reaped if this is to kill: its number could be another's.
    pub(crate) fn of_run(leader: u32, tag: Option<Tag>) -> Self {
        Self {
            leader: Some(leader),
            tags: tag.into_iter().collect(),
            instance: None,
            spared: None,
        }
    }

    /// Creates the set of all with one of these tags: a tenth of the cost of a run's.
    pub(crate) fn tagged(tags: impl IntoIterator<Item = Tag>) -> Self {
        Self {
            leader: None,
            tags: tags.into_iter().collect(),
            instance: None,
            spared: None,
        }
    }

    /// Creates the set of all that an engine has started, and the process that guards it.
    pub(crate) fn of_instance(instance: Instance) -> Self {
        Self {
            instance: Some(instance),
            ..Self::tagged([])
        }
    }

    /// Excludes a process from the set.
    pub(crate) fn without(self, spared: u32) -> Self {
        Self {
            spared: Some(spared),
            ..self
        }
    }

    /// Returns the live processes. For a run that takes some 20 us per process on the machine which is of no run of this engine;
    /// see [`tagged`](Self::tagged).
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut members = Vec::new();
        let mut inside: HashSet<u32> = self.leader.into_iter().collect();
        let mut others = Vec::new();
        for pid in others_pids() {
            let tag = self.tag_of(pid);
            if tag.is_none()
                && self
                    .leader
                    .is_none_or(|leader| self.is_elsewhere(pid, leader))
            {
                continue;
            }
            let Some(stat) = Stat::of(pid) else { continue };
            if tag.is_some() {
                inside.insert(pid);
                members.extend(Member::new(&stat, tag));
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
                    members.extend(Member::new(stat, None));
                }
                !belongs
            });
            if others.len() == before {
                return members;
            }
        }
    }

    /// Signals every live process one time. Returns those that remain, and how many were signaled.
    pub(crate) fn signal(&self, signal: Signal) -> (Vec<Member>, usize) {
        // First, before anything that takes longer: a process that forks may have ended by then.
        let tagged = self.has_tags().then(others_pids);
        let mut signaled = HashSet::new();
        for pid in tagged.into_iter().flatten() {
            if let Some(tag) = self.tag_of(pid)
                && Member::send(pid, Proof::Tag(tag), signal)
            {
                signaled.insert(pid);
            }
        }
        let members = self.members();
        for member in &members {
            if !signaled.contains(&member.pid) && member.signal(signal) {
                signaled.insert(member.pid);
            }
        }
        (members, signaled.len())
    }

    /// Ends every process: TERM and `grace` unless that is zero, KILL until none remains; returns whether none does. What remains
    /// after [`KILL_WAIT`] is killed by its tags for another [`HUNT`], in the background.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, and may be started again.
    pub(crate) async fn end(&self, grace: Duration) -> bool {
        let terminated = async {
            let mut members = self.off_thread(Self::terminate).await?;
            // One at a time, each by its pidfd; then check whether others have appeared since.
            while !members.is_empty() {
                for member in members {
                    member.ended().await;
                }
                members = self.off_thread(Self::members).await?;
            }
            Some(())
        };
        if !grace.is_zero() {
            // A walk is not waited for either: while a hundred processes fork, it can take seconds.
            let _ = tokio::time::timeout(grace, terminated).await;
        }
        let give_up = Instant::now() + KILL_WAIT;
        let kill = move |tree: &Self| tree.kill(give_up);
        loop {
            match self.off_thread(kill).await {
                Some(0) => return true,
                Some(_) if Instant::now() <= give_up => {}
                left => {
                    tracing::error!(tree = ?self, ?left, "processes may be left after KILL");
                    let escaped = Self {
                        leader: None,
                        ..self.clone()
                    };
                    tokio::spawn(escaped.hunt());
                    return false;
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Continues to kill in the background.
    async fn hunt(self) {
        let give_up = Instant::now() + HUNT;
        let kill = move |tree: &Self| tree.kill(give_up);
        while Instant::now() < give_up && self.off_thread(kill).await != Some(0) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Kills every process and waits for their ends, without a runtime and no longer than [`KILL_WAIT`]. Returns how many there
    /// were.
    pub(crate) fn end_now(&self) -> usize {
        let give_up = Instant::now() + KILL_WAIT;
        let found = self.members().len();
        while self.kill(give_up) > 0 {
            if Instant::now() > give_up {
                tracing::error!(tree = ?self, "processes are left after KILL");
                break;
            }
            pause();
        }
        found
    }

    /// Returns the number of live processes.
    pub(crate) async fn count(&self) -> usize {
        let found = self.off_thread(|tree| tree.members().len()).await;
        found.unwrap_or(0)
    }

    /// Signals every live process, on another thread, and returns how many.
    pub(crate) async fn send(&self, signal: Signal) -> usize {
        let sent = self.off_thread(move |tree| tree.signal(signal).1).await;
        sent.unwrap_or(0)
    }

    /// Returns whether one of the processes may still write output.
    pub(crate) async fn is_busy(&self) -> bool {
        let busy = |tree: &Self| {
            tree.members()
                .into_iter()
                .filter(|member| member.is_busy())
                .count()
        };
        self.off_thread(busy).await.is_some_and(|count| count > 0)
    }

    /// Signals every live process by KILL, until no new ones are found, and returns how many have not ended yet.
    fn kill(&self, give_up: Instant) -> usize {
        // The group in one call, so that no shell lives to report that its children were killed.
        if let Some(leader) = self.leader
            && let Ok(group) = process_id(leader)
        {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let mut chase = Chase::default();
        loop {
            // First those that fork continuously, for which a walk through `/proc` is too slow.
            chase.run(self, give_up);
            let members = self.members();
            let mut is_settled = true;
            for member in &members {
                member.signal(Signal::KILL);
                is_settled &= !chase.seen.insert(member.pid);
            }
            is_settled &= !chase.run(self, give_up);
            if is_settled || Instant::now() > give_up {
                return members.len();
            }
        }
    }

    fn terminate(&self) -> Vec<Member> {
        let (left, _) = self.signal(Signal::TERM);
        // A stopped process handles no signal until it continues.
        for member in left.iter().filter(|member| member.state == b'T') {
            member.signal(Signal::CONT);
        }
        left
    }

    fn tag_of(&self, pid: u32) -> Option<Tag> {
        // Without tags there is nothing to compare, and the query would be a system call for each process.
        if self.spared == Some(pid) || !self.has_tags() {
            return None;
        }
        Tag::of(pid).filter(|tag| self.tags.contains(tag) || self.instance == Some(tag.instance()))
    }

    /// Returns whether a process belongs to another run of the same engine, which one of this run never does: it has another tag
    /// of the engine, and is neither in the group nor in the session of `leader`.
    ///
    /// Takes less than a microsecond. Beside 1,000 idle sessions nearly all processes are such.
    fn is_elsewhere(&self, pid: u32, leader: u32) -> bool {
        let (Some(own), Ok(id)) = (self.tags.iter().next(), process_id(pid)) else {
            return false;
        };
        let is_another_run = Tag::of(pid).is_some_and(|tag| tag.instance() == own.instance());
        let leads = |id: Option<Pid>| id.is_some_and(|id| number(id) == leader);
        is_another_run && !leads(group_of(id)) && !leads(session_of(id))
    }

    fn has_tags(&self) -> bool {
        !self.tags.is_empty() || self.instance.is_some()
    }

    /// Runs `work` on another thread: reading `/proc` takes milliseconds on a busy machine. Returns `None` if it has not ended
    /// within [`WALK`], after a panic there, which has been reported, and when the runtime shuts down.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let tree = self.clone();
        let walk = tokio::task::spawn_blocking(move || work(&tree));
        match tokio::time::timeout(WALK, walk).await {
            Ok(walked) => walked.ok(),
            Err(_) => {
                tracing::error!(tree = ?self, "a walk through the processes does not end");
                None
            }
        }
    }
}

/// The search for processes that were started recently, and that only start their heirs and end.
///
/// Such a process lives a millisecond. But ids are assigned in order, so the heirs are among the newest, and the newest are
/// the ones that live.
#[derive(Debug, Default)]
struct Chase {
    /// The processes that were signaled.
    seen: HashSet<u32>,
    /// The newest id when a round began that found nothing: after that, only later ones are new.
    checked: Option<u32>,
}

impl Chase {
    /// Signals by KILL the recently started processes of `tree`, and those that are started meanwhile, until there are none;
    /// returns whether it found any that it had not seen.
    fn run(&mut self, tree: &Tree, give_up: Instant) -> bool {
        if !tree.has_tags() {
            return false;
        }
        let before = self.seen.len();
        let mut quiet = 0;
        // One round that finds nothing proves little: it may have missed an heir that was started meanwhile.
        while quiet < QUIET_ROUNDS
            && let Some(newest) = procfs::last_pid()
            && Instant::now() < give_up
        {
            let found = self.seen.len();
            for pid in (self.first(newest)..=newest).rev() {
                if !self.seen.contains(&pid)
                    && let Some(tag) = tree.tag_of(pid)
                {
                    Member::send(pid, Proof::Tag(tag), Signal::KILL);
                    self.seen.insert(pid);
                }
            }
            let is_quiet = self.seen.len() == found;
            self.checked = is_quiet.then_some(newest);
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
        self.seen.len() > before
    }

    /// Returns the first id to check, if this is the newest.
    fn first(&self, newest: u32) -> u32 {
        let of_all = newest.saturating_sub(LATELY);
        match self.checked {
            // Ids that were assigned then, to processes that did not exist yet, are checked again.
            Some(checked) if checked <= newest => of_all.max(checked.saturating_sub(UNBORN)),
            _ => of_all,
        }
    }
}

/// A live process, distinguished from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pid: u32,
    start: u64,
    state: u8,
    proof: Proof,
}

/// The distinction of a process from a later one with the same number: that one has another tag, or another start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Tag(Tag),
    Start(u64),
}

impl Proof {
    fn holds(self, pid: u32) -> bool {
        match self {
            Self::Tag(tag) => Tag::of(pid) == Some(tag),
            Self::Start(start) => Stat::of(pid).is_some_and(|stat| stat.start == start),
        }
    }
}

impl Member {
    fn new(stat: &Stat, tag: Option<Tag>) -> Option<Self> {
        stat.is_live().then(|| Self {
            pid: stat.pid,
            start: stat.start,
            state: stat.state,
            proof: tag.map_or(Proof::Start(stat.start), Proof::Tag),
        })
    }

    /// Returns whether the process is running, runnable, or in an uninterruptible system call: it may still write.
    fn is_busy(self) -> bool {
        matches!(self.state, b'R' | b'D')
    }

    /// Waits until the process has ended, or cannot be watched.
    async fn ended(self) {
        if let Ok(pid) = process_id(self.pid)
            && let Ok(pidfd) = PidFd::open(pid)
            && self.proof.holds(self.pid)
        {
            let _ = pidfd.ended().await;
        }
    }

    fn signal(self, signal: Signal) -> bool {
        Self::send(self.pid, self.proof, signal)
    }

    /// Signals exactly this process, and returns whether it did; one that has ended meanwhile is not an error.
    fn send(pid: u32, proof: Proof, signal: Signal) -> bool {
        match try_send(pid, proof, signal) {
            Ok(is_sent) => return is_sent,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                tracing::warn!(pid, ?signal, "not allowed to signal a process");
            }
            // The process has ended, or the number is a thread's, whose process has another.
            Err(error) => tracing::trace!(pid, %error, "cannot signal a process"),
        }
        false
    }
}

/// Signals a process unless its number has been reused, and returns whether it did.
fn try_send(number: u32, proof: Proof, signal: Signal) -> io::Result<bool> {
    // The descriptor always names the same process; if it is not the one that was found, that one has ended.
    let pidfd = rustix::process::pidfd_open(process_id(number)?, PidfdFlags::empty())?;
    let holds = proof.holds(number);
    if holds {
        rustix::process::pidfd_send_signal(&pidfd, signal)?;
    }
    Ok(holds)
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a killed process is on its way out, and there may be no runtime"
)]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Returns all processes but this one.
fn others_pids() -> Vec<u32> {
    let me = std::process::id();
    procfs::pids().filter(|pid| *pid != me).collect()
}

/// The number of ids before the newest one that are checked, which takes a millisecond.
const LATELY: u32 = 4096;
/// The number of ids that are checked again: more than there are forks under way at a time.
const UNBORN: u32 = 256;
const QUIET_ROUNDS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_is_never_a_member() {
        let me = std::process::id();
        let members = Tree::of_run(me, None).members();
        assert!(members.iter().all(|member| member.pid != me));
    }

    #[tokio::test(start_paused = true)]
    async fn a_walk_is_not_waited_for_without_end() {
        let (held, holds) = std::sync::mpsc::channel::<()>();
        let (began, begins) = tokio::sync::oneshot::channel();
        let walk = tokio::spawn(async move {
            let tree = Tree::tagged([]);
            let walk = tree.off_thread(move |_| {
                began.send(()).unwrap();
                let _ = holds.recv();
            });
            walk.await
        });
        begins.await.unwrap();
        tokio::task::yield_now().await;
        tokio::time::advance(WALK).await;
        assert_eq!(walk.await.unwrap(), None);
        drop(held);
    }

    #[test]
    fn what_was_checked_is_not_checked_again() {
        let first = |checked, newest| {
            let chase = Chase {
                seen: HashSet::new(),
                checked,
            };
            chase.first(newest)
        };
        assert_eq!(first(None, 10_000), 10_000 - LATELY);
        assert_eq!(first(Some(10_000), 10_000), 10_000 - UNBORN);
        assert_eq!(first(Some(10_000), 10_007), 10_000 - UNBORN);
        assert_eq!(first(Some(10_000), 20_000), 20_000 - LATELY);
        // The ids have begun again, and those at the end are checked no more than before.
        assert_eq!(first(Some(10_000), 300), 0);
        assert_eq!(first(Some(100), 101), 0);
    }

    #[test]
    fn no_process_has_a_new_tag() {
        let instance = Instance::draw();
        assert_eq!(Tree::tagged([instance.tag()]).members(), []);
        assert_eq!(Tree::of_instance(instance).members(), []);
        assert_eq!(Tree::tagged([]).members(), []);
    }
}
