//! What a connection holds as long as it lives, whatever it became.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::memory::Holder;
use crate::slots::Slot;

/// A connection's place among those of the server, and the notice that the server ends.
///
/// Held by the connection and by everything that outlives it, such as a WebSocket that was made of
/// it: the server waits until every one of them is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    shutdown: watch::Receiver<bool>,
    slot: Arc<Slot>,
    /// What was done for the client may have taken much memory.
    _memory: Arc<Holder>,
}

impl Link {
    pub(crate) fn new(shutdown: watch::Receiver<bool>, slot: Slot) -> Self {
        Self {
            shutdown,
            slot: Arc::new(slot),
            _memory: Arc::default(),
        }
    }

    /// Resolves when the server begins to end; never when it was dropped instead.
    ///
    /// Cancel safe.
    pub(crate) async fn shutdown_begun(&mut self) {
        if self.shutdown.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }

    /// Notes that a request of the connection was admitted.
    pub(crate) fn admit(&self) {
        self.slot.admit();
    }

    /// Completes when the connection is to be closed for another one. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.slot.evicted().await;
    }

    /// Completes `grace` after the time for the first request, if nothing was admitted until then.
    pub(crate) async fn overdue(&self, grace: Duration) {
        self.slot.overdue(grace).await;
    }

    /// Completes when the connection is to end after what is under way: the server ends, or no
    /// request was admitted in time.
    pub(crate) async fn over(&mut self) {
        let slot = Arc::clone(&self.slot);
        tokio::select! {
            () = self.shutdown_begun() => {}
            () = slot.overdue(Duration::ZERO) => {}
        }
    }
}
