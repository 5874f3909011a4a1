//! When sandboxes are stopped or deleted automatically: stopped when idle, deleted when stopped for long, and deleted at the end of
//! their time.
//!
//! One task sleeps until the next deadline of any sandbox. A deadline is computed anew when it is reached: what was used meanwhile has
//! a later one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sandbox_provider::{Sandbox, SandboxId, State};
use tokio::sync::{Notify, Semaphore};

use crate::clock::Clock;
use crate::limits::AUTOMATIC;

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
        match next(sandbox, last) {
            Some((at, _)) => self.set(&sandbox.id, at),
            None => self.forget(&sandbox.id),
        }
    }

    /// Forgets a sandbox that was deleted.
    pub(crate) fn forget(&self, id: &SandboxId) {
        self.queue().remove(id);
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
                self.forget(&id);
                return id;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(at)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn remove(&mut self, id: &SandboxId) {
        if let Some(at) = self.of.remove(id) {
            self.in_order.remove(&(at, id.clone()));
        }
    }
}

/// Returns what happens to a sandbox next by itself, and when.
pub(crate) fn next(sandbox: &Sandbox, last: SystemTime) -> Option<(SystemTime, Action)> {
    let spec = &sandbox.spec;
    let end = spec
        .ttl
        .map(|ttl| (sandbox.created_at + ttl, Action::Delete));
    let idle = match sandbox.state {
        State::Started => {
            let used = last.max(sandbox.created_at);
            spec.auto_stop.map(|idle| (used + idle, Action::Stop))
        }
        // One that has ended by itself is not used either.
        State::Stopped | State::Error => {
            let since = sandbox.state_since;
            spec.auto_delete.map(|time| (since + time, Action::Delete))
        }
        _ => None,
    };
    [end, idle].into_iter().flatten().min()
}
