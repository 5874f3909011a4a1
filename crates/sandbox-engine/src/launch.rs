//! Starts programs, and knows what runs.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Spawner;
use crate::limits::{ARTIFACT_BYTES, OUTPUT_BYTES};
use crate::run::{Outcome, OutputMode, RunError, RunOptions};
use crate::spawner::{ChildFd, ProcessGroup, SpawnSpec};
use crate::supervise::{Program, Run};

/// Starts programs through one door, each watched by a task of its own.
#[derive(Debug)]
pub(crate) struct Launcher {
    spawner: Arc<dyn Spawner>,
    work_dir: PathBuf,
    stop: CancellationToken,
    runs: TaskTracker,
}

impl Launcher {
    pub(crate) fn new(spawner: Arc<dyn Spawner>, work_dir: PathBuf) -> Self {
        Self {
            spawner,
            work_dir,
            stop: CancellationToken::new(),
            runs: TaskTracker::new(),
        }
    }

    pub(crate) fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    pub(crate) fn spawner(&self) -> &dyn Spawner {
        &*self.spawner
    }

    /// Cancelled when everything is to end.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `work` in a task that a shutdown waits for.
    pub(crate) fn track<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runs.spawn(work)
    }

    /// Ends what runs, and what is started from now on; resolves when all of it has ended.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.runs.close();
        self.runs.wait().await;
    }

    /// Starts `program` and sees it to its end in a task of its own. `held` is dropped when it has ended.
    pub(crate) async fn run(
        &self,
        mut program: Program,
        options: &RunOptions,
        held: impl Send + 'static,
    ) -> Result<Outcome, RunError> {
        let cwd = match &options.cwd {
            Some(cwd) => self.work_dir.join(cwd),
            None => self.work_dir.clone(),
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
        let (spawner, stop) = (Arc::clone(&self.spawner), self.stop.clone());
        let timeout = options.timeout;
        // From here on in the task: a caller who goes away must not leave a child that nobody watches.
        let task = self.runs.spawn(async move {
            let run = Run {
                spawned: spawner.spawn(spec).await?,
                timeout,
                split,
                stop,
                output_limit: OUTPUT_BYTES,
                artifact_limit: ARTIFACT_BYTES,
            };
            let outcome = run.finish().await;
            drop(held);
            outcome.map_err(RunError::Lost)
        });
        task.await
            .map_err(|panic| RunError::Lost(io::Error::other(panic)))?
    }
}
