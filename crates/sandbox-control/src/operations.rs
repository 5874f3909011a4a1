//! What is done with sandboxes: by the provider, with its timers and events.
//!
//! Each runs in a task of its own, so that it is complete whatever becomes of the request.

use std::future::Future;
use std::sync::Arc;

use sandbox_provider::{Change, Error, Provider, Sandbox, SandboxId, Spec, State, Stop};

use crate::events::Event;
use crate::keys::Created;
use crate::shared::Shared;

impl<P: Provider> Shared<P> {
    /// Returns the sandbox with this id or name.
    pub(crate) async fn find(&self, id_or_name: &str) -> Result<Sandbox, Error> {
        match self.provider.get(&SandboxId::new(id_or_name)).await {
            Err(Error::NotFound { id }) => {
                let all = self.provider.list().await?;
                let is_named = |one: &Sandbox| one.spec.name.as_deref() == Some(id_or_name);
                all.into_iter().find(is_named).ok_or(Error::NotFound { id })
            }
            found => found,
        }
    }

    pub(crate) async fn create(self: &Arc<Self>, spec: Spec) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            let created = shared.provider.create(spec).await?;
            Ok(shared.begun(created))
        })
        .await
    }

    /// Creates the sandbox of a key, or returns it as it is now if it was created before.
    pub(crate) async fn create_once(
        self: &Arc<Self>,
        key: Created,
        spec: Spec,
    ) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            // In this task, so that a client that leaves and comes again waits for it, and creates no other.
            let mut created = None;
            let id = key.get_or_try_init(|| async {
                let sandbox = shared.provider.create(spec).await?;
                let id = sandbox.id.clone();
                created = Some(shared.begun(sandbox));
                Ok::<_, Error>(id)
            });
            let id = id.await?.clone();
            match created {
                Some(sandbox) => Ok(sandbox),
                None => shared.provider.get(&id).await,
            }
        })
        .await
    }

    pub(crate) async fn fork(
        self: &Arc<Self>,
        of: SandboxId,
        spec: Spec,
    ) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            let created = shared.provider.fork(&of, spec).await?;
            Ok(shared.begun(created))
        })
        .await
    }

    pub(crate) async fn start(self: &Arc<Self>, before: Sandbox) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            if before.state != State::Started {
                shared.report(&before, State::Starting);
            }
            let done = shared.provider.start(&before.id).await;
            shared.ended(before, done).await
        })
        .await
    }

    pub(crate) async fn stop(
        self: &Arc<Self>,
        before: Sandbox,
        how: Stop,
    ) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            if before.state != State::Stopped {
                shared.report(&before, State::Stopping);
            }
            let done = shared.provider.stop(&before.id, how).await;
            shared.ended(before, done).await
        })
        .await
    }

    pub(crate) async fn pause(self: &Arc<Self>, before: Sandbox) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            let done = shared.provider.pause(&before.id).await;
            shared.ended(before, done).await
        })
        .await
    }

    pub(crate) async fn change(
        self: &Arc<Self>,
        id: SandboxId,
        change: Change,
    ) -> Result<Sandbox, Error> {
        self.apart(|shared| async move {
            let changed = shared.provider.change(&id, change).await?;
            shared.timers.follow(&changed, shared.activity.last(&id));
            Ok(changed)
        })
        .await
    }

    pub(crate) async fn delete(self: &Arc<Self>, before: Sandbox) -> Result<(), Error> {
        self.apart(|shared| async move {
            shared.report(&before, State::Deleting);
            let id = before.id.clone();
            let done = shared.provider.delete(&id).await;
            if matches!(done, Ok(()) | Err(Error::NotFound { .. })) {
                shared.timers.forget(&id);
                shared.activity.forget(&id);
                shared.previews.forget(&id);
                #[cfg(feature = "ssh")]
                shared.ssh.forget(&id);
                shared.events.publish(Event::Deleted(before));
            }
            done
        })
        .await
    }

    /// Runs an operation in a task of its own.
    async fn apart<T, F>(
        self: &Arc<Self>,
        operation: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let task = tokio::spawn(operation(Arc::clone(self)));
        task.await.map_err(|error| Error::Failed {
            what: "the operation ended before its result".to_owned(),
            source: Box::new(error),
        })?
    }

    fn begun(&self, created: Sandbox) -> Sandbox {
        drop(self.activity.begin(&created.id));
        let last = self.activity.last(&created.id);
        self.timers.follow(&created, last);
        self.events.publish(Event::Created(created.clone()));
        created
    }

    /// Reports a state that a sandbox is in until an operation has ended.
    fn report(&self, before: &Sandbox, state: State) {
        let mut sandbox = before.clone();
        let old = std::mem::replace(&mut sandbox.state, state);
        self.events.publish(Event::State { old, sandbox });
    }

    /// Reports the state after an operation, which may have failed.
    async fn ended(&self, before: Sandbox, done: Result<Sandbox, Error>) -> Result<Sandbox, Error> {
        let after = match &done {
            Ok(after) => Some(after.clone()),
            Err(_) => self.provider.get(&before.id).await.ok(),
        };
        if let Some(after) = after {
            // After a failure the deadline stays as it is: one that has passed would be tried again without a pause.
            if done.is_ok() {
                drop(self.activity.begin(&after.id));
                self.timers.follow(&after, self.activity.last(&after.id));
            }
            let old = before.state;
            self.events.publish(Event::State {
                old,
                sandbox: after,
            });
        }
        done
    }
}
