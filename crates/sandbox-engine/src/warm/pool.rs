//! A pool of one process that was started ahead, and is taken by one run.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::slot::Slot;
use crate::leader::Leader;
use crate::spawner::{Exited, SpawnError, Spawned, Spawner};
use crate::termination::Termination;

/// A process that waits for the run that takes it.
pub(crate) trait Pooled: Sized + Send {
    /// All properties with which it is started. If two are equal, so are the processes.
    type Key: Clone + PartialEq + Send + Sync;

    /// Reads the key of a process that would be started now instead; `None` if none could be.
    fn reread(key: &Self::Key) -> impl Future<Output = Option<Self::Key>> + Send;

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
type PoolSlot<P> = Slot<<P as Pooled>::Key, oneshot::Sender<oneshot::Sender<Passed<P>>>>;

/// A process on its way to the run that takes it. It is killed and reaped if the run does not receive it.
pub(super) struct Passed<P: Pooled>(Option<P>);

impl<P: Pooled> Drop for Passed<P> {
    fn drop(&mut self) {
        if let Some(lost) = self.0.take() {
            let Spawned { pid, tag, exit, .. } = lost.into_process();
            drop(Leader::new(pid, tag, exit));
        }
    }
}

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
        given.await.ok()?.0.take()
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

/// Starts a process; `None` if it may not be what the key says. The key was read for an earlier run, and what it is of may have changed
/// since, and change back before the next.
async fn begin<P: Pooled>(spawner: &dyn Spawner, key: &P::Key) -> Option<Result<P, SpawnError>> {
    let is_current = async || P::reread(key).await.as_ref() == Some(key);
    if !is_current().await {
        return None;
    }
    let begun = P::begin(spawner, key).await;
    if is_current().await {
        return Some(begun);
    }
    tracing::debug!("what a spare process inherits changed while it was started");
    if let Ok(process) = begun {
        let _ = process.into_process().kill().await;
    }
    None
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
    let Some(begun) = begin::<P>(&*spawner, &key).await else {
        if let Some(owner) = pool.upgrade() {
            *owner.slot() = Slot::Empty;
        }
        return;
    };
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
    let (owned, mut taken) = oneshot::channel::<oneshot::Sender<Passed<P>>>();
    let idle = owner.idle;
    *owner.slot() = Slot::Ready(key, owned);
    drop(owner);
    let mut ended = None;
    // In this order: a process that has exited is not passed to a run, and one that is wanted when its time is up is.
    tokio::select! {
        biased;
        how = &mut pooled.process().exit => ended = Some(how),
        to = &mut taken => if let Ok(to) = to {
            match to.send(Passed(Some(pooled))) {
                Ok(()) => return,
                Err(mut unwanted) => match unwanted.0.take() {
                    Some(back) => pooled = back,
                    None => return,
                },
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::environment::Environment;
    use crate::spawner::{ChildFd, Direct, ProcessGroup, SpawnLimits, SpawnSpec};

    /// A key of a world with one number, which the start of a process may change.
    #[derive(Debug, Clone)]
    struct Key {
        of: u32,
        world: Arc<AtomicU32>,
        adds: u32,
        pid: Arc<AtomicU32>,
    }

    impl Key {
        fn new(of: u32, now: u32, adds: u32) -> Self {
            Self {
                of,
                world: Arc::new(now.into()),
                adds,
                pid: Arc::default(),
            }
        }

        /// Returns the process that was started, if any.
        fn process(&self) -> Option<PathBuf> {
            let pid = self.pid.load(Ordering::Relaxed);
            (pid != 0).then(|| format!("/proc/{pid}").into())
        }
    }

    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.of == other.of
        }
    }

    struct Sleeper(Spawned);

    impl Pooled for Sleeper {
        type Key = Key;

        async fn reread(key: &Key) -> Option<Key> {
            let of = key.world.load(Ordering::Relaxed);
            Some(Key { of, ..key.clone() })
        }

        async fn begin(spawner: &dyn Spawner, key: &Key) -> Result<Self, SpawnError> {
            let spec = SpawnSpec {
                program: "/bin/sleep".into(),
                argv: ["sleep", "600"].map(Into::into).into(),
                env: Environment::empty(),
                cwd: "/".into(),
                fds: vec![ChildFd::Null; 3],
                group: ProcessGroup::Own,
                limits: SpawnLimits::default(),
            };
            let spawned = spawner.spawn(spec).await?;
            key.pid.store(spawned.pid, Ordering::Relaxed);
            key.world.fetch_add(key.adds, Ordering::Relaxed);
            Ok(Self(spawned))
        }

        fn process(&mut self) -> &mut Spawned {
            &mut self.0
        }

        fn into_process(self) -> Spawned {
            self.0
        }
    }

    /// Returns a pool, and the task that owns its process.
    async fn pool(key: &Key) -> (Arc<Pool<Sleeper>>, tokio::task::JoinHandle<()>) {
        let pool = Pool::ending_after(Duration::from_secs(600));
        assert!(pool.take(key.clone()).await.is_none());
        let owner = pool.owner(Arc::new(Direct::new()), CancellationToken::new());
        let owner = tokio::spawn(owner.unwrap());
        (pool, owner)
    }

    async fn eventually(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "it did not come true");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_process_that_is_not_what_its_key_says_is_not_kept() {
        for (now, adds) in [(2, 0), (2, u32::MAX), (1, 1)] {
            let key = Key::new(1, now, adds);
            let (pool, owner) = pool(&key).await;
            let ended = tokio::time::timeout(Duration::from_secs(20), owner).await;
            ended.expect("nothing is kept").unwrap();
            assert!(matches!(*pool.slot(), Slot::Empty));
            assert_eq!(key.process().is_some(), now == 1, "{now}, {adds}");
            assert!(!key.process().is_some_and(|process| process.exists()));
        }
        let key = Key::new(1, 1, 0);
        let (pool, _owner) = pool(&key).await;
        eventually(|| pool.is_ready()).await;
        let taken = pool.take(key).await.unwrap();
        taken.into_process().kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_process_that_is_passed_to_nobody_is_ended_and_reaped() {
        let key = Key::new(1, 1, 0);
        let (pool, owner) = pool(&key).await;
        eventually(|| pool.is_ready()).await;
        let Slot::Ready(_, requests) = std::mem::take(&mut *pool.slot()) else {
            panic!("there is a process");
        };
        let (give, given) = oneshot::channel();
        assert!(requests.send(give).is_ok());
        // It has passed the process, and owns it no more.
        owner.await.unwrap();
        let process = key.process().unwrap();
        assert!(process.exists());
        drop(given);
        eventually(|| !process.exists()).await;
    }
}
