//! A pool of one process that was started ahead, and is taken by one run.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::slot::Slot;
use crate::spawner::{Exited, SpawnError, Spawned, Spawner};
use crate::termination::Termination;

/// A process that waits for the run that takes it.
pub(crate) trait Pooled: Sized + Send {
    /// All properties with which it is started. If two are equal, so are the processes.
    type Key: Clone + PartialEq + Send;

    /// Starts one. Resolves when it can be taken.
    fn begin(
        spawner: &dyn Spawner,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Self, SpawnError>> + Send;

    /// Returns the process.
    fn process(&mut self) -> &mut Spawned;

    /// Returns the process without what it waits for.
    fn into_process(self) -> Spawned;
}

/// The place of one such process. It ends when it has been idle for a while, and with the engine.
pub(crate) struct Pool<P: Pooled> {
    slot: Mutex<PoolSlot<P>>,
    idle: Duration,
}

/// The slot of the process; its owner task receives a channel, and sends the process through it.
type PoolSlot<P> = Slot<<P as Pooled>::Key, oneshot::Sender<oneshot::Sender<P>>>;

impl<P: Pooled> Pool<P> {
    /// Creates a pool whose process ends when idle for this long.
    pub(crate) fn ending_after(idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            slot: Mutex::new(Slot::Empty),
            idle,
        })
    }

    /// Returns the work of the task that starts the wanted process and owns it until it is taken, if one is wanted.
    pub(crate) fn owner(
        self: &Arc<Self>,
        spawner: Arc<dyn Spawner>,
        stop: CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<P>> {
        let key = self.slot().begin()?;
        Some(own(Arc::downgrade(self), key, spawner, stop))
    }

    /// Returns whether there is a process to take.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(*self.slot(), Slot::Ready(..))
    }

    /// Returns the process for this key, if there is one, and [wants](Slot::want) another.
    pub(crate) async fn take(&self, key: P::Key) -> Option<P> {
        let before = self.slot().want(key.clone())?;
        let Slot::Ready(of, owner) = before else {
            return None;
        };
        if of != key {
            return None;
        }
        let (give, given) = oneshot::channel();
        owner.send(give).ok()?;
        given.await.ok()
    }

    /// Clears the slot if the task of its process has released that.
    fn forget(&self, is_unfit: bool) {
        let mut slot = self.slot();
        match std::mem::take(&mut *slot) {
            Slot::Ready(key, owner) if owner.is_closed() => {
                if is_unfit {
                    *slot = Slot::Unfit(key, Instant::now());
                }
            }
            other => *slot = other,
        }
    }

    pub(super) fn slot(&self) -> MutexGuard<'_, PoolSlot<P>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Pooled> fmt::Debug for Pool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ready = self.is_ready();
        f.debug_struct("Pool")
            .field("is_ready", &is_ready)
            .finish_non_exhaustive()
    }
}

/// Starts a process, and owns it until it is taken.
async fn own<P: Pooled>(
    pool: Weak<Pool<P>>,
    key: P::Key,
    spawner: Arc<dyn Spawner>,
    stop: CancellationToken,
) {
    // The engine is ending, and may not wait for this task any more.
    if stop.is_cancelled() {
        return;
    }
    let begun = P::begin(&*spawner, &key).await;
    let Some(owner) = pool.upgrade() else {
        if let Ok(process) = begun {
            let _ = process.into_process().kill().await;
        }
        return;
    };
    let mut pooled = match begun {
        Ok(process) => process,
        Err(error) => {
            tracing::debug!(%error, "cannot start a spare process");
            *owner.slot() = Slot::Unfit(key, Instant::now());
            return;
        }
    };
    let (owned, mut taken) = oneshot::channel::<oneshot::Sender<P>>();
    let idle = owner.idle;
    *owner.slot() = Slot::Ready(key, owned);
    drop(owner);
    let mut ended = None;
    // In this order: a process that has exited is not passed to a run, and one that is wanted when its time is up is.
    tokio::select! {
        biased;
        how = &mut pooled.process().exit => ended = Some(how),
        to = &mut taken => if let Ok(to) = to {
            match to.send(pooled) {
                Ok(()) => return,
                Err(unwanted) => pooled = unwanted,
            }
        },
        () = stop.cancelled() => {}
        () = tokio::time::sleep(idle) => {}
    }
    drop(taken);
    // One that exits by itself would do so again the next time.
    let is_unfit = matches!(
        ended,
        Some(Ok(Exited {
            termination: Termination::Exited { .. },
            ..
        }))
    );
    if let Some(owner) = pool.upgrade() {
        owner.forget(is_unfit);
    }
    if ended.is_none() {
        let _ = pooled.into_process().kill().await;
    }
}
