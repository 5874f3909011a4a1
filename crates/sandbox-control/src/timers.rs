//! When sandboxes are stopped or deleted automatically: stopped when idle, deleted when stopped for long, and deleted at the end of
//! their time.
//!
//! One task sleeps until the next deadline of any sandbox. A deadline is computed anew when it is reached: what was used meanwhile has
//! a later one.
//!
//! A provider dates its sandboxes by the system's clock, which may be set at any time. Deadlines are by a clock that is not: a date that
//! the server has not seen before is of a change that was just made, so it stands for now. Only the ages that sandboxes have when
//! the server begins are from their dates.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use sandbox_provider::{Sandbox, SandboxId, State};
use tokio::sync::{Notify, Semaphore};

use crate::clock::Clock;
use crate::limits::AUTOMATIC;
use crate::sync::lock;

/// The deadlines of all sandboxes.
#[derive(Debug)]
pub(crate) struct Timers {
    clock: Clock,
    queue: Mutex<Queue>,
    changed: Notify,
    pub(crate) slots: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Queue {
    in_order: BTreeSet<(SystemTime, SandboxId)>,
    of: HashMap<SandboxId, SystemTime>,
    seen: HashMap<SandboxId, Seen>,
}

/// The dates of a sandbox by the clock of the timers.
#[derive(Debug, Clone, Copy)]
struct Seen {
    created: SystemTime,
    state_since: SystemTime,
    /// The date of its state by the provider, which distinguishes a new state.
    dated: SystemTime,
}

/// What happens at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Delete,
    Stop,
}

impl Timers {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            queue: Mutex::default(),
            changed: Notify::new(),
            slots: Arc::new(Semaphore::new(AUTOMATIC)),
        }
    }

    /// Sets the deadline of a sandbox that was used last at `last`.
    pub(crate) fn follow(&self, sandbox: &Sandbox, last: SystemTime) {
        match self.next(sandbox, last) {
            Some((at, _)) => self.set(&sandbox.id, at),
            None => self.queue().remove(&sandbox.id),
        }
    }

    /// Sets the deadline of a sandbox that was there before the server, whose age is by the system's clock, which is at `day`.
    pub(crate) fn restore(&self, sandbox: &Sandbox, last: SystemTime, day: SystemTime) {
        let now = self.clock.now();
        // A date in the future, of a clock that was set back since, is taken for now. So is one that is too long ago to be counted.
        let at = |date| now.checked_sub(day.duration_since(date).unwrap_or_default());
        let seen = Seen {
            created: at(sandbox.created_at).unwrap_or(now),
            state_since: at(sandbox.state_since).unwrap_or(now),
            dated: sandbox.state_since,
        };
        self.queue().seen.insert(sandbox.id.clone(), seen);
        self.follow(sandbox, last);
    }

    /// Returns what happens to a sandbox next by itself, and when.
    pub(crate) fn next(&self, sandbox: &Sandbox, last: SystemTime) -> Option<(SystemTime, Action)> {
        let seen = self.queue().see(sandbox, self.clock.now());
        next(sandbox, seen, last)
    }

    /// Forgets a sandbox that was deleted.
    pub(crate) fn forget(&self, id: &SandboxId) {
        let mut queue = self.queue();
        queue.remove(id);
        queue.seen.remove(id);
    }

    pub(crate) fn set(&self, id: &SandboxId, at: SystemTime) {
        let mut queue = self.queue();
        queue.remove(id);
        queue.of.insert(id.clone(), at);
        queue.in_order.insert((at, id.clone()));
        drop(queue);
        self.changed.notify_one();
    }

    /// Waits until a deadline is reached, and removes it.
    pub(crate) async fn due(&self) -> SandboxId {
        loop {
            let first = self.queue().in_order.first().cloned();
            let Some((at, id)) = first else {
                self.changed.notified().await;
                continue;
            };
            if at <= self.clock.now() {
                self.queue().remove(&id);
                return id;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(at)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

impl Queue {
    /// Returns the dates of a sandbox; one that was not seen before is `now`.
    fn see(&mut self, sandbox: &Sandbox, now: SystemTime) -> Seen {
        let dated = sandbox.state_since;
        let new = Seen {
            created: now,
            state_since: now,
            dated,
        };
        let seen = self.seen.entry(sandbox.id.clone()).or_insert(new);
        if seen.dated != dated {
            (seen.state_since, seen.dated) = (now, dated);
        }
        *seen
    }

    fn remove(&mut self, id: &SandboxId) {
        if let Some(at) = self.of.remove(id) {
            self.in_order.remove(&(at, id.clone()));
        }
    }
}

/// Returns what happens next to a sandbox with these dates, and when.
fn next(sandbox: &Sandbox, seen: Seen, last: SystemTime) -> Option<(SystemTime, Action)> {
    let spec = &sandbox.spec;
    let end = spec.ttl.map(|ttl| (seen.created + ttl, Action::Delete));
    let idle = match sandbox.state {
        State::Started => {
            let used = last.max(seen.created);
            spec.auto_stop.map(|idle| (used + idle, Action::Stop))
        }
        // One that has ended by itself is not used either.
        State::Stopped | State::Error => {
            let since = seen.state_since;
            spec.auto_delete.map(|time| (since + time, Action::Delete))
        }
        _ => None,
    };
    [end, idle].into_iter().flatten().min()
}
