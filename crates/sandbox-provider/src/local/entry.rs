//! One sandbox of a provider.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sandbox_engine::isolation::DetachedProcess;

use super::record::Record;
use crate::error::Error;
use crate::sandbox::{Sandbox, State};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) slot: u32,
    /// Locked for the whole of a change, so that there is one at a time.
    pub(super) live: tokio::sync::Mutex<Live>,
    /// What clients see, which a change does not hold locked.
    sandbox: Mutex<Sandbox>,
}

/// What runs of a sandbox.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) process: Option<Arc<DetachedProcess>>,
    pub(super) is_deleted: bool,
}

impl Live {
    /// Checks that the sandbox has not been deleted while the lock was waited for.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), Error> {
        if self.is_deleted {
            Err(Error::NotFound {
                id: entry.sandbox().id.to_string(),
            })
        } else {
            Ok(())
        }
    }
}

impl Entry {
    pub(super) fn new(sandbox: Sandbox, slot: u32) -> Self {
        Self {
            slot,
            live: tokio::sync::Mutex::default(),
            sandbox: Mutex::new(sandbox),
        }
    }

    /// Returns the sandbox as it is now.
    pub(super) fn sandbox(&self) -> Sandbox {
        self.locked().clone()
    }

    pub(super) fn state(&self) -> State {
        self.locked().state
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.locked().spec.name.as_deref() == Some(name)
    }

    /// Sets what clients see.
    pub(super) fn publish(&self, sandbox: Sandbox) {
        *self.locked() = sandbox;
    }

    /// Returns the sandbox as it is to be in another state.
    pub(super) fn in_state(&self, state: State, reason: Option<String>) -> Sandbox {
        let now = SystemTime::now();
        Sandbox {
            state,
            reason,
            updated_at: now,
            state_since: now,
            ..self.sandbox()
        }
    }

    pub(super) fn record(&self, sandbox: &Sandbox) -> Record {
        Record::of(sandbox, self.slot)
    }

    fn locked(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
