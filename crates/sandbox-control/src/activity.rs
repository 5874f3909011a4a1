//! When each sandbox was used last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sandbox_provider::SandboxId;

use crate::clock::Clock;

/// The last use of each sandbox. A request counts from its begin to the end of its response, and a tunnel as long as it is open; what runs
/// in a sandbox without a client does not count.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    begun: SystemTime,
    uses: Mutex<HashMap<SandboxId, Use>>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    last: SystemTime,
    open: usize,
}

/// A use of a sandbox, until it is dropped.
#[derive(Debug)]
pub(crate) struct Using {
    activity: Arc<Activity>,
    id: SandboxId,
}

impl Activity {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            begun: clock.now(),
            uses: Mutex::default(),
        }
    }

    /// Begins a use, which ends when the returned value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, id: &SandboxId) -> Using {
        let last = self.clock.now();
        let mut uses = self.uses();
        let found = uses.entry(id.clone()).or_insert(Use { last, open: 0 });
        found.last = last;
        found.open += 1;
        drop(uses);
        Using {
            activity: Arc::clone(self),
            id: id.clone(),
        }
    }

    /// Returns when a sandbox was used last: now, while it is; the begin of the server, if it was not since then.
    pub(crate) fn last(&self, id: &SandboxId) -> SystemTime {
        match self.uses().get(id) {
            Some(Use { open: 0, last }) => *last,
            Some(_) => self.clock.now(),
            None => self.begun,
        }
    }

    /// Forgets a sandbox that was deleted.
    pub(crate) fn forget(&self, id: &SandboxId) {
        self.uses().remove(id);
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<SandboxId, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        // A sandbox that was deleted meanwhile stays forgotten.
        if let Some(found) = self.activity.uses().get_mut(&self.id) {
            found.last = self.activity.clock.now();
            found.open = found.open.saturating_sub(1);
        }
    }
}
