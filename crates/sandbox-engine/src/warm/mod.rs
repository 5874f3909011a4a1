//! Warm starts: a Python program starts as a fork of an interpreter that is already running, and one of Node.js in a pooled
//! process ([`spare`]).
//!
//! A fork server is an interpreter that was started exactly as one for a program is, through the same [`Spawner`], with
//! the same executable, environment, working directory and kinds of descriptors; `server.py` holds it before the point at
//! which `boot.py` begins. A program with any other property starts cold, and so does one that the server or a check of
//! its text ([`Stage::of`]) rejects. There is one server per [`Stage`]. The first program of a stage runs
//! cold; its server starts when that has ended, so that it imports nothing that no program has imported before, and ends
//! when idle for [`WARM_IDLE`](crate::limits::WARM_IDLE), or with the engine.
//!
//! # What is the same as in a cold start, and why
//!
//! - environment, locale, hash seed if one is set, umask, resource limits, nice value, signal dispositions and mask, user,
//!   `sys.flags`, `sys.path`, standard streams and their encodings: inherited from a process that had them from the same
//!   start. Only equal environments are served; `PYTHONPATH` and other variables of Python's that do more than set a flag
//!   are not served at all.
//! - working directory: entered again for each program, so that a replaced directory is seen.
//! - descriptors: 0 to 4 are the program's own, passed over the socket; all others are closed.
//! - process group and session, label, out-of-memory score: its own group in the engine's session, labeled from outside
//!   before the program may begin, the score inherited.
//! - arguments, `__main__`, tracebacks, depth of the stack, exit status: `boot.py` runs at the same place of the stub, and
//!   the interpreter exits by itself.
//! - the program's end: nothing is in the garbage collector's permanent generation, so files are flushed, and `__del__` and
//!   the `finally` of generators run, as usual.
//! - exit: reported by a pidfd; the server reaps on request, so the process id stays reserved as long as for a direct child.
//! - what the start reads of the system (time zone, locale, resolver, shared libraries), and what it inherits from the engine
//!   (limits, umask, nice value, affinity, user, control group, namespaces): a server is for programs of an equal [`World`].
//! - random numbers: `random` and numpy seed themselves again. A program that makes a set or requests a hash ([`seed`]) starts
//!   cold, unless the environment sets the seed of hashes.
//! - installed packages: files of all loaded modules, mapped libraries, the directories of `sys.path` and those in which packages
//!   are installed, `.pth` files and the files that matplotlib read are checked before each fork. If one has changed, the server
//!   ends. If an entry of the working directory has the name of a module that a server imported, the program starts cold.
//! - threads: a server that has more than one after a fork is not used. numpy's own are ended by numpy before a fork,
//!   and started again when they are needed.
//! - output of an interpreter at its start: a server that wrote anything is not used.
//!
//! # What differs
//!
//! - The parent is the server, and `/proc/self/cmdline` is the server's; start time and peak memory count from the server's.
//! - Programs of one server share the layout of memory, so addresses are alike, and the hash seed, so a set that a module makes
//!   has the same order in each.
//! - A program that writes to the memory of its parent, as any of the same user can, changes the initial state of later ones.
//!
//! A program that refers to any of this by name (`getppid`, `/proc`, `gc`, ...) starts cold; one that assembles the name
//! is not detected.

mod key;
pub(crate) mod pool;
mod seed;
mod server;
mod slot;
pub(crate) mod spare;
mod stage;
#[cfg(test)]
mod tests;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

pub(crate) use key::is_strange;
pub(crate) use server::{begun, ended, told};
use slot::Slot;
pub(crate) use stage::Stage;
pub(crate) use world::{Place, Version, World, versions};

use self::key::Key;
use self::server::{Refused, Server};
use self::spare::Spares;
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
