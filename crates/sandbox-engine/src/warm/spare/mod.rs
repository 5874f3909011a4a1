//! Spare processes of Node.js: a JavaScript or TypeScript program begins in one that has started already.
//!
//! A spare is the very process that a cold start would make: started through the same [`Spawner`], with the same executable,
//! arguments, environment, working directory and kinds of descriptors, in a group of its own, with a label of its own. It
//! loads `boot.cjs` as every program's process does, and waits where that reads the program from descriptor 3, which is
//! a memory file in a cold start, and a socket here. Who takes a spare takes all of it: process, label, near ends of its
//! outputs, exit. So no program runs in a process in which another has run, and all that is known of a run is as it would
//! be: how it ended, what it wrote, what its limits are, its time limit too, which counts from the moment it was taken.
//!
//! There is one spare at most; JavaScript and TypeScript share it. The first program runs cold;
//! when it has ended, not sooner, a spare is started, and again when the program that took it has. A program for which the
//! spare is not what a cold start would be ([`Key`]) starts cold, and the next spare is one for its like. A spare that
//! nobody took for [`WARM_IDLE`](crate::limits::WARM_IDLE) ends; so it does with the engine, also if that is killed, by the
//! end of the socket.
//!
//! # What is the same as in a cold start, and why
//!
//! - all of the environment, `NODE_*` too: a [`Key`] is of equal ones only. Variables by which Node.js executes or reads
//!   files before the program (`NODE_OPTIONS`) start it cold.
//! - executable: its inode and the time of its latest change are the same as when the spare started.
//! - what the start reads of the system (time zone, resolver, shared libraries, `openssl.cnf`, `NODE_EXTRA_CA_CERTS`, the memory
//!   by which the heap is sized), and what it inherits from the engine: a [`Key`] is of an equal [`World`](super::world::World).
//! - working directory: its inode and its path without links are. One that was removed and made anew starts the program
//!   cold, as does another `package.json` in it or above it, which Node.js reads at its start and remembers; other files,
//!   modules among them, are read when the program asks for them.
//! - what Node.js writes when it starts: it is in the pipes that the program writes to.
//! - arguments: `boot.cjs` puts them behind what `process.argv` has.
//! - beginning: the spare says that it has the whole program, and begins when it is told so. One that has died or was stopped
//!   says nothing: it is ended, and the program starts cold.
//! - random numbers, hash seeds, layout of memory: the process's own.
//! - timers: they count from the time at which they are set.
//!
//! # What differs
//!
//! - Process id and start time are older than the run, by up to `WARM_IDLE`. So are the origins of `performance.now()` and
//!   `process.uptime()`, and of what is derived of them.
//! - `/proc/self/cmdline` has none of the program's arguments.
//!
//! A program that looks at this by name (`performance`, `uptime`, `/proc`, ...) starts cold; one that puts the name together,
//! or has a package look, is not noticed.

mod key;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::key::Key;
use super::slot::Slot;
use super::stage;
use crate::launch::{Launcher, spawn_in_time};
use crate::limits::{WARM_ANSWER, WARM_IDLE, WARM_MESSAGE_BYTES};
use crate::scripts::node::Source;
use crate::spawner::{SpawnError, SpawnSpec, Spawned, Spawner};
use crate::termination::Termination;

/// Whether a program with this text may begin in a spare: a look at the text, not an analysis.
pub(crate) fn may_begin(text: &str) -> bool {
    let is_told = stage::identifiers(text).any(|word| OF_THE_PROCESS.contains(&word));
    !is_told && !text.contains("/proc")
}

/// The spare processes of an engine.
#[derive(Debug)]
pub(crate) struct Spares {
    slot: Mutex<SpareSlot>,
    idle: Duration,
}

/// The task that owns a spare is told where to send it, and sends it there.
type SpareSlot = Slot<Key, oneshot::Sender<oneshot::Sender<Spare>>>;

#[derive(Debug)]
struct Spare {
    spawned: Spawned,
    /// Where it reads what to run.
    line: UnixStream,
}

impl Spares {
    pub(super) fn new() -> Arc<Self> {
        Self::ending_after(WARM_IDLE)
    }

