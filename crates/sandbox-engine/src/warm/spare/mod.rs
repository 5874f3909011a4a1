//! Spare processes of Node.js: a JavaScript or TypeScript program starts in one that is already running.
//!
//! A spare is the same process that a cold start would create: started through the same [`Spawner`], with the same executable,
//! arguments, environment, working directory and kinds of descriptors, in its own group, with its own label. It
//! loads `boot.cjs` as every program's process does, and waits where that reads the program from descriptor 3, which is
//! a memory file in a cold start, and a socket here. A program takes all of the spare: process, label, near ends of its
//! outputs, exit. So no program runs in a process in which another has run, and all that is known of a run is unchanged:
//! how it ended, its output, its limits, and its time limit, which counts from the moment the spare was taken.
//!
//! There is one spare at most; JavaScript and TypeScript share it. The first program runs cold;
//! when it has ended, not sooner, a spare is started, and again when the program that took it has ended. A program for which
//! the spare differs from a cold start ([`Key`]) starts cold, and the next spare is one for its kind. A spare that
//! is idle for [`WARM_IDLE`](crate::limits::WARM_IDLE) ends; so it does with the engine, also if that is killed, by the
//! end of the socket.
//!
//! # What is the same as in a cold start, and why
//!
//! - all of the environment, `NODE_*` too: a [`Key`] requires equal ones. With variables by which Node.js executes or reads
//!   files before the program (`NODE_OPTIONS`) it starts cold.
//! - executable: its inode and the time of its latest change are the same as at the start of the spare.
//! - what the start reads of the system (time zone, resolver, shared libraries, `openssl.cnf`, `NODE_EXTRA_CA_CERTS`, the memory
//!   by which the heap is sized), and what it inherits from the engine: a [`Key`] is of an equal [`World`](super::world::World).
//! - working directory: its inode and its path without links are the same. If it was removed and created again the program
//!   starts cold, as it does with another `package.json` in it or above it, which Node.js reads at its start and caches; other
//!   files, modules among them, are read when the program requests them.
//! - output of Node.js at its start: it is in the pipes that the program writes to.
//! - arguments: `boot.cjs` appends them to `process.argv`.
//! - start: the spare confirms the whole program, and begins when the engine closes the socket. One that has died or was stopped
//!   does not confirm: it is ended, and the program starts cold.
//! - random numbers, hash seeds, layout of memory: the process's own.
//! - timers: they count from the time at which they are set.
//!
//! # What differs
//!
//! - Process id and start time are older than the run, by up to `WARM_IDLE`. So are the origins of `performance.now()` and
//!   `process.uptime()`, and of values derived from them.
//! - `/proc/self/cmdline` has none of the program's arguments.
//!
//! A program that refers to this by name (`performance`, `uptime`, `/proc`, ...) starts cold; one that assembles the name,
//! or uses a package that does, is not detected.

mod key;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use self::key::Key;
use super::pool::{Pool, Pooled};
use super::stage;
use crate::launch::{Launcher, spawn_in_time};
use crate::leader::Leader;
use crate::limits::{WARM_IDLE, WARM_MESSAGE_BYTES, WARM_RESPONSE_TIMEOUT};
use crate::scripts::node::Source;
use crate::spawner::{SpawnError, SpawnSpec, Spawned, Spawner};
use crate::tag::Tag;

/// Returns whether a program with this text may start in a spare: a scan of the text, not an analysis.
pub(crate) fn may_begin(text: &str) -> bool {
    let is_told = stage::identifiers(text).any(|word| OF_THE_PROCESS.contains(&word));
    !is_told && !text.contains("/proc")
}

/// The spare processes of an engine.
#[derive(Debug)]
pub(crate) struct Spares(Arc<Pool<Spare>>);

/// A spare process.
#[derive(Debug)]
pub(crate) struct Spare {
    leader: Leader,
    tag: Option<Tag>,
    /// The near ends of its outputs.
    fds: Vec<Option<OwnedFd>>,
    /// The socket from which the spare reads its program.
    line: UnixStream,
}

impl Spares {
    pub(super) fn new() -> Arc<Self> {
        Self::ending_after(WARM_IDLE)
    }

    fn ending_after(idle: Duration) -> Arc<Self> {
        Arc::new(Self(Pool::ending_after(idle)))
    }

    /// Returns a spawner that starts a program in a spare if possible, else through `cold`.
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

    /// Starts the wanted spare, in the background.
    pub(crate) fn prepare(&self, launcher: &Launcher) {
        let owner = (self.0).owner(launcher.spawner(), launcher.stopped());
        if let Some(owner) = owner {
            launcher.track(owner);
        }
    }

    /// Returns whether there is a spare to take.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.ready().is_some()
    }

    /// Runs the program in a spare. Returns `None` if there is none for it; then the program did not begin.
    async fn start(&self, spec: &SpawnSpec, source: &Source) -> Option<Spawned> {
        let key = Key::of(spec).await?;
        let arguments = &spec.argv[key::ARGUMENTS..];
        let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        if bytes > WARM_MESSAGE_BYTES || arguments.iter().any(has_nul) {
            return None;
        }
        let spare = self.0.take(key).await?;
        spare.run(&source.in_socket(arguments)).await
    }
}

impl Pooled for Spare {
    type Key = Key;
    type Source = dyn Spawner;
    type Error = SpawnError;

    async fn reread(_: &Self::Source, key: &Key) -> Option<Key> {
        key.reread().await
    }

    async fn begin(spawner: &Self::Source, key: &Key) -> Result<Self, SpawnError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let line = UnixStream::from_std(ours)?;
        let spawned = spawn_in_time(spawner, key.spec(theirs.into())).await?;
        Ok(Self {
            leader: Leader::new(spawned.pid, spawned.tag, spawned.exit),
            tag: spawned.tag,
            fds: spawned.fds,
            line,
        })
    }

    fn leader(&mut self) -> &mut Leader {
        &mut self.leader
    }
}

impl Spare {
    /// Runs the program in the spare. Returns `None` if the spare does not confirm it; then it has not begun, and the spare ended.
    async fn run(self, told: &[u8]) -> Option<Spawned> {
        let Self {
            leader,
            tag,
            fds,
            mut line,
        } = self;
        let pid = leader.pid();
        let exchange = async {
            line.write_all(told).await?;
            line.read_u8().await
        };
        if let Ok(Ok(_)) = timeout(WARM_RESPONSE_TIMEOUT, exchange).await {
            // The program begins when the line is closed.
            return Some(Spawned {
                pid,
                tag,
                fds,
                exit: leader.release(),
            });
        }
        tracing::debug!(pid, "a spare process does not take its program");
        // Killed before it could read that there is no more.
        drop(leader);
        drop(line);
        None
    }
}

/// Starts a program in a spare if possible, and otherwise through another spawner.
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

fn has_nul(argument: &OsString) -> bool {
    argument.as_bytes().contains(&0)
}

/// Words by which a program refers to the start of its process: its time, or its parameters.
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
