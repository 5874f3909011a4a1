//! What a connection and the tunnels that it became hold.

use std::sync::Arc;

use sandbox_daemon::doors::{Holder, Slot};
use tokio::sync::watch;

/// The slot of a connection and the notice of the shutdown, held by the connection and by every tunnel that it became.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    slot: Arc<Slot>,
    shutdown: watch::Receiver<bool>,
    /// What a client sent may have taken much memory, and so may very many connections.
    _memory: Arc<Holder>,
}

impl Link {
    pub(crate) fn new(slot: Arc<Slot>, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            slot,
            shutdown,
            _memory: Arc::default(),
        }
    }

    /// Records that a request of the connection was admitted.
    pub(crate) fn admit(&self) {
        self.slot.admit();
    }

    /// Resolves when a connection on which no request was admitted is to make room for another one.
    ///
    /// Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.slot.evicted().await;
    }

    /// Resolves when the server begins to shut down.
    ///
    /// Cancel safe.
    pub(crate) async fn shutdown_begun(&mut self) {
        // A server that was dropped is no reason to close.
        if self.shutdown.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }
}
