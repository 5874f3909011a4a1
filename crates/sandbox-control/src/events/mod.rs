//! Events about sandboxes, for clients that wait for a state.

use std::sync::Arc;

use sandbox_provider::{Sandbox, State};
use tokio::sync::broadcast;

use crate::limits::EVENTS;

/// Something that happened to a sandbox.
#[derive(Debug)]
#[expect(dead_code, reason = "the stream of events is not served yet")]
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
pub(crate) struct Events(broadcast::Sender<Arc<Event>>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(EVENTS))
    }

    pub(crate) fn publish(&self, event: Event) {
        // Without a client nobody needs it.
        let _ = self.0.send(Arc::new(event));
    }
}
