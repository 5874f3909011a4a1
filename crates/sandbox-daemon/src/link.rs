//! The state that a connection holds as long as it lives, including after an upgrade.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::memory::Holder;
use crate::slots::Slot;

/// A connection's slot in the server, and the notification that the server shuts down.
///
/// Held by the connection and by everything that outlives it, such as a WebSocket that it was
/// upgraded to: the server waits until every link is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    shutdown: watch::Receiver<bool>,
    slot: Arc<Slot>,
    /// Work for the client may have used much memory.
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

    /// Resolves when the server begins to shut down; never if it was dropped instead.
    ///
    /// Cancel safe.
    pub(crate) async fn shutdown_begun(&mut self) {
        // The value and not the next change, which may have happened before this is called.
        if self.shutdown.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }

    /// Records that a request of the connection was admitted.
    pub(crate) fn admit(&self) {
        self.slot.admit();
    }

    /// Completes when the connection is to be closed to make room for another one. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.slot.evicted().await;
    }

    /// Completes `grace` after the deadline of the first request, if nothing was admitted until then.
    pub(crate) async fn overdue(&self, grace: Duration) {
        self.slot.overdue(grace).await;
    }

    /// Completes when the connection is to end after its pending requests: the server shuts down, or no
    /// request was admitted in time.
    pub(crate) async fn over(&mut self) {
        // `shutdown_begun` borrows all of `self` mutably.
        let slot = Arc::clone(&self.slot);
        tokio::select! {
            () = self.shutdown_begun() => {}
            () = slot.overdue(Duration::ZERO) => {}
        }
    }
}
