//! Sandboxes that have changed by themselves, until a caller asks.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::sandbox::SandboxId;

/// The ids of sandboxes that have changed. There is at most one for each sandbox.
#[derive(Debug, Default)]
pub(super) struct Changed {
    ids: Mutex<BTreeSet<SandboxId>>,
    notify: Notify,
}

impl Changed {
    pub(super) fn add(&self, id: SandboxId) {
        self.ids().insert(id);
        self.notify.notify_one();
    }

    /// Forgets a sandbox that was deleted.
    pub(super) fn forget(&self, id: &SandboxId) {
        self.ids().remove(id);
    }

    /// Waits for the next one, and removes it.
    ///
    /// Cancel safe.
    pub(super) async fn next(&self) -> SandboxId {
        loop {
            let first = self.ids().pop_first();
            match first {
                Some(id) => return id,
                None => self.notify.notified().await,
            }
        }
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<SandboxId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
