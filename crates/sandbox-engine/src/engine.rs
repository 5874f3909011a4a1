//! The engine: what every run shares.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::code::NodeBoot;
use crate::environment::InvalidVariable;
use crate::interpreter::Contexts;
use crate::launch::Launcher;
use crate::limits::PTY_RING_BYTES;
use crate::pty::Ptys;
use crate::reaper::Reaper;
use crate::record::Store;
use crate::runtimes::Runtimes;
use crate::session::Sessions;
use crate::spawner::Direct;
use crate::state::State;
use crate::tag::{Instance, Tag};
#[cfg(feature = "typescript")]
use crate::translator::Translators;
use crate::warm::Warm;
use crate::{Environment, Shell, Spawner};

/// Runs commands and code. Cheap to clone; all clones are one engine.
///
/// Dropping it leaves what runs running; [`shutdown`](Self::shutdown) and [`kill`](Self::kill) end it. What runs when
/// this process ends without any of these (by a signal, an abort, an exit) is killed.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    launcher: Launcher,
    /// `None` if processes are started by a spawner of the caller's.
    direct: Option<Direct>,
    shell: Shell,
    environment: Mutex<Environment>,
    runtimes: Runtimes,
    sessions: Mutex<Sessions>,
    ptys: Mutex<Ptys>,
    pty_ring_bytes: usize,
    contexts: Mutex<Contexts>,
    is_tagging: bool,
    warm: Option<Arc<Warm>>,
    #[cfg(feature = "typescript")]
    translators: Arc<Translators>,
    node_boot: NodeBoot,
}

/// Settings of an engine.
#[derive(Debug, Default)]
pub struct EngineBuilder {
    spawner: Option<Arc<dyn Spawner>>,
    shell: Option<PathBuf>,
    work_dir: Option<PathBuf>,
    environment: Option<Environment>,
    python: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    record_bytes: Option<u64>,
    reaps_orphans: bool,
    pty_ring_bytes: Option<usize>,
    starts_cold: bool,
}

/// Why an engine cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The working directory is none.
    #[error("cannot use {} as the working directory", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system says of it.
        source: std::io::Error,
    },
    /// The state directory cannot be used.
    #[error("cannot use {} as the state directory", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// Why; of kind `PermissionDenied` if it belongs to another user, `ResourceBusy` if another engine uses it.
        source: std::io::Error,
    },
    /// The exits of orphans cannot be taken.
    #[error("cannot take the exits of orphans")]
    Reaper(#[source] std::io::Error),
}

impl EngineBuilder {
    /// Starts processes through this door. Default: [`Direct`].
    #[must_use]
    pub fn spawner(mut self, spawner: impl Spawner + 'static) -> Self {
        self.spawner = Some(Arc::new(spawner));
        self
    }

    /// Evaluates commands with this shell. Default: [`Shell::of_this_machine`].
    #[must_use]
    pub fn shell(mut self, path: impl Into<PathBuf>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Runs everything here unless told otherwise. Default: this process's working directory.
    #[must_use]
    pub fn work_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.work_dir = Some(path.into());
        self
    }

    /// Gives children this environment. Default: this process's.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Runs Python code with this interpreter. Default: `python3`, else `python`, on the run's `PATH`.
    #[must_use]
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Keeps files (outputs that are too long for memory, programs that run) in a private directory in here, which is made when
    /// it is first needed and removed with the engine. This directory is made if it is missing; it must belong to this user
    /// or to root, and is for one engine at a time. What an engine has left here whose process was killed is ended and
    /// removed by the next one. Default: the system's directory for temporary files.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Bounds the bytes on disk of all outputs together. Beyond it those of commands that have ended are removed, oldest end
    /// first, and those that run lose their middle; a reader gets a gap. Never more than half of what is free on the file
    /// system. Default: [`RECORDS_BYTES`](crate::limits::RECORDS_BYTES).
    #[must_use]
    pub fn record_bytes(mut self, bytes: u64) -> Self {
        self.record_bytes = Some(bytes);
        self
    }

