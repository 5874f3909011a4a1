//! Terminals: a login shell on a pseudo-terminal, which any number of clients watch and type into.
//!
//! `actor.rs` is the task that owns one: it alone reads and writes the terminal. What it reads goes to a record that keeps
//! the newest bytes, which every client reads at its own pace; so nobody's slowness reaches the shell, or the others.

mod actor;
pub(crate) mod boundary;
mod list;
mod output;
pub(crate) mod queries;
mod size;
mod typing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::command::{Unanswered, ask};
use crate::engine::Engine;
use crate::environment::InvalidVariable;
use crate::limits::{DELETE, ID_BYTES};
use crate::record::{BeyondEnd, Record};
use crate::spawner::SpawnError;
use crate::termination::Termination;
use boundary::{Boundaries, SPACING};
use typing::Typed;

pub(crate) use list::Ptys;
pub use output::PtyOutput;
pub use size::{InvalidPtySize, PtySize};
pub use typing::{PtyEnded, PtyInput};

/// A terminal. Cheap to clone; all clones are one terminal.
///
/// Dropping it changes nothing; see [`Engine::delete_pty`].
#[derive(Debug, Clone)]
pub struct Pty {
    shared: Arc<Shared>,
}

/// What the handles and the task of a terminal share.
#[derive(Debug)]
struct Shared {
    id: String,
    cwd: PathBuf,
    env: Vec<(String, String)>,
    created_at: SystemTime,
    size: Mutex<PtySize>,
    state: watch::Sender<PtyState>,
    record: Record,
    boundaries: Mutex<Boundaries>,
    /// Up to where somebody who types has read, so that queries before it have been asked.
    asked: AtomicU64,
    requests: mpsc::Sender<Request>,
    /// What the task receives from; `None` once it has it.
    not_started: tokio::sync::Mutex<Option<mpsc::Receiver<Request>>>,
    /// Cancelled when the terminal is to be deleted.
    doomed: CancellationToken,
}

/// Something asked of the task that has a terminal.
#[derive(Debug)]
enum Request {
    Type(Typed),
    Resize {
        size: PtySize,
        reply: oneshot::Sender<io::Result<()>>,
    },
}

/// How far a terminal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PtyState {
    /// Its shell waits for [`Engine::start_pty`].
    Waiting,
    /// Its shell runs.
    Running,
    /// Its shell has ended, and all that it wrote can be read.
    Ended(Termination),
}

/// How a terminal differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct PtyOptions {
    /// Where its shell starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win. `TERM` is `xterm-256color` unless given, and `LANG` is
    /// `C.UTF-8` if neither these nor the engine's name a locale (`LANG`, `LC_*`) and the system has that one. A name
    /// begins with an ASCII letter or `_`, and has no blank, control character or `=`.
    pub env: Vec<(String, String)>,
    /// Its size at the beginning.
    pub size: PtySize,
    /// Whether its shell starts only with [`Engine::start_pty`].
    pub is_lazy: bool,
}

/// Why a terminal was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreatePtyError {
    /// Another terminal has this id.
    #[error("a terminal with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a terminal's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`PTYS`](crate::limits::PTYS) already.
    #[error("there are {limit} terminals already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// Its shell was not started.
    #[error("the terminal's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// Why a terminal was not resized.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResizePtyError {
    /// Its shell has ended.
    #[error("the terminal's shell has ended")]
    Ended,
    /// The system refused.
    #[error("cannot resize the terminal")]
    Os(#[source] io::Error),
}

