//! The terminals of an engine.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::actor::Actor;
use super::boundary::{Boundaries, SPACING};
use super::error::CreatePtyError;
use super::handle::Pty;
use super::options::PtyOptions;
use super::pace::Readers;
use super::shared::{PtyState, Shared};
use super::start::environment;
use crate::core::Core;
use crate::limits::{DELETE, ENDED_PTYS, PTYS};
use crate::registry::{Id, Registry};
use crate::spawner::SpawnError;
use crate::terminal::{DEFAULT_TERM, TERM};
use crate::termination::Termination;

/// The terminals of an engine.
#[derive(Debug)]
pub struct Ptys {
    core: Arc<Core>,
    registry: Arc<Registry<Pty>>,
    /// How many bytes of a terminal's output are retained.
    ring_bytes: usize,
}

impl Ptys {
    pub(crate) fn new(core: Arc<Core>, ring_bytes: usize) -> Self {
        Self {
            core,
            registry: Registry::new(PTYS, ENDED_PTYS),
            ring_bytes,
        }
    }

    /// Creates a terminal, and starts its shell unless it is lazy.
    ///
    /// The shell is the engine's, interactive and a login shell, and leads a session of its own. It never waits for a reader:
    /// the newest [`PTY_RING_BYTES`](crate::limits::PTY_RING_BYTES) of what it writes are retained for later ones, and
    /// older bytes are dropped.
    ///
    /// When the shell ends by itself the terminal is hung up, as when a window is closed; its id is free again, and the
    /// [terminal](Self::get) itself can be read for a while longer.
    ///
    /// # Errors
    ///
    /// Returns [`CreatePtyError`] if the terminal was not created.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the terminal may or may not have been created.
    pub async fn create(&self, id: &str, options: PtyOptions) -> Result<Pty, CreatePtyError> {
        let id = Id::parse(id)?;
        let is_lazy = options.is_lazy;
        let mut env = options.env;
        let has_term = |(name, value): &(String, String)| name == TERM && !value.is_empty();
        if !env.iter().any(has_term) {
            env.retain(|(name, _)| name != TERM);
            env.push((TERM.to_owned(), DEFAULT_TERM.to_owned()));
        }
        // Checked now, so that a lazy terminal is refused as well.
        environment(&self.core, &env)?;
        let reserved = self.registry.reserve(id)?;
        let (requests, received) = mpsc::channel(REQUESTS);
        let pty = Pty {
            shared: Arc::new(Shared {
                id: reserved.id().to_owned(),
                cwd: options
                    .cwd
                    .unwrap_or_else(|| self.core.work_dir().to_owned()),
                env,
                isolation: self.core.isolation_or_default(options.isolation),
                limits: options.limits,
                created_at: SystemTime::now(),
                size: Mutex::new(options.size),
                state: watch::Sender::new(PtyState::Waiting),
                usage: OnceLock::new(),
                record: self.core.records().ring(self.ring_bytes),
                boundaries: Mutex::new(Boundaries::new(SPACING)),
                asked: AtomicU64::new(0),
                readers: Readers::default(),
                requests,
                not_started: tokio::sync::Mutex::new(Some(received)),
                doomed: CancellationToken::new(),
            }),
        };
        if is_lazy {
            reserved.fill(pty.clone());
            return Ok(pty);
        }
        let (core, registry) = (Arc::clone(&self.core), Arc::clone(&self.registry));
        let created = self.core.launcher().start_in_task(async move {
            let actor = Actor::start(&core, &registry, &pty).await?;
            // Registered before the shell runs, and may end.
            reserved.fill(pty.clone());
            if let Some(actor) = actor {
                core.launcher().track(actor.run());
            }
            Ok(pty)
        });
        created.await
    }

    /// Starts the shell of a lazy terminal. Does nothing if it has been started.
    ///
    /// # Errors
    ///
    /// Returns [`SpawnError`] if the shell was not started.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the shell may or may not have been started.
    pub async fn start(&self, pty: &Pty) -> Result<(), SpawnError> {
        if pty.state() != PtyState::Waiting {
            return Ok(());
        }
        let (core, registry) = (Arc::clone(&self.core), Arc::clone(&self.registry));
        let pty = pty.clone();
        let started = self.core.launcher().start_in_task(async move {
            if let Some(actor) = Actor::start(&core, &registry, &pty).await? {
                core.launcher().track(actor.run());
            }
            Ok(())
        });
        started.await
    }

    /// Returns the terminal with this id: one whose shell has not ended; else the last one that had it, if its output
    /// is still retained, which is so for the last [`ENDED_PTYS`](crate::limits::ENDED_PTYS) that ended by themselves.
    pub fn get(&self, id: &str) -> Option<Pty> {
        self.registry.get(id)
    }

    /// Returns all terminals whose shells have not ended, in the order in which they were created.
    pub fn list(&self) -> Vec<Pty> {
        self.registry.list()
    }

    /// Deletes a terminal: kills all its processes, including detached ones. Returns false if there is none whose shell
    /// has not ended.
    ///
    /// Resolves when the processes have ended. A reader of the terminal finds that a `KILL` ended its shell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the deletion.
    pub async fn delete(&self, id: &str) -> bool {
        let Some(pty) = self.registry.remove(id) else {
            return false;
        };
        // Before the lock is awaited, which a start holds until the shell runs: its task then finds
        // this first.
        pty.shared.doomed.cancel();
        let ended = async {
            // Whatever takes the receiver decides: after this no shell is started any more.
            if pty.shared.not_started.lock().await.take().is_some() {
                pty.end(Termination::NotStarted {
                    reason: "the terminal was deleted before its shell was started".to_owned(),
                });
            }
            pty.ended().await
        };
        if tokio::time::timeout(DELETE, ended).await.is_err() {
            tracing::error!(id, "a deleted terminal does not end");
        }
        true
    }
}

/// The capacity of the channel to a terminal's task; senders of further requests wait.
const REQUESTS: usize = 16;