    /// Makes this process the parent of processes below it that lose theirs (a subreaper), and takes their exits, so that
    /// none stays as a zombie. For the main process of a container, and for a daemon. Default: no.
    ///
    /// Every child of this process that was not started through [`Direct`] is reaped then, those of the host
    /// program too: a program with children of its own must not ask for it. Needs a tokio runtime to be built in.
    #[must_use]
    pub fn reap_orphans(mut self) -> Self {
        self.reaps_orphans = true;
        self
    }

    /// Keeps so many bytes of what each terminal showed, the newest, for those who read it later. Default:
    /// [`PTY_RING_BYTES`]; never less than 64 KiB.
    #[must_use]
    pub fn pty_ring_bytes(mut self, bytes: usize) -> Self {
        self.pty_ring_bytes = Some(bytes);
        self
    }

    /// Whether a Python program may begin as a fork of an interpreter that is kept for it, and one of JavaScript or TypeScript
    /// in a process of Node.js that is, instead of one that is started for it; what it does is the same. Default: it may.
    /// Costs nothing before the first program; then for Python some 10 MiB, and 70 MiB more once a program has drawn with
    /// matplotlib, for Node.js 6 MiB (40 with what Node.js maps of its files), until nothing was run for [`WARM_IDLE`](crate::limits::WARM_IDLE).
    #[must_use]
    pub fn warm(mut self, is_warm: bool) -> Self {
        self.starts_cold = !is_warm;
        self
    }

    /// Makes the engine; resolves the shell.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn build(self) -> Result<Engine, BuildError> {
        let work_dir = self.work_dir.unwrap_or_else(|| ".".into());
        let work_dir = match std::fs::canonicalize(&work_dir) {
            Ok(path) if path.is_dir() => path,
            Ok(path) => {
                return Err(BuildError::WorkDir {
                    path,
                    source: std::io::ErrorKind::NotADirectory.into(),
                });
            }
            Err(source) => {
                return Err(BuildError::WorkDir {
                    path: work_dir,
                    source,
                });
            }
        };
        let environment = self
            .environment
            .unwrap_or_else(Environment::of_this_process);
        let shell = self
            .shell
            .map_or_else(|| Shell::of_this_machine(&environment), Shell::at);
        let instance = Instance::draw();
        let state = match self.state_dir {
            Some(path) => State::at(&path, instance)
                .map_err(|source| BuildError::StateDir { path, source })?,
            None => State::temporary(instance),
        };
        let (spawner, direct) = match self.spawner {
            Some(spawner) => (spawner, None),
            None => {
                let direct = Direct::of(instance);
                let spawner: Arc<dyn Spawner> = Arc::new(direct.clone());
                (spawner, Some(direct))
            }
        };
        let engine = Engine {
            inner: Arc::new(Inner {
                launcher: Launcher::new(spawner, work_dir, state, self.record_bytes),
                direct,
                shell,
                environment: Mutex::new(environment),
                runtimes: Runtimes::new(self.python),
                sessions: Mutex::default(),
                ptys: Mutex::default(),
                contexts: Mutex::default(),
                pty_ring_bytes: self
                    .pty_ring_bytes
                    .map_or(PTY_RING_BYTES, |bytes| bytes.max(LEAST_PTY_RING_BYTES)),
                is_tagging: Tag::is_usable(),
                warm: (!self.starts_cold).then(Warm::new),
                #[cfg(feature = "typescript")]
                translators: Translators::new(),
                node_boot: NodeBoot::default(),
            }),
        };
        if self.reaps_orphans {
            let reaper = Reaper::begin().map_err(BuildError::Reaper)?;
            tokio::spawn(reaper.run(engine.launcher().stopped()));
        }
        Ok(engine)
    }
}

/// What a reader who is not slow needs.
const LEAST_PTY_RING_BYTES: usize = 64 * 1024;

impl Engine {
    /// Settings to make an engine from.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Where runs start unless told otherwise.
    pub fn work_dir(&self) -> &Path {
        self.inner.launcher.work_dir()
    }

    /// The shell that evaluates commands.
    pub fn shell(&self) -> &Shell {
        &self.inner.shell
    }

