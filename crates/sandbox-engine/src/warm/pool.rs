//! A pool of one process that was started ahead, and is taken by one run or context.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::slot::Slot;
use crate::leader::Leader;
use crate::sync::lock;
use crate::termination::Termination;

/// A process that waits to be taken. It is killed and reaped if it is dropped, as on the way to what takes it.
pub(crate) trait Pooled: Sized + Send {
    /// All properties with which it is started. If two are equal, so are the processes.
    type Key: Clone + PartialEq + Send + Sync;

    /// What starts it.
    type Source: ?Sized + Send + Sync;

    /// Why it cannot be started.
    type Error: fmt::Display + Send;

    /// Reads the key of a process that would be started now instead; `None` if none could be.
    fn reread(
        source: &Self::Source,
        key: &Self::Key,
    ) -> impl Future<Output = Option<Self::Key>> + Send;

    /// Starts one. Resolves when it can be taken.
    fn begin(
        source: &Self::Source,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Self, Self::Error>> + Send;

    /// Returns the process.
    fn leader(&mut self) -> &mut Leader;

    /// Waits until it cannot be taken any more; returns whether another one would come to the same end, as one that exits by itself.
    /// Cancel safe.
    fn ended(&mut self) -> impl Future<Output = bool> + Send {
        async { matches!(self.leader().ended().await, Ok(Termination::Exited { .. })) }
    }

    /// Ends the process, if it has not ended, and waits for that.
    fn end(mut self) -> impl Future<Output = ()> + Send {
        async move {
            // One that does not end was reported.
            let _ = self.leader().kill().await;
        }
    }
}

/// The place of one such process. It ends when it has been idle for a while, and with the engine.
pub(crate) struct Pool<P: Pooled> {
    slot: Mutex<PoolSlot<P>>,
    idle: Duration,
}

type PoolSlot<P> = Slot<<P as Pooled>::Key, Owner<P>>;

/// The task that owns the process: it receives a channel, and sends the process through it.
pub(crate) struct Owner<P> {
    /// The id of the process.
    pid: u32,
    requests: oneshot::Sender<oneshot::Sender<P>>,
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
        source: Arc<P::Source>,
        stop: CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<P>> {
        let key = self.slot().begin()?;
        Some(own(Arc::downgrade(self), key, source, stop))
    }

    /// Returns the id of the process that can be taken, if there is one.
    pub(crate) fn ready(&self) -> Option<u32> {
        match &*self.slot() {
            Slot::Ready(_, owner) => Some(owner.pid),
            _ => None,
        }
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
        owner.requests.send(give).ok()?;
        // The task drops the channel if the process has ended meanwhile.
        given.await.ok()
    }

    /// Clears the slot if the task of its process has released that.
    fn forget(&self, is_unfit: bool) {
        let mut slot = self.slot();
        match std::mem::take(&mut *slot) {
            // Another process may be in the slot by this time; the channel of that is open.
            Slot::Ready(key, owner) if owner.requests.is_closed() => {
                if is_unfit {
                    *slot = Slot::Unfit(key, Instant::now());
                }
            }
            other => *slot = other,
        }
    }

    pub(super) fn slot(&self) -> MutexGuard<'_, PoolSlot<P>> {
        lock(&self.slot)
    }
}

impl<P: Pooled> fmt::Debug for Pool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("ready", &self.ready())
            .finish_non_exhaustive()
    }
}

/// Starts a process; `None` if it may not be what the key says. The key was read for an earlier run, and what it is of may have changed
/// since, and change back before the next.
async fn begin<P: Pooled>(source: &P::Source, key: &P::Key) -> Option<Result<P, P::Error>> {
    let is_current = async || P::reread(source, key).await.as_ref() == Some(key);
    if !is_current().await {
        return None;
    }
    let begun = P::begin(source, key).await;
    if is_current().await {
        return Some(begun);
    }
    tracing::debug!("what a spare process inherits changed while it was started");
    if let Ok(process) = begun {
        process.end().await;
    }
    None
}

/// Starts a process, and owns it until it is taken.
async fn own<P: Pooled>(
    pool: Weak<Pool<P>>,
    key: P::Key,
    source: Arc<P::Source>,
    stop: CancellationToken,
) {
    // The engine is ending, and may not wait for this task any more.
    if stop.is_cancelled() {
        return;
    }
    let Some(begun) = begin::<P>(&source, &key).await else {
        if let Some(owner) = pool.upgrade() {
            *owner.slot() = Slot::Empty;
        }
        return;
    };
    let Some(owner) = pool.upgrade() else {
        if let Ok(process) = begun {
            process.end().await;
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
    let (requests, mut taken) = oneshot::channel::<oneshot::Sender<P>>();
    let (pid, idle) = (pooled.leader().pid(), owner.idle);
    *owner.slot() = Slot::Ready(key, Owner { pid, requests });
    // The task does not hold the pool: when that is dropped, so is the sender in its slot, which
    // resolves `taken` and ends the process.
    drop(owner);
    let mut is_unfit = false;
    // In this order: a process that has ended is not passed on, and one that is wanted when its time is up is.
    tokio::select! {
        biased;
        would_end = pooled.ended() => is_unfit = would_end,
        to = &mut taken => if let Ok(to) = to {
            match to.send(pooled) {
                Ok(()) => return,
                // What wanted to take it was dropped meanwhile.
                Err(unwanted) => pooled = unwanted,
            }
        },
        () = stop.cancelled() => {}
        () = tokio::time::sleep(idle) => {}
    }
    // Before `forget`, which finds the slot of this task by its closed channel.
    drop(taken);
    if let Some(owner) = pool.upgrade() {
        owner.forget(is_unfit);
    }
    pooled.end().await;
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::environment::Environment;
    use crate::spawner::{
        ChildFd, Direct, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawner,
    };

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

    struct Sleeper(Leader);

    impl Pooled for Sleeper {
        type Key = Key;
        type Source = dyn Spawner;
        type Error = SpawnError;

        async fn reread(_: &Self::Source, key: &Key) -> Option<Key> {
            let of = key.world.load(Ordering::Relaxed);
            Some(Key { of, ..key.clone() })
        }

        async fn begin(spawner: &Self::Source, key: &Key) -> Result<Self, SpawnError> {
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
            Ok(Self(Leader::new(spawned.pid, spawned.tag, spawned.exit)))
        }

        fn leader(&mut self) -> &mut Leader {
            &mut self.0
        }
    }

    /// Returns a pool, and the task that owns its process.
    async fn pool(key: &Key) -> (Arc<Pool<Sleeper>>, tokio::task::JoinHandle<()>) {
        let pool = Pool::ending_after(Duration::from_secs(600));
        assert!(pool.take(key.clone()).await.is_none());
        let spawner: Arc<dyn Spawner> = Arc::new(Direct::new());
        let owner = pool.owner(spawner, CancellationToken::new());
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
        eventually(|| pool.ready().is_some()).await;
        let mut taken = pool.take(key).await.unwrap();
        taken.leader().kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_process_that_is_passed_to_nobody_is_ended_and_reaped() {
        let key = Key::new(1, 1, 0);
        let (pool, owner) = pool(&key).await;
        eventually(|| pool.ready().is_some()).await;
        let Slot::Ready(_, held) = std::mem::take(&mut *pool.slot()) else {
            panic!("there is a process");
        };
        let (give, given) = oneshot::channel();
        assert!(held.requests.send(give).is_ok());
        // It has passed the process, and owns it no more.
        owner.await.unwrap();
        let process = key.process().unwrap();
        assert!(process.exists());
        drop(given);
        eventually(|| !process.exists()).await;
    }
}
