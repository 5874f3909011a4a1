//! The fork servers of an engine: one for each stage, and the task that owns its process.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Stage;
use super::key::Key;
use super::server::{Refused, Server};
use super::slot::Slot;
use super::spare::Spares;
use crate::launch::Launcher;
use crate::limits::{KILL_WAIT, WARM_IDLE};
use crate::spawner::{SpawnError, SpawnSpec, Spawned, Spawner};
use crate::sync::lock;

/// The fork servers of an engine, and its spare processes.
#[derive(Debug)]
pub(crate) struct Warm {
    slots: Mutex<Slots>,
    idle: Duration,
    spares: Arc<Spares>,
}

/// One slot for each stage.
type Slots = [Slot<Key, Arc<Server>>; Stage::COUNT];

impl Warm {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::default(),
            idle: WARM_IDLE,
            spares: Spares::new(),
        })
    }

    /// Returns the spare processes for programs of Node.js.
    pub(crate) fn spares(&self) -> &Arc<Spares> {
        &self.spares
    }

    /// Returns a spawner that starts a program warm if possible, else through `cold`.
    pub(crate) fn spawner(
        self: &Arc<Self>,
        stage: Stage,
        cold: Arc<dyn Spawner>,
    ) -> Arc<dyn Spawner> {
        Arc::new(WarmSpawner {
            warm: Arc::clone(self),
            stage,
            cold,
        })
    }

    /// Starts the wanted server, in the background.
    pub(crate) fn prepare(self: &Arc<Self>, stage: Stage, launcher: &Launcher) {
        let Some(key) = self.slots()[stage as usize].begin() else {
            return;
        };
        let (spawner, stop) = (launcher.spawner(), launcher.stopped());
        launcher.track(keep(Arc::downgrade(self), stage, key, spawner, stop));
    }

    async fn start(&self, stage: Stage, spec: &SpawnSpec) -> Option<Spawned> {
        let key = Key::of(spec).await?;
        // Cloned out of the lock, which must not be held while the server responds.
        let server = match &self.slots()[stage as usize] {
            Slot::Ready(of, server) if *of == key => Some(Arc::clone(server)),
            _ => None,
        };
        if let Some(server) = server {
            match server.start(spec).await {
                Ok(spawned) => return Some(spawned),
                // Unfit for this program only: the server stays in its slot.
                Err(Refused::Cold) => return None,
                Err(Refused::Done) => self.forget(stage, &Arc::downgrade(&server)),
            }
        }
        self.slots()[stage as usize].want(key);
        None
    }

    /// Removes a server from its slot.
    fn forget(&self, stage: Stage, server: &Weak<Server>) {
        let slot = &mut self.slots()[stage as usize];
        if let Slot::Ready(_, ready) = slot
            && std::ptr::eq(Arc::as_ptr(ready), server.as_ptr())
        {
            *slot = Slot::Empty;
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }
}

/// Starts programs warm if possible, and the others through another spawner.
#[derive(Debug)]
struct WarmSpawner {
    warm: Arc<Warm>,
    stage: Stage,
    cold: Arc<dyn Spawner>,
}

impl Spawner for WarmSpawner {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        Box::pin(async move {
            match self.warm.start(self.stage, &spec).await {
                Some(spawned) => Ok(spawned),
                None => self.cold.spawn(spec).await,
            }
        })
    }
}

/// Runs the task that owns a server's process.
async fn keep(
    warm: Weak<Warm>,
    stage: Stage,
    key: Key,
    spawner: Arc<dyn Spawner>,
    stop: CancellationToken,
) {
    let begun = Server::begin(&*spawner, &key, stage).await;
    // With the engine's state dropped, so is the server's socket, at whose end its process exits.
    let Some(owner) = warm.upgrade() else { return };
    let idle = owner.idle;
    let (mut spawned, server) = match begun {
        Ok((spawned, Ok(server))) => (spawned, Arc::new(server)),
        Ok((spawned, Err(error))) => {
            tracing::debug!(?stage, %error, "programs of this kind start cold");
            owner.slots()[stage as usize] = Slot::Unfit(key, Instant::now());
            end(spawned).await;
            return;
        }
        Err(error) => {
            tracing::debug!(?stage, %error, "cannot start a fork server");
            owner.slots()[stage as usize] = Slot::Unfit(key, Instant::now());
            return;
        }
    };
    let (broken, gone) = (server.broken.clone(), server.gone.clone());
    let held = Arc::downgrade(&server);
    owner.slots()[stage as usize] = Slot::Ready(key, server);
    drop(owner);
    let has_ended = tokio::select! {
        _ = &mut spawned.exit => true,
        () = stop.cancelled() => false,
        () = broken.cancelled() => false,
        () = unused(&held, idle) => false,
    };
    // Each running program of the server holds it; the server ends after the last of them.
    if let Some(owner) = warm.upgrade() {
        owner.forget(stage, &held);
    }
    let has_ended = has_ended
        || tokio::select! {
            _ = &mut spawned.exit => true,
            () = broken.cancelled() => false,
            () = async { stop.cancelled().await; tokio::time::sleep(2 * KILL_WAIT).await } => false,
        };
    if !has_ended {
        end(spawned).await;
    }
    // Only now: a program that is left is adopted when its parent has ended, and can be reaped
    // then.
    gone.cancel();
}

/// Ends a fork server, but none of the programs that it started.
async fn end(server: Spawned) {
    // One that does not end was reported.
    let _ = server.kill().await;
}

/// Waits until a server was idle for `idle`, or has been dropped.
async fn unused(server: &Weak<Server>, idle: Duration) {
    while let Some(used) = server.upgrade().map(|server| server.last_used()) {
        let left = idle.saturating_sub(used.elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}
