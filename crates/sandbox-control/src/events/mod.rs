//! Events about sandboxes, for clients that wait for a state.

mod packet;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sandbox_provider::{Sandbox, State};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use crate::limits::{EVENT_CLIENTS, EVENTS};
pub(crate) use packet::Packet;

/// Something that happened to a sandbox.
#[derive(Debug)]
pub(crate) enum Event {
    Created(Sandbox),
    State {
        old: State,
        sandbox: Sandbox,
    },
    /// The sandbox as it was before.
    Deleted(Sandbox),
}

/// Passes events to all clients that listen. A client that does not read loses the oldest, and is disconnected.
#[derive(Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<Arc<Event>>,
    clients: Arc<Semaphore>,
}

/// The events from the time on when it was made.
pub(crate) type Receiver = broadcast::Receiver<Arc<Event>>;

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(EVENTS),
            clients: Arc::new(Semaphore::new(EVENT_CLIENTS)),
        }
    }

    pub(crate) fn publish(&self, event: Event) {
        // Without a client it is not needed.
        let _ = self.sender.send(Arc::new(event));
    }

    /// Returns the place of a client, unless there are too many.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.clients).try_acquire_owned().ok()
    }

    pub(crate) fn subscribe(&self) -> Receiver {
        self.sender.subscribe()
    }
}
