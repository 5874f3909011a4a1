//! The engine: what every run shares.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::code::Runtimes;
use crate::environment::InvalidVariable;
use crate::limits::{ARTIFACT_BYTES, OUTPUT_BYTES};
use crate::spawner::{ChildFd, Direct, ProcessGroup, SpawnError, SpawnSpec};
use crate::supervise::{Program, Run};
use crate::{Captured, Environment, Shell, Spawner, Termination};

/// Runs commands and code. Cheap to clone; all clones are one engine.
///
/// Dropping it leaves what runs running; [`shutdown`](Self::shutdown) ends it.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spawner: Box<dyn Spawner>,
    shell: Shell,
    work_dir: PathBuf,
    environment: Environment,
    runtimes: Runtimes,
    output_limit: usize,
    stop: CancellationToken,
    runs: TaskTracker,
}

/// How one run differs from the engine's defaults.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The working directory; relative to the engine's, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// After this the run is ended with all its processes. None by default.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr share one pipe.
    pub output: OutputMode,
}

/// How the two outputs of a run are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputMode {
    /// Through one pipe: their bytes are in the order in which they were written, and cannot be told apart.
    #[default]
    Merged,
    /// Through one pipe each: they are told apart, and the order between them is the one in which they were read.
    Split,
}

/// What a run did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// How its leader ended.
    pub termination: Termination,
    /// What it wrote.
    pub output: Output,
    /// What it showed on its artifact channel, in order; empty for commands.
    pub artifacts: Vec<Bytes>,
    /// Artifacts that were larger than [`ARTIFACT_BYTES`] left room for.
    pub artifacts_dropped: usize,
}

/// What a run wrote.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Output {
    /// stdout and stderr together.
    pub merged: Captured,
    /// stdout and stderr apart, for [`OutputMode::Split`].
    pub split: Option<[Captured; 2]>,
}

/// Settings of an engine.
#[derive(Debug, Default)]
pub struct EngineBuilder {
    spawner: Option<Box<dyn Spawner>>,
    shell: Option<PathBuf>,
    work_dir: Option<PathBuf>,
    environment: Option<Environment>,
    python: Option<PathBuf>,
}

/// Why an engine cannot be made.
#[derive(Debug, Error)]
#[error("cannot use {} as the working directory", path.display())]
pub struct BuildError {
    path: PathBuf,
    source: std::io::Error,
}

impl EngineBuilder {
    /// Starts processes through this door. Default: [`Direct`].
    #[must_use]
    pub fn spawner(mut self, spawner: impl Spawner + 'static) -> Self {
        self.spawner = Some(Box::new(spawner));
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

    /// Makes the engine; resolves the shell.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the working directory is not one.
    pub fn build(self) -> Result<Engine, BuildError> {
        let work_dir = self.work_dir.unwrap_or_else(|| ".".into());
        let work_dir = match std::fs::canonicalize(&work_dir) {
            Ok(path) if path.is_dir() => path,
            Ok(path) => {
                return Err(BuildError {
                    path,
                    source: std::io::ErrorKind::NotADirectory.into(),
                });
            }
            Err(source) => {
                return Err(BuildError {
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
        Ok(Engine {
            inner: Arc::new(Inner {
                spawner: self.spawner.unwrap_or_else(|| Box::new(Direct)),
                shell,
                work_dir,
                environment,
                runtimes: Runtimes::new(self.python),
                output_limit: OUTPUT_BYTES,
                stop: CancellationToken::new(),
                runs: TaskTracker::new(),
            }),
        })
    }
}

impl Engine {
    /// Settings to make an engine from.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Where runs start unless told otherwise.
    pub fn work_dir(&self) -> &Path {
        &self.inner.work_dir
    }

    /// The shell that evaluates commands.
    pub fn shell(&self) -> &Shell {
        &self.inner.shell
    }

    /// Ends everything that runs, as a time limit would, and resolves when all of it has ended. Runs that are started
    /// afterwards are ended at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the shutdown back.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.runs.close();
        self.inner.runs.wait().await;
    }

    pub(crate) fn runtimes(&self) -> &Runtimes {
        &self.inner.runtimes
    }

    /// The environment of a run.
    pub(crate) fn environment(&self, options: &RunOptions) -> Result<Environment, InvalidVariable> {
        let mut environment = self.inner.environment.clone();
        for (name, value) in &options.env {
            environment.set_checked(name, value)?;
        }
        Ok(environment)
    }

    /// Starts `program` and sees it to its end in a task of its own. `held` is dropped when it has ended.
    pub(crate) async fn run(
        &self,
        mut program: Program,
        options: &RunOptions,
        held: impl Send + 'static,
    ) -> Result<Outcome, SpawnError> {
        let cwd = match &options.cwd {
            Some(cwd) => self.work_dir().join(cwd),
            None => self.work_dir().to_owned(),
        };
        // The inherited value names another directory. A program may trust one without dots, so others tell nothing.
        let is_plain =
            |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if cwd.components().all(is_plain) {
            program.env.set("PWD", &cwd);
        } else {
            program.env.remove("PWD");
        }
        let split = options.output == OutputMode::Split;
        let stderr = if split {
            ChildFd::Output
        } else {
            ChildFd::SameAs(1)
        };
        let mut fds = vec![ChildFd::Null, ChildFd::Output, stderr];
        fds.append(&mut program.extra_fds);
        let spec = SpawnSpec {
            program: program.path,
            argv: program.argv,
            env: program.env,
            cwd,
            fds,
            group: ProcessGroup::Own,
        };
        let run = Run {
            spawned: self.inner.spawner.spawn(spec).await?,
            timeout: options.timeout,
            split,
            stop: self.inner.stop.clone(),
            output_limit: self.inner.output_limit,
            artifact_limit: ARTIFACT_BYTES,
        };
        let task = self.inner.runs.spawn(async move {
            let outcome = run.finish().await;
            drop(held);
            outcome
        });
        task.await
            .map_err(|panic| SpawnError::Os(std::io::Error::other(panic)))?
            .map_err(SpawnError::Os)
    }
}
