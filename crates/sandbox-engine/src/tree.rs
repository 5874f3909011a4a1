//! Sets of related processes: found by tag and through `/proc`, signaled, ended.

mod chase;
mod forked;
mod member;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use crate::limits::{HUNT, KILL_WAIT, WALK};
use crate::procfs::{self, Stat, process_id};
use crate::sys::{group_of, session_of};
use crate::tag::{Instance, Tag};
use chase::Chase;
use forked::Forked;
pub(crate) use member::Member;
use member::Proof;

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

    /// Signals every live process one time.
    ///
    /// A process that one of them starts because of the signal, such as a command of a shell's `trap`, is not signaled.
    pub(crate) fn signal(&self, signal: Signal) -> Signaled {
        let mut delivery = Delivery::of(self, signal);
        // First, before anything that takes longer: a process that forks may have ended by then.
        let tagged = self.has_tags().then(others_pids);
        for pid in tagged.into_iter().flatten() {
            if let Some(tag) = self.tag_of(pid) {
                delivery.send(pid, Proof::Tag(tag));
            }
        }
        let newest = procfs::last_pid();
        let members = self.members();
        for member in &members {
            if !delivery.is_reaction(member, &members, newest) {
                delivery.send(member.pid, member.proof);
            }
        }
        Signaled {
            members,
            count: delivery.sent.len(),
            forked: delivery.forked,
        }
    }

    /// Ends every process: TERM and `grace` unless that is zero, KILL until none remains; returns whether none does. What remains
    /// after [`KILL_WAIT`] is killed by its tags for another [`HUNT`], in the background.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, and may be started again.
    pub(crate) async fn end(&self, grace: Duration) -> bool {
        let terminated = async {
            let signaled = self.off_thread(Self::terminate).await?;
            forked::follow(signaled.forked);
            let mut members = signaled.members;
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
                    // By tags alone: the leader is reaped after this returns, and its number may
                    // become another process's.
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
        let Some(signaled) = self.off_thread(move |tree| tree.signal(signal)).await else {
            return 0;
        };
        forked::follow(signaled.forked);
        signaled.count
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
        // Nearly always there is nothing left. What a walk misses has forked meanwhile, so that its heirs have later ids than the
        // newest of before.
        if self.has_tags()
            && let Some(newest) = procfs::last_pid()
            && self.members().is_empty()
        {
            chase = Chase::after(newest);
            if !chase.run(self, give_up) {
                return 0;
            }
        }
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

    fn terminate(&self) -> Signaled {
        let signaled = self.signal(Signal::TERM);
        // A stopped process handles no signal until it continues.
        for member in &signaled.members {
            if member.state == b'T' {
                member.signal(Signal::CONT);
            }
        }
        signaled
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

/// What a signal was sent to.
#[derive(Debug)]
pub(crate) struct Signaled {
    /// The processes that live after it.
    pub(crate) members: Vec<Member>,
    /// The number of processes that were signaled.
    count: usize,
    /// Those that may have lost the signal.
    forked: Vec<Forked>,
}

/// One signal on its way to the processes of a tree.
struct Delivery<'a> {
    tree: &'a Tree,
    signal: Signal,
    /// When it began, in clock ticks since boot.
    began: u64,
    /// The processes that were signaled, with the newest id before that: a later one is of a process that the signaled one may
    /// have started because of it.
    sent: HashMap<u32, Option<u32>>,
    forked: Vec<Forked>,
}

impl<'a> Delivery<'a> {
    fn of(tree: &'a Tree, signal: Signal) -> Self {
        Self {
            tree,
            signal,
            began: forked::ticks_since_boot(),
            sent: HashMap::new(),
            forked: Vec::new(),
        }
    }

    /// Signals a process that was not signaled yet.
    fn send(&mut self, pid: u32, proof: Proof) {
        if self.sent.contains_key(&pid) {
            return;
        }
        // The leader has executed its program, or is a fork of a warm interpreter that never does.
        let is_leader = self.tree.leader == Some(pid);
        let forked = (!is_leader).then(|| Forked::of(pid, self.signal, self.began));
        let newest = procfs::last_pid();
        if Member::send(pid, proof, self.signal) {
            self.sent.insert(pid, newest);
            let watched = forked
                .flatten()
                .and_then(|mut forked| forked.look().then_some(forked));
            self.forked.extend(watched);
        }
    }

    /// Returns whether a process, found after others were signaled, may have been started because of that. `newest` is the
    /// newest id when they all were.
    fn is_reaction(&self, member: &Member, members: &[Member], newest: Option<u32>) -> bool {
        if self.signal == Signal::KILL || member.start < self.began {
            return false;
        }
        let newest_before = match self.sent.get(&member.parent) {
            Some(newest) => *newest,
            None if members.iter().any(|other| other.pid == member.parent) => None,
            // Its parent has ended.
            None => newest,
        };
        newest_before.is_some_and(|newest| member.pid > newest)
    }
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
    fn no_process_has_a_new_tag() {
        let instance = Instance::draw();
        assert_eq!(Tree::tagged([instance.tag()]).members(), []);
        assert_eq!(Tree::of_instance(instance).members(), []);
        assert_eq!(Tree::tagged([]).members(), []);
    }
}
