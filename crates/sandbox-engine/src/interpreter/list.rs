//! The list of an engine's contexts, from which each removes itself when it ends.

use std::sync::{Arc, Mutex, MutexGuard};

use super::handle::Context;
use super::spare::Spares;
use crate::registry::{Entry, Registry};
use crate::sync::lock;

/// The contexts of an engine.
#[derive(Debug)]
pub(super) struct List {
    /// The contexts that were created.
    pub(super) registry: Arc<Registry<Context>>,
    default: Mutex<Option<Context>>,
    pub(super) spares: Arc<Spares>,
}

impl List {
    /// Creates a list of at most `limit` contexts, the default one not counted, whose workers start from `spares`.
    pub(super) fn new(limit: usize, spares: Arc<Spares>) -> Arc<Self> {
        Arc::new(Self {
            registry: Registry::new(limit, 0),
            default: Mutex::default(),
            spares,
        })
    }

    /// Returns the default context, if there is one. While the guard is held, no task of that context can end.
    pub(super) fn default(&self) -> MutexGuard<'_, Option<Context>> {
        lock(&self.default)
    }

    /// Removes a context whose task has ended.
    pub(super) fn remove(&self, ended: &Context) {
        self.registry.retire(ended);
        self.default().take_if(|context| context.is(ended));
    }
}