    fn ending_after(idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            slot: Mutex::default(),
            idle,
        })
    }

    /// Returns a spawner that has a program begin in a spare if it can, else starts it through `cold`.
    pub(crate) fn spawner(
        self: &Arc<Self>,
        source: Source,
        cold: Arc<dyn Spawner>,
    ) -> Arc<dyn Spawner> {
        Arc::new(SpareSpawner {
            spares: Arc::clone(self),
            source,
            cold,
        })
    }

    /// Starts the spare that was found missing, in the background.
    pub(crate) fn prepare(self: &Arc<Self>, launcher: &Launcher) {
        let Some(key) = self.slot().begin() else {
            return;
        };
        let (spawner, stop) = (launcher.spawner_handle(), launcher.stopped());
        launcher.track(keep(Arc::downgrade(self), key, spawner, stop));
    }

    /// Has a spare run the program. `None` if there is none for it; then the program did not begin.
    async fn start(&self, spec: &SpawnSpec, source: &Source) -> Option<Spawned> {
        let key = Key::of(spec)?;
        let arguments = &spec.argv[key::ARGUMENTS..];
        let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        if bytes > WARM_MESSAGE_BYTES || arguments.iter().any(has_nul) {
            return None;
        }
        let spare = self.take(key).await?;
        spare.run(&source.in_socket(arguments)).await
    }

    /// The spare for this key, if there is one. Another is wanted then, and also if there is none.
    async fn take(&self, key: Key) -> Option<Spare> {
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

    /// Forgets the spare of a task that has let go of it.
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

    fn slot(&self) -> MutexGuard<'_, SpareSlot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spare {
    async fn begin(spawner: &dyn Spawner, key: &Key) -> Result<Self, SpawnError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let line = UnixStream::from_std(ours)?;
        let spawned = spawn_in_time(spawner, key.spec(theirs.into())).await?;
        Ok(Self { spawned, line })
    }

    /// Has it run this. `None` if it does not say that it has all of it; then it has begun nothing, and has ended.
    async fn run(self, told: &[u8]) -> Option<Spawned> {
        let Self { spawned, mut line } = self;
        let exchange = async {
            line.write_all(told).await?;
            line.read_u8().await
        };
        if let Ok(Ok(_)) = timeout(WARM_ANSWER, exchange).await {
            // It begins when the line is closed.
            return Some(spawned);
        }
        tracing::debug!(
            pid = spawned.pid,
            "a spare process does not take its program"
        );
        let _ = spawned.kill().await;
        drop(line);
        None
    }
}

/// Begins a program in a spare if it can, and otherwise through another spawner.
#[derive(Debug)]
struct SpareSpawner {
    spares: Arc<Spares>,
    source: Source,
    cold: Arc<dyn Spawner>,
}

impl Spawner for SpareSpawner {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        Box::pin(async move {
            match self.spares.start(&spec, &self.source).await {
                Some(spawned) => Ok(spawned),
                None => self.cold.spawn(spec).await,
            }
        })
    }
}

/// The task that owns a spare until that is taken.
async fn keep(spares: Weak<Spares>, key: Key, spawner: Arc<dyn Spawner>, stop: CancellationToken) {
    // Of an engine that ends nobody may wait for us any more.
    if stop.is_cancelled() {
        return;
    }
    let begun = Spare::begin(&*spawner, &key).await;
    let Some(owner) = spares.upgrade() else {
        if let Ok(spare) = begun {
            let _ = spare.spawned.kill().await;
        }
        return;
    };
    let mut spare = match begun {
        Ok(spare) => spare,
        Err(error) => {
            tracing::debug!(%error, "cannot start a spare process");
            *owner.slot() = Slot::Unfit(key, Instant::now());
            return;
        }
    };
    let (owned, mut taken) = oneshot::channel::<oneshot::Sender<Spare>>();
    let idle = owner.idle;
    *owner.slot() = Slot::Ready(key, owned);
    drop(owner);
    let mut ended = None;
    tokio::select! {
        biased;
        how = &mut spare.spawned.exit => ended = Some(how),
        to = &mut taken => if let Ok(to) = to {
            match to.send(spare) {
                Ok(()) => return,
                Err(unwanted) => spare = unwanted,
            }
        },
        () = stop.cancelled() => {}
        () = tokio::time::sleep(idle) => {}
    }
    drop(taken);
    // One that ends by itself would do so the next time.
    let is_unfit = matches!(ended, Some(Ok(Termination::Exited { .. })));
    if let Some(owner) = spares.upgrade() {
        owner.forget(is_unfit);
    }
    if ended.is_none() {
        let _ = spare.spawned.kill().await;
    }
}

fn has_nul(argument: &OsString) -> bool {
    argument.as_bytes().contains(&0)
}

/// Words by which a program looks at when its process started, or at what that was started with.
const OF_THE_PROCESS: &[&str] = &[
    "_idleStart",
    "_startTime",
    "cmdline",
    "getReport",
    "moduleLoadList",
    "perf_hooks",
    "performance",
    "timeOrigin",
    "timeStamp",
    "uptime",
    "writeReport",
];
