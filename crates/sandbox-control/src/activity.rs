//! When each sandbox was used last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use sandbox_provider::SandboxId;

use crate::clock::Clock;
use crate::sync::lock;

/// The last use of each sandbox. A request counts from its begin to the end of its response, and a tunnel as long as it is open; what runs
/// in a sandbox without a client does not count.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    begun: Use,
    uses: Mutex<HashMap<SandboxId, Use>>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    /// The last use by the clock of the timers.
    last: SystemTime,
    /// The same by the system's clock, for clients, which compare it with the other times of a sandbox.
    day: SystemTime,
    open: usize,
    /// Whether no request may begin, since the sandbox is being stopped.
    is_closed: bool,
}

/// A use of a sandbox, until it is dropped.
#[derive(Debug)]
pub(crate) struct Using {
    activity: Arc<Activity>,
    id: SandboxId,
}

/// Keeps requests to a sandbox that was idle from beginning, until it is dropped.
#[derive(Debug)]
pub(crate) struct Closing<'a> {
    activity: &'a Activity,
    id: SandboxId,
}

impl Activity {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            begun: Use {
                last: clock.now(),
                day: SystemTime::now(),
                open: 0,
                is_closed: false,
            },
            uses: Mutex::default(),
        }
    }

    /// Begins a use, which ends when the returned value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, id: &SandboxId) -> Using {
        let mut uses = self.uses();
        let found = uses.entry(id.clone());
        self.count(found.or_insert(self.begun), id)
    }

    /// Begins the use of a request; `None` while the sandbox is being stopped because it was idle.
    pub(crate) fn enter(self: &Arc<Self>, id: &SandboxId) -> Option<Using> {
        let mut uses = self.uses();
        let found = uses.entry(id.clone()).or_insert(self.begun);
        (!found.is_closed).then(|| self.count(found, id))
    }

    fn count(self: &Arc<Self>, found: &mut Use, id: &SandboxId) -> Using {
        found.touch(self.clock);
        found.open += 1;
        Using {
            activity: Arc::clone(self),
            id: id.clone(),
        }
    }

    /// Keeps requests to a sandbox from beginning, unless one is pending or was since `last`.
    pub(crate) fn close(&self, id: &SandboxId, last: SystemTime) -> Option<Closing<'_>> {
        let mut uses = self.uses();
        let found = uses.entry(id.clone()).or_insert(self.begun);
        if found.open > 0 || found.last > last || found.is_closed {
            return None;
        }
        found.is_closed = true;
        drop(uses);
        Some(Closing {
            activity: self,
            id: id.clone(),
        })
    }

    /// Returns when a sandbox was used last, by the clock of the timers: now, while it is; the begin of the server, if it was not
    /// since then.
    pub(crate) fn last(&self, id: &SandboxId) -> SystemTime {
        self.last_use(id).last
    }

    /// Returns the same by the system's clock.
    pub(crate) fn last_day(&self, id: &SandboxId) -> SystemTime {
        self.last_use(id).day
    }

    fn last_use(&self, id: &SandboxId) -> Use {
        let mut found = self.uses().get(id).copied().unwrap_or(self.begun);
        if found.open > 0 {
            found.touch(self.clock);
        }
        found
    }

    /// Forgets a sandbox that was deleted.
    pub(crate) fn forget(&self, id: &SandboxId) {
        self.uses().remove(id);
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<SandboxId, Use>> {
        lock(&self.uses)
    }
}

impl Use {
    fn touch(&mut self, clock: Clock) {
        self.last = clock.now();
        self.day = SystemTime::now();
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if let Some(found) = self.activity.uses().get_mut(&self.id) {
            found.is_closed = false;
        }
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        // A sandbox that was deleted meanwhile stays forgotten.
        if let Some(found) = self.activity.uses().get_mut(&self.id) {
            found.touch(self.activity.clock);
            found.open = found.open.saturating_sub(1);
        }
    }
}
