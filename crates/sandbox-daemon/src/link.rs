//! What a connection holds as long as it lives, whatever became of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::memory::Holder;

/// A connection's place among those that the server has, and its ear for the server's end.
///
/// Held by the connection and by all that outlives it, such as a WebSocket that was made of it: the server waits until
/// every one of them is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    shutdown: watch::Receiver<bool>,
    _slot: Arc<OwnedSemaphorePermit>,
    /// What was done for the client may have taken much memory.
    _memory: Arc<Holder>,
}

impl Link {
    pub(crate) fn new(shutdown: watch::Receiver<bool>, slot: OwnedSemaphorePermit) -> Self {
        Self {
            shutdown,
            _slot: Arc::new(slot),
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
}