impl Engine {
    /// Makes a terminal, and starts its shell unless it is lazy.
    ///
    /// The shell is the engine's, interactive and a login shell, and leads a session of its own. It never waits for somebody
    /// to read what it writes: the newest [`PTY_RING_BYTES`](crate::limits::PTY_RING_BYTES) are kept for those who come
    /// later, and what is older is gone.
    ///
    /// When the shell ends by itself the terminal is hung up, as when a window is closed; its id is free again, and the
    /// [`pty`](Self::pty) itself can be read for a while longer.
    ///
    /// # Errors
    ///
    /// [`CreatePtyError`]; there is no new terminal then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the terminal is made or not.
    pub async fn create_pty(&self, id: &str, options: PtyOptions) -> Result<Pty, CreatePtyError> {
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(CreatePtyError::Id { limit: ID_BYTES });
        }
        let mut env = options.env;
        let has_term = |(name, value): &(String, String)| name == TERM && !value.is_empty();
        if !env.iter().any(has_term) {
            env.retain(|(name, _)| name != TERM);
            env.push((TERM.to_owned(), DEFAULT_TERM.to_owned()));
        }
        // Now, so that a lazy one is refused as well.
        self.pty_environment(&env)?;
        let reserved = list::Reserved::take(self.clone(), id)?;
        let (requests, received) = mpsc::channel(REQUESTS);
        let pty = Pty {
            shared: Arc::new(Shared {
                id: id.to_owned(),
                cwd: options.cwd.unwrap_or_else(|| self.work_dir().to_owned()),
                env,
                created_at: SystemTime::now(),
                size: Mutex::new(options.size),
                state: watch::Sender::new(PtyState::Waiting),
                record: self.records().ring(self.pty_ring_bytes()),
                boundaries: Mutex::new(Boundaries::new(SPACING)),
                asked: AtomicU64::new(0),
                requests,
                not_started: tokio::sync::Mutex::new(Some(received)),
                doomed: CancellationToken::new(),
            }),
        };
        if options.is_lazy {
            reserved.fill(pty.clone());
            return Ok(pty);
        }
        let engine = self.clone();
        // In a task: a caller who goes away must not leave a shell that nobody owns.
        let made = self.launcher().track(async move {
            let actor = engine.start_shell(&pty).await?;
            // Before it runs, and may end.
            reserved.fill(pty.clone());
            if let Some(actor) = actor {
                engine.launcher().track(actor.run());
            }
            Ok(pty)
        });
        made.await
            .map_err(|panic| SpawnError::Os(io::Error::other(panic)))?
    }

    /// Starts the shell of a lazy terminal. Does nothing if it has been started.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]; it is still to be started then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the shell is started or not.
    pub async fn start_pty(&self, pty: &Pty) -> Result<(), SpawnError> {
        if pty.state() != PtyState::Waiting {
            return Ok(());
        }
        let (engine, pty) = (self.clone(), pty.clone());
        let started = self.launcher().track(async move {
            if let Some(actor) = engine.start_shell(&pty).await? {
                engine.launcher().track(actor.run());
            }
            Ok(())
        });
        started
            .await
            .map_err(|panic| SpawnError::Os(io::Error::other(panic)))?
    }

    /// The terminal with this id: one whose shell has not ended; else the last one that had it, if its output is still
    /// kept, which is so for the last [`ENDED_PTYS`](crate::limits::ENDED_PTYS) that ended by themselves.
    pub fn pty(&self, id: &str) -> Option<Pty> {
        self.pty_list().find(id)
    }

    /// All terminals whose shells have not ended, in the order in which they were made.
    pub fn ptys(&self) -> Vec<Pty> {
        self.pty_list().all()
    }

    /// Kills all processes of a terminal, wherever they went, and forgets it. False if there is none whose shell has not
    /// ended.
    ///
    /// Resolves when the processes have ended. Who reads the terminal finds that a `KILL` ended its shell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn delete_pty(&self, id: &str) -> bool {
        let Some(pty) = self.pty_list().remove(id) else {
            return false;
        };
        pty.shared.doomed.cancel();
        let ended = async {
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

impl Pty {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Where its shell starts, as it was asked for.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// The variables that it was given, with `TERM`.
    pub fn env(&self) -> &[(String, String)] {
        &self.shared.env
    }

    /// When it was made.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Its size now.
    pub fn size(&self) -> PtySize {
        *self.shared.size()
    }

    /// How far it is.
    pub fn state(&self) -> PtyState {
        self.shared.state.borrow().clone()
    }

    /// Resolves when its shell has ended, to how. By then all that it wrote can be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ended(&self) -> Termination {
        let mut state = self.shared.state.subscribe();
        loop {
            if let PtyState::Ended(termination) = &*state.borrow_and_update() {
                return termination.clone();
            }
            if state.changed().await.is_err() {
                unreachable!("the terminal holds the sender");
            }
        }
    }

    /// Changes its size, which its foreground processes are told by `WINCH`, unless it is the same. One that waits for its
    /// start will have it then.
    ///
    /// # Errors
    ///
    /// [`ResizePtyError`]; it has its size still.
    ///
    /// # Cancel safety
    ///
    /// If dropped, it is resized or not.
    pub async fn resize(&self, size: PtySize) -> Result<(), ResizePtyError> {
        if let Some(_waiting) = &*self.shared.not_started.lock().await {
            *self.shared.size() = size;
            return Ok(());
        }
        let request = |reply| Request::Resize { size, reply };
        match ask(&self.shared.requests, request).await {
            Ok(resized) => resized.map_err(ResizePtyError::Os),
            Err(Unanswered::Ended) => Err(ResizePtyError::Ended),
            Err(Unanswered::Silent) => Err(ResizePtyError::Os(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Reads what it shows: what is kept, then what comes, up to the end.
    ///
    /// Without `since` it begins with the oldest that is kept, at a place where no character and no escape sequence is cut;
    /// with it at that offset, behind a gap if that is not kept any more.
    ///
    /// It is for somebody who types, so that a program's queries, which terminals answer by typing (where the cursor is, what
    /// the terminal can), are shown once: without `since`, those that a reader like this has had already are NULs, as many
    /// as the query has bytes. Terminals show nothing for these.
    ///
    /// # Errors
    ///
    /// [`BeyondEnd`] if nothing was shown at `since` yet.
    pub fn output(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, true)
    }

    /// As [`output`](Self::output), for somebody who only watches: no query counts as asked by it.
    ///
    /// # Errors
    ///
    /// As of [`output`](Self::output).
    pub fn watch(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, false)
    }

    /// Somebody who types, with an allowance of their own.
    pub fn input(&self) -> PtyInput {
        PtyInput::new(self.shared.requests.clone())
    }

    /// Everything that it showed has been appended. The state is told before readers learn of the end, so that whoever sees
    /// the end finds out how.
    fn end(&self, termination: Termination) {
        self.shared.state.send_replace(PtyState::Ended(termination));
        self.shared.record.complete();
    }
}

impl Shared {
    fn size(&self) -> MutexGuard<'_, PtySize> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn boundaries(&self) -> MutexGuard<'_, Boundaries> {
        let boundaries = &self.boundaries;
        boundaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at or behind `offset` where the output may be cut.
    fn boundary_from(&self, offset: u64) -> u64 {
        match offset {
            0 => 0,
            _ => self.boundaries().first_from(offset),
        }
    }
}

const TERM: &str = "TERM";
const DEFAULT_TERM: &str = "xterm-256color";

/// Requests that wait for a terminal's task; more wait to be sent.
const REQUESTS: usize = 16;