    /// How the processes of a run are found when it is to end, for people and metrics:
    ///
    /// - `"rlimit-tag"`: by a [`Tag`] that each of them carries, whatever became of its parents, group and session. A
    ///   process escapes only on purpose, by resetting that limit of its own, or by becoming another user's, whom this
    ///   one may not signal.
    /// - `"process-tree"`: by group, session and living parents, since this system does not let processes be labeled (its
    ///   hard limit on realtime CPU time is set, or it does not implement the limit). A process that left the group and
    ///   whose parents have ended escapes.
    pub fn containment(&self) -> &'static str {
        if self.inner.is_tagging {
            "rlimit-tag"
        } else {
            "process-tree"
        }
    }

    /// Ends everything that runs, as a time limit would, and resolves when all of it has ended. Runs that are started
    /// afterwards are ended at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the shutdown back.
    pub async fn shutdown(&self) {
        self.inner.launcher.shutdown().await;
    }

    /// Kills everything that runs, and blocks until it has ended, two seconds at most ([`KILL_WAIT`](crate::limits::KILL_WAIT)). Runs
    /// that are started afterwards are ended at once. For where nothing can be awaited, as in `Drop`; [`shutdown`](Self::shutdown) gives
    /// what runs a grace.
    ///
    /// An engine with a [spawner](EngineBuilder::spawner) of the caller's does not know what that has started, and leaves
    /// it to the tasks that watch it.
    pub fn kill(&self) {
        self.launcher().stop();
        if let Some(direct) = &self.inner.direct {
            direct.tree().end_now();
        }
    }

    /// Kills the run that the process `pid` leads, with all that it has started, and blocks until it has ended, two seconds at
    /// most. Does nothing if `pid` is no process of this engine's.
    ///
    /// The run must not have been reported as ended: its number could be another run's then.
    pub fn kill_run(&self, pid: u32) {
        if let Some(direct) = &self.inner.direct
            && let Some(run) = direct.run(pid)
        {
            run.end_now();
        }
    }

    pub(crate) fn launcher(&self) -> &Launcher {
        &self.inner.launcher
    }

    pub(crate) fn runtimes(&self) -> &Runtimes {
        &self.inner.runtimes
    }

    pub(crate) fn node_boot(&self) -> &NodeBoot {
        &self.inner.node_boot
    }

    pub(crate) fn warm(&self) -> Option<&Arc<Warm>> {
        self.inner.warm.as_ref()
    }

    #[cfg(feature = "typescript")]
    pub(crate) fn translators(&self) -> &Arc<Translators> {
        &self.inner.translators
    }

    pub(crate) fn session_list(&self) -> MutexGuard<'_, Sessions> {
        self.inner
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pty_list(&self) -> MutexGuard<'_, Ptys> {
        let ptys = &self.inner.ptys;
        ptys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pty_ring_bytes(&self) -> usize {
        self.inner.pty_ring_bytes
    }

    pub(crate) fn context_list(&self) -> MutexGuard<'_, Contexts> {
        let contexts = &self.inner.contexts;
        contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn records(&self) -> &Store {
        self.launcher().records()
    }

    /// Changes the environment of what is started from now on, and tells what it is then: first `unset` is removed, and
    /// every variable whose value begins with `unset_value_prefix` and whose name is not in `set`; then `set` is set.
    ///
    /// # Errors
    ///
    /// [`InvalidVariable`] for one of `set`; nothing is changed then.
    pub fn update_environment(
        &self,
        set: &[(String, String)],
        unset: &[String],
        unset_value_prefix: Option<&str>,
    ) -> Result<Environment, InvalidVariable> {
        let mut now = self.environment_now();
        let mut environment = now.clone();
        for name in unset {
            environment.remove(name);
        }
        if let Some(prefix) = unset_value_prefix {
            environment.retain(|name, value| {
                let is_set = set.iter().any(|(other, _)| name == other.as_str());
                is_set || !value.as_bytes().starts_with(prefix.as_bytes())
            });
        }
        environment.set_all_checked(set)?;
        *now = environment.clone();
        Ok(environment)
    }

    pub(crate) fn environment_now(&self) -> MutexGuard<'_, Environment> {
        let environment = &self.inner.environment;
        environment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's environment as it is now, with these variables on top.
    pub(crate) fn environment(
        &self,
        variables: &[(String, String)],
    ) -> Result<Environment, InvalidVariable> {
        let mut environment = self.environment_now().clone();
        environment.set_all_checked(variables)?;
        Ok(environment)
    }
}
