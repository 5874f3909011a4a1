//! What happens to sandboxes without a request: they end by themselves, and their deadlines are reached.

use std::sync::Arc;

use sandbox_provider::{Error, Provider, SandboxId, State, Stop};

use crate::events::Event;
use crate::limits::RETRY;
use crate::shared::Shared;
use crate::timers::Action;

/// Reports what sandboxes do by themselves, and sets their deadlines; never completes.
pub(crate) async fn follow<P: Provider>(shared: Arc<Shared<P>>) {
    loop {
        let sandbox = shared.provider.changed().await;
        let last = shared.activity.last(&sandbox.id);
        shared.timers.follow(&sandbox, last);
        // A provider reports what has ended; before that it ran.
        let old = State::Started;
        shared.events.publish(Event::State { old, sandbox });
    }
}

/// Carries out what is due; never completes.
pub(crate) async fn act_when_due<P: Provider>(shared: Arc<Shared<P>>) {
    loop {
        let id = shared.timers.due().await;
        let slot = Arc::clone(&shared.timers.slots).acquire_owned().await;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = act(&shared, &id).await {
                tracing::warn!(%id, %error, "a sandbox could not be stopped or deleted; it is tried again");
                shared.timers.set(&id, shared.clock.now() + RETRY);
            }
        });
    }
}

async fn act<P: Provider>(shared: &Arc<Shared<P>>, id: &SandboxId) -> Result<(), Error> {
    let sandbox = match shared.provider.get(id).await {
        Err(Error::NotFound { .. }) => {
            shared.timers.forget(id);
            return Ok(());
        }
        found => found?,
    };
    let last = shared.activity.last(id);
    let done = match shared.timers.next(&sandbox, last) {
        Some((at, action)) if at <= shared.clock.now() => {
            tracing::info!(%id, ?action, "the time of a sandbox has come");
            match action {
                Action::Delete => shared.delete(sandbox).await,
                Action::Stop => match shared.activity.close(id, last) {
                    // As long as this is there, no request begins that the stop would cut.
                    Some(_closing) => shared.stop(sandbox, Stop::Terminate).await.map(drop),
                    None => {
                        shared.timers.follow(&sandbox, shared.activity.last(id));
                        Ok(())
                    }
                },
            }
        }
        _ => {
            shared.timers.follow(&sandbox, last);
            Ok(())
        }
    };
    match done {
        Err(Error::NotFound { .. }) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[path = "automatic_tests.rs"]
mod tests;
