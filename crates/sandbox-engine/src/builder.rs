//! Configuration and construction of an engine.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::code::Programs;
use crate::core::Core;
use crate::engine::Engine;
use crate::environment::Environment;
use crate::isolation::Isolation;
use crate::launch::Launcher;
use crate::limits::PTY_RING_BYTES;
use crate::oom::OomKills;
use crate::pty::Ptys;
use crate::reaper::Reaper;
use crate::resources::{Groups, LimitError, Limiter, Limits};
use crate::shell::Shell;
use crate::spawner::{Direct, Spawner};
use crate::state::State;
use crate::tag::Instance;

/// A builder for an [`Engine`].
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
    private: Vec<PathBuf>,
    isolation: Option<Isolation>,
    limits: Limits,
    cgroup: Option<PathBuf>,
    memory_events: Option<File>,
}

/// An error from building an engine.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The working directory cannot be used.
    #[error("cannot use {} as the working directory", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The state directory cannot be used.
    #[error("cannot use {} as the state directory", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// The cause; of kind `PermissionDenied` if it belongs to another user, `ResourceBusy` if another engine uses it.
        source: io::Error,
    },
    /// A limit for every run cannot be enforced.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The exits of orphans cannot be collected.
    #[error("cannot take the exits of orphans")]
    Reaper(#[source] io::Error),
}

impl EngineBuilder {
    /// Starts processes through this spawner. Default: [`Direct`].
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

