//! Sandboxes on this machine: a daemon in namespaces of its own, and a directory.

mod blocking;
mod bounds;
mod changed;
mod copy;
mod daemon;
mod entry;
mod launch;
mod lifecycle;
mod network;
mod open;
mod record;
mod remove;
mod store;
mod stored;
mod validate;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::provider::Provider;
use crate::sandbox::{Change, Sandbox, SandboxId, Spec, State, Stop};
use bounds::Bounds;
use changed::Changed;
use entry::Entry;
pub use network::LocalNetwork;
use network::Outside;
pub use open::LocalBuilder;
use store::Store;

/// Sandboxes on this machine.
///
/// Each is a daemon in namespaces of its own, with a home directory on this machine's disk. Neither root nor a container engine
/// is needed. They outlive this process: the next `Local` on the same state directory finds them.
///
/// Clones are handles to the same provider. Dropping the last one leaves the sandboxes running.
#[derive(Debug, Clone)]
pub struct Local {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    images: HashMap<String, PathBuf>,
    hidden: launch::Hidden,
    most: usize,
    users: launch::Users,
    bounds: Bounds,
    outside: Outside,
    warnings: Vec<String>,
    entries: Mutex<HashMap<SandboxId, Arc<Entry>>>,
    starts: Semaphore,
    changed: Changed,
    /// Released when the last handle is dropped.
    _lock: File,
}

impl Inner {
    fn entries(&self) -> MutexGuard<'_, HashMap<SandboxId, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, id: &SandboxId) -> Result<Arc<Entry>, Error> {
        let entries = self.entries();
        let entry = entries.get(id).cloned();
        entry.ok_or_else(|| Error::NotFound { id: id.to_string() })
    }
}

impl Local {
    /// Returns what sandboxes of this provider lack on this machine, each in a sentence for people. Empty if they lack nothing.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Runs a change in a task, so that it is completed also if the caller does not wait.
    async fn in_task<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let changed = tokio::spawn(change).await;
        changed.unwrap_or_else(|error| Err(Error::failed("the change was not completed", error)))
    }
}

impl Provider for Local {
    type Stream = UnixStream;

    async fn create(&self, spec: Spec) -> Result<Sandbox, Error> {
        let inner = Arc::clone(&self.inner);
        self.in_task(async move { inner.create(spec, None).await })
            .await
    }

    async fn get(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        Ok(self.inner.entry(id)?.sandbox())
    }

    async fn list(&self) -> Result<Vec<Sandbox>, Error> {
        let entries: Vec<_> = self.inner.entries().values().cloned().collect();
        let mut all: Vec<_> = entries.iter().map(|entry| entry.sandbox()).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(all)
    }

    async fn images(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<_> = self.inner.images.keys().cloned().collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn start(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let (inner, entry) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.start(&entry).await }).await
    }

    async fn stop(&self, id: &SandboxId, how: Stop) -> Result<Sandbox, Error> {
        let (inner, entry) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.stop(&entry, how).await })
            .await
    }

    async fn pause(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let (inner, entry) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.pause(&entry).await }).await
    }

    async fn fork(&self, id: &SandboxId, spec: Spec) -> Result<Sandbox, Error> {
        let (inner, source) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.create(spec, Some(source)).await })
            .await
    }

    async fn delete(&self, id: &SandboxId) -> Result<(), Error> {
        let (inner, entry) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.delete(&entry).await })
            .await
    }

    async fn change(&self, id: &SandboxId, change: Change) -> Result<Sandbox, Error> {
        let (inner, entry) = (Arc::clone(&self.inner), self.inner.entry(id)?);
        self.in_task(async move { inner.apply(&entry, change).await })
            .await
    }

    async fn changed(&self) -> Sandbox {
        loop {
            let id = self.inner.changed.next().await;
            // One that was deleted meanwhile is of no interest.
            if let Ok(entry) = self.inner.entry(&id) {
                return entry.sandbox();
            }
        }
    }

    async fn dial(&self, id: &SandboxId) -> Result<UnixStream, Error> {
        let entry = self.inner.entry(id)?;
        match entry.sandbox().state {
            State::Started => self.inner.store.connect(id).await,
            state => Err(Error::WrongState { state }),
        }
    }
}

/// How the sandboxes are isolated.
const ISOLATION: &str = "namespaces";