    /// Sets the directory in which everything runs by default. Default: this process's working directory.
    #[must_use]
    pub fn work_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.work_dir = Some(path.into());
        self
    }

    /// Sets the environment of children. Default: this process's.
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

    /// Stores files (outputs that are too long for memory, programs that run) in a private subdirectory of this directory,
    /// which is created on first use and removed with the engine. This directory is created if it is missing; it must belong to
    /// this user or to root, and serves one engine at a time. If the process of an engine is killed, the next engine ends and
    /// removes what it left here. Default: the system's directory for temporary files.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Bounds the bytes on disk of all outputs together. Beyond it the outputs of commands that have ended are removed, oldest
    /// end first, and those of running commands lose their middle; a reader gets a gap. Never more than half of the free space
    /// on the file system. Default: [`RECORDS_BYTES`](crate::limits::RECORDS_BYTES).
    #[must_use]
    pub fn record_bytes(mut self, bytes: u64) -> Self {
        self.record_bytes = Some(bytes);
        self
    }

    /// Makes this process a subreaper, the parent of all descendants that lose their own, and reaps them, so that none
    /// remains a zombie. For the main process of a container, and for a daemon. Default: no.
    ///
    /// Every child of this process that was not started through [`Direct`] is then reaped, including those of the host
    /// program: a program with children of its own must not use this. Must be built within a tokio runtime.
    #[must_use]
    pub fn reap_orphans(mut self) -> Self {
        self.reaps_orphans = true;
        self
    }

    /// Retains this many bytes of each terminal's output, the newest, for clients that attach later. Default:
    /// [`PTY_RING_BYTES`]; never less than 64 KiB.
    #[must_use]
    pub fn pty_ring_bytes(mut self, bytes: usize) -> Self {
        self.pty_ring_bytes = Some(bytes);
        self
    }

    /// Starts everything in a newly started process. By default a Python program may start as a fork of a pooled interpreter, a
    /// JavaScript or TypeScript program in a pooled process of Node.js, and an isolated process in a launcher that was started ahead;
    /// all behave the same. So does a context of Python, whose process may be started before it.
    /// The pool costs nothing before the first program; then for Python some 10 MiB, and 70 MiB more after a program has drawn with
    /// matplotlib, for Node.js 6 MiB (40 with what Node.js maps of its files), and after an isolated run 1 MiB in two processes, for contexts 8 MiB, until idle for [`WARM_IDLE`](crate::limits::WARM_IDLE).
    ///
    /// A process that was started ahead is used only if what the kernel shows of a thread of this program is the same as when it was
    /// started. It does not show all: Landlock domains, memory policies, `prctl` settings without a line in `/proc`, keyrings. A host
    /// program that restricts itself so must do it before it builds the engine, or call this.
    #[must_use]
    pub fn cold(mut self) -> Self {
        self.starts_cold = true;
        self
    }

    /// Isolates everything that is started without an isolation of its own. Default: nothing.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// Hides a file or directory of the host program (a key, the socket on which it listens) from all
    /// [isolated](crate::isolation) processes. No isolation can ask for it, or for a part of it. May be called several times.
    ///
    /// The path may be created later. A directory must not contain the [working directory](Self::work_dir): then no process can
    /// be isolated.
    #[must_use]
    pub fn private(mut self, path: impl Into<PathBuf>) -> Self {
        self.private.push(path.into());
        self
    }

    /// Limits every run with these limits, each run by itself; a run may have lower ones. A session, a terminal and a context
    /// are runs as well. Default: none.
    ///
    /// With any limit programs start cold: see [`cold`](Self::cold).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes the control groups of runs with limits in this control group of version 2, which must have been delegated to this
    /// user, and has no processes itself. Default: where this process may make groups; see
    /// [`Engine::limit_mechanism`].
    #[must_use]
    pub fn cgroup(mut self, path: impl Into<PathBuf>) -> Self {
        self.cgroup = Some(path.into());
        self
    }

    /// Reads from this file, `memory.events` or `memory.oom_control` of a control group, how many processes the kernel has killed
    /// because memory ran out: for an engine that does not see the control group that it is in. Default: the file of its control group.
    #[must_use]
    pub fn memory_events(mut self, file: File) -> Self {
        self.memory_events = Some(file);
        self
    }

    /// Creates the engine; resolves the shell.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError`] if a directory is not usable, the exits of orphans cannot be collected, or a limit for every run
    /// cannot be enforced.
    pub fn build(self) -> Result<Engine, BuildError> {
        let work_dir = directory(&self.work_dir.unwrap_or_else(|| ".".into()))?;
        let environment = self
            .environment
            .unwrap_or_else(Environment::of_this_process);
        let shell = self
            .shell
            .map_or_else(|| Shell::of_this_machine(&environment), Shell::at);
        let instance = Instance::draw();
        let has_state_dir = self.state_dir.is_some();
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
        let private = self.private.iter();
        // The working directory of this process may change.
        let private =
            private.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        let private: Vec<_> = private.collect();
        let groups = Groups::new(self.cgroup);
        if has_state_dir {
            // After the processes of an engine that was killed there have been ended.
            groups.remove_abandoned();
        }
        let limiter = Limiter::new(self.limits, groups)?;
        let records = self.record_bytes;
        let mut launcher = Launcher::new(spawner, work_dir, state, records, &private, limiter);
        if !self.starts_cold {
            launcher.pool_launchers();
        }
        if let Some(file) = self.memory_events {
            launcher.count_kills(OomKills::of(file));
        }
        let stopped = launcher.stopped();
        let core = Core::new(launcher, shell, environment, self.python, self.isolation);
        let programs = Programs::new(Arc::clone(&core), !self.starts_cold);
        let ring_bytes = self.pty_ring_bytes.unwrap_or(PTY_RING_BYTES);
        let ptys = Ptys::new(Arc::clone(&core), ring_bytes.max(LEAST_PTY_RING_BYTES));
        let engine = Engine::new(core, direct, programs, ptys);
        if self.reaps_orphans {
            // Last: after a failure this process must not remain a subreaper that reaps nothing.
            let reaper = Reaper::begin().map_err(BuildError::Reaper)?;
            tokio::spawn(reaper.run(stopped));
        }
        Ok(engine)
    }
}

impl Engine {
    /// Returns a builder with default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }
}

/// Returns the canonical path of a directory.
fn directory(path: &Path) -> Result<PathBuf, BuildError> {
    match std::fs::canonicalize(path) {
        Ok(path) if path.is_dir() => Ok(path),
        Ok(path) => Err(BuildError::WorkDir {
            path,
            source: io::ErrorKind::NotADirectory.into(),
        }),
        Err(source) => Err(BuildError::WorkDir {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The minimum for a reader that is not slow.
const LEAST_PTY_RING_BYTES: usize = 64 * 1024;
