//! Starts programs and tracks those that run.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::command::{Command, CommandEnd, InputMode, Request, Supervised};
use crate::environment::Environment;
use crate::isolation::{self, Isolated, Isolation, IsolationError, Level, Places, Spares};
use crate::leader::Leader;
use crate::limits::{OUTPUT_BYTES, SHUTDOWN, SPAWN};
use crate::offload::file_calls;
use crate::oom::OomKills;
use crate::record::{Record, Store};
use crate::resources::{Confinement, Limiter, Limits};
use crate::run::{OutputMode, Recorded, RunError, RunOptions};
use crate::spawner::{
    ChildFd, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned, Spawner, responds,
};
use crate::state::State;
use crate::supervise::{Finished, Run};
use crate::terminal::{self, Console};
use crate::termination::Termination;

/// Starts programs through one spawner, each watched by a task of its own.
#[derive(Debug)]
pub(crate) struct Launcher {
    spawner: Arc<dyn Spawner>,
    work_dir: PathBuf,
    /// What isolated processes are given and must not reach.
    places: Places,
    state: State,
    sessions: State,
    records: Store,
    oom_kills: Arc<OomKills>,
    limiter: Limiter,
    /// The launchers of isolated runs that are started ahead, if any are.
    spares: Option<Arc<Spares>>,
    stop: CancellationToken,
    runs: TaskTracker,
}

/// A process that was started, isolated or not.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The process whose exit is the program's: that of its launcher, if it is isolated.
    pub(crate) spawned: Spawned,
    /// The process id of the program, by this process's count; the launcher's if it is not known.
    pub(crate) program: u32,
}

/// A program to start, beyond the options that every run has.
#[derive(Debug)]
pub(crate) struct LaunchSpec {
    pub(crate) path: PathBuf,
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Environment,
    /// Descriptors of the child from number 3 on; an [`Output`](ChildFd::Output) among them is captured as artifacts.
    pub(crate) extra_fds: Vec<ChildFd>,
    /// The spawner to use instead of the launcher's.
    pub(crate) spawner: Option<Arc<dyn Spawner>>,
    /// Files of the engine's that the program reads, also if it is isolated.
    pub(crate) shown: Vec<PathBuf>,
}

impl Launcher {
    /// Creates a launcher; `record_bytes` bounds the bytes of all records on disk, `None` is the default. No isolated process
    /// reaches what is `sealed`.
    pub(crate) fn new(
        spawner: Arc<dyn Spawner>,
        work_dir: PathBuf,
        state: State,
        record_bytes: Option<u64>,
        sealed: &[PathBuf],
        limiter: Limiter,
    ) -> Self {
        let sessions = State::sessions(state.instance());
        let own = state.own_place();
        let places = Places::of(work_dir.clone(), sessions.place(), own, sealed);
        Self {
            spawner,
            work_dir,
            places,
            records: Store::new(state.clone(), record_bytes),
            sessions,
            state,
            oom_kills: Arc::new(OomKills::find()),
            limiter,
            spares: None,
            stop: CancellationToken::new(),
            runs: TaskTracker::new(),
        }
    }

    /// Takes the kills of the kernel from this counter.
    pub(crate) fn count_kills(&mut self, kills: OomKills) {
        self.oom_kills = Arc::new(kills);
    }

    /// Starts launchers of isolated runs ahead.
    pub(crate) fn pool_launchers(&mut self) {
        self.spares = Some(Spares::new());
    }

    /// Returns whether a launcher is ready to take an isolated run.
    pub(crate) fn has_spare(&self) -> bool {
        let spares = self.spares.as_deref();
        spares.is_some_and(|spares| spares.ready().is_some())
    }

    pub(crate) fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Returns the absolute working directory for `cwd`.
    pub(crate) fn resolve_cwd(&self, cwd: Option<&Path>) -> PathBuf {
        match cwd {
            Some(cwd) => self.work_dir.join(cwd),
            None => self.work_dir.clone(),
        }
    }

    /// Starts a process of the engine's own, without limits.
    ///
    /// # Errors
    ///
    /// Returns the errors of the spawner, and one if it has not started the process within [`SPAWN`].
    #[cfg(feature = "typescript")]
    pub(crate) async fn spawn(&self, spec: SpawnSpec) -> Result<Spawned, SpawnError> {
        spawn_in_time(&*self.spawner, spec).await
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Implements [`Engine::probe_isolation`](crate::Engine::probe_isolation).
    pub(crate) async fn probe_isolation(
        &self,
        isolation: &Isolation,
    ) -> Result<Level, IsolationError> {
        let isolated = self.isolated(isolation.clone(), Vec::new());
        let probe = isolation::probe(&*self.spawner, &isolated);
        match in_time(probe).await {
            Ok(()) => Ok(isolation.level()),
            Err(error) => Err(IsolationError::of_start(error)),
        }
    }

    fn isolated(&self, isolation: Isolation, shown: Vec<PathBuf>) -> Isolated {
        Isolated {
            isolation,
            places: self.places.clone(),
            shown,
            state: Some(self.state.clone()),
        }
    }

    /// Starts a process with the engine's limits and these, isolated if that is asked for; `shown` are files and directories
    /// of the engine's that it reads.
    ///
    /// # Errors
    ///
    /// Returns the errors of the spawner, one if it has not started the process within [`SPAWN`], that of a step of the isolation,
    /// and that of a limit.
    pub(crate) async fn spawn_in(
        &self,
        isolation: Option<&Isolation>,
        shown: Vec<PathBuf>,
        limits: &Limits,
        mut spec: SpawnSpec,
    ) -> Result<(Begun, Confinement), SpawnError> {
        let isolated = isolation.map(|isolation| self.isolated(isolation.clone(), shown));
        let confinement = self.limiter.confine(limits, isolated.is_some()).await?;
        confinement.apply(&mut spec);
        let spares = self.spares.as_deref();
        let spawned = begin(&*self.spawner, spec, isolated.as_ref(), spares).await?;
        let program = match &isolated {
            Some(isolated) => isolation::program_of(isolated, spawned.pid),
            None => spawned.pid,
        };
        Ok((Begun { spawned, program }, confinement))
    }

    /// Returns a test for whether a process with this isolation sees a file of the machine at the file's own path.
    pub(crate) fn sees(
        &self,
        isolation: Option<&Isolation>,
    ) -> impl Fn(&Path) -> bool + Send + Clone + 'static {
        let layers = isolation.map(|isolation| isolation.all_layers(&self.places));
        move |path| {
            layers
                .as_deref()
                .is_none_or(|layers| isolation::shows(layers, path))
        }
    }

    pub(crate) fn spawner(&self) -> Arc<dyn Spawner> {
        Arc::clone(&self.spawner)
    }

    /// Returns a token that is cancelled when everything is to end.
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

    /// Runs `work`, which starts something, in a task that a shutdown waits for: if the caller is dropped, a task still owns
    /// what was started.
    ///
    /// # Errors
    ///
    /// Returns the errors of `work`, and one for a panic in it.
    pub(crate) async fn start_in_task<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SpawnError> + Send + 'static,
    {
        let started = self.track(work).await;
        started.map_err(|panic| SpawnError::Os(io::Error::other(panic)))?
    }

    pub(crate) fn oom_kills(&self) -> Arc<OomKills> {
        Arc::clone(&self.oom_kills)
    }

    /// Returns the directory for files.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Returns the directory for the pipes of sessions.
    pub(crate) fn sessions(&self) -> &State {
        &self.sessions
    }

    pub(crate) fn records(&self) -> &Store {
        &self.records
    }

    /// Lets the tasks end everything that runs, and everything that is started from now on.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends everything that runs, and everything that is started from now on; resolves when all of it has ended, after
    /// [`SHUTDOWN`] at the latest.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        // `TaskTracker::wait` resolves only after this; tasks that are spawned later are waited for
        // as well.
        self.runs.close();
        let ended = async {
            self.runs.wait().await;
            // Of runs that have ended.
            self.state.removed().await;
        };
        if tokio::time::timeout(SHUTDOWN, ended).await.is_err() {
            let left = self.runs.len() + self.state.removals();
            tracing::error!(left, "tasks are left after a shutdown");
        }
    }

    /// Starts `program` and runs it to its end in a task of its own, with `command` as its handle. `held` is dropped when
    /// it has ended.
    pub(crate) async fn start(
        &self,
        program: LaunchSpec,
        options: &RunOptions,
        handle: Handle,
        held: impl Send + 'static,
    ) -> Result<Started, RunError> {
        let Handle { mut end, requests } = handle;
        let console = options.terminal.map(Console::open).transpose();
        let console = console.map_err(SpawnError::Exhausted)?;
        let command = end.release();
        let isolated = options.isolation.clone();
        let isolated = isolated.map(|isolation| self.isolated(isolation, program.shown.clone()));
        if isolated.is_some() && program.spawner.is_some() {
            // It has been started already, without isolation.
            let what = "a program in an interpreter that has been started before";
            return Err(SpawnError::from(IsolationError::Unsupported { what }).into());
        }
        let (spawner, spec) = self.prepare(program, options, console.as_ref());
        let supervised = command.supervised();
        supervised.set_level(options.level());
        if let Some(size) = options.terminal {
            supervised.set_size(size);
        }
        let watch = Watch {
            console,
            command: supervised,
            requests,
            timeout: options.timeout,
            isolated,
            spares: self.spares.clone(),
            limits: options.limits,
            limiter: self.limiter.clone(),
            stop: self.stop.clone(),
            oom_kills: Arc::clone(&self.oom_kills),
        };
        let is_elsewhere = options.cwd.is_some();
        let (begun, begins) = oneshot::channel();
        let spares = self.spares.clone().filter(|_| watch.isolated.is_some());
        let (runs, stop) = (self.runs.clone(), self.stop.clone());
        // Within the task from here on: a caller that is dropped must not leave a child unwatched.
        let task = self.runs.spawn(async move {
            if is_elsewhere {
                // A request can name any file system, also one that blocks whatever enters it.
                responds(&spec.cwd).await?;
            }
            let finished = watch.run(&*spawner, spec, begun).await?;
            if let Some(owner) = spares.and_then(|spares| spares.owner(spawner, stop)) {
                runs.spawn(owner);
            }
            if is_elsewhere {
                // A file of it may be there. One that cannot be removed in time is left to that thread.
                let _ = file_calls(move || drop(held)).await;
            } else {
                drop(held);
            }
            end.set(match &finished {
                Ok(finished) => finished.termination.clone(),
                Err(error) => Termination::Lost {
                    reason: error.to_string(),
                },
            });
            finished.map_err(RunError::Lost)
        });
        match begins.await {
            Ok(()) => Ok(Started { command, task }),
            // The program was not started, and the task has ended.
            Err(_) => Err(match joined(task).await {
                Err(error) => error,
                Ok(_) => RunError::Lost(io::ErrorKind::Interrupted.into()),
            }),
        }
    }

    /// Returns the spawner for a program, and the description to pass to it.
    fn prepare(
        &self,
        mut program: LaunchSpec,
        options: &RunOptions,
        console: Option<&Console>,
    ) -> (Arc<dyn Spawner>, SpawnSpec) {
        let cwd = self.resolve_cwd(options.cwd.as_deref());
        set_pwd(&mut program.env, &cwd);
        if console.is_some() {
            terminal::adapt(&mut program.env, &options.env);
        }
        let mut fds = Vec::from(console.map_or_else(|| pipes(options), Console::fds));
        fds.append(&mut program.extra_fds);
        let spec = SpawnSpec {
            program: program.path,
            argv: program.argv,
            env: program.env,
            cwd,
            fds,
            group: match console {
                Some(_) => ProcessGroup::OwnSession,
                None => ProcessGroup::Own,
            },
            limits: SpawnLimits::default(),
        };
        let spawner = program.spawner.unwrap_or_else(|| self.spawner());
        (spawner, spec)
    }

    /// Runs `program` to its end.
    pub(crate) async fn run(
        &self,
        program: LaunchSpec,
        options: &RunOptions,
        held: impl Send + 'static,
    ) -> Result<Recorded, RunError> {
        let record = self.records.record_to_read(OUTPUT_BYTES);
        let handle = Handle::new(String::new(), record, options.input);
        let Started { command, task } = self.start(program, options, handle, held).await?;
        let finished = joined(task).await?;
        Ok(Recorded {
            termination: finished.termination,
            record: command.record().clone(),
            output: options.output_mode(),
            level: options.level(),
            usage: finished.usage,
            artifacts: finished.artifacts,
            artifacts_dropped: finished.artifacts_dropped,
        })
    }
}

/// Returns the standard descriptors of a program that runs on no terminal.
fn pipes(options: &RunOptions) -> [ChildFd; 3] {
    let stdin = match options.input {
        InputMode::Empty => ChildFd::Null,
        InputMode::Echoed | InputMode::Silent => ChildFd::Input,
    };
    let stderr = match options.output {
        OutputMode::Split => ChildFd::Output,
        OutputMode::Merged => ChildFd::SameAs(1),
    };
    [stdin, ChildFd::Output, stderr]
}

/// The command and the requests of a program that is to be started.
#[derive(Debug)]
pub(crate) struct Handle {
    end: CommandEnd,
    requests: mpsc::Receiver<Request>,
}

impl Handle {
    pub(crate) fn new(text: String, record: Record, input: InputMode) -> Self {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let id = Uuid::new_v4().to_string();
        let command = Command::new(id, text, record, input, sender);
        Self {
            end: CommandEnd::of(command),
            requests,
        }
    }
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) command: Command,
    task: JoinHandle<Result<Finished, RunError>>,
}

/// Sets `PWD`: the inherited value names another directory. A program may trust any without dots, so other paths remove it.
pub(crate) fn set_pwd(env: &mut Environment, cwd: &Path) {
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if cwd.components().all(is_plain) {
        env.set("PWD", cwd);
    } else {
        env.remove("PWD");
    }
}

/// Starts a process through `spawner`.
///
/// # Errors
///
/// Returns the errors of the spawner, and one if it has not started the process within [`SPAWN`].
pub(crate) async fn spawn_in_time(
    spawner: &dyn Spawner,
    spec: SpawnSpec,
) -> Result<Spawned, SpawnError> {
    in_time(spawner.spawn(spec)).await
}

/// Starts a process through `spawner`, isolated if that is asked for.
async fn begin(
    spawner: &dyn Spawner,
    spec: SpawnSpec,
    isolated: Option<&Isolated>,
    spares: Option<&Spares>,
) -> Result<Spawned, SpawnError> {
    match isolated {
        None => spawn_in_time(spawner, spec).await,
        Some(isolated) => {
            let spawned = isolation::spawn(spawner, spec, isolated, spares);
            in_time(Box::pin(spawned)).await
        }
    }
}

/// Waits for `start`, which starts a process, within [`SPAWN`].
pub(crate) async fn in_time<T>(
    start: impl Future<Output = Result<T, SpawnError>>,
) -> Result<T, SpawnError> {
    match tokio::time::timeout(SPAWN, start).await {
        Ok(started) => started,
        Err(_) => Err(SpawnError::Os(io::Error::new(
            io::ErrorKind::TimedOut,
            "the process was not started in time",
        ))),
    }
}

/// The state of a run's task before there is a process.
struct Watch {
    console: Option<Console>,
    command: Supervised,
    requests: mpsc::Receiver<Request>,
    timeout: Option<Duration>,
    isolated: Option<Isolated>,
    spares: Option<Arc<Spares>>,
    limits: Limits,
    limiter: Limiter,
    stop: CancellationToken,
    oom_kills: Arc<OomKills>,
}

impl Watch {
    /// Starts the process, reports that by `begun`, and runs it to its end.
    ///
    /// # Errors
    ///
    /// Returns [`SpawnError`] if nothing was started; the inner error is the system's, for a run that could not be watched.
    async fn run(
        self,
        spawner: &dyn Spawner,
        mut spec: SpawnSpec,
        begun: oneshot::Sender<()>,
    ) -> Result<io::Result<Finished>, SpawnError> {
        let is_isolated = self.isolated.is_some();
        let confinement = self.limiter.confine(&self.limits, is_isolated).await?;
        confinement.apply(&mut spec);
        // Before the start, so that the kill of a short-lived process is counted as one of the run.
        let kills_before = self.oom_kills.count();
        let start = Instant::now();
        let Spawned {
            pid,
            tag,
            fds,
            exit,
        } = begin(
            spawner,
            spec,
            self.isolated.as_ref(),
            self.spares.as_deref(),
        )
        .await?;
        let leader = Leader::new(pid, tag, exit);
        self.command.set_pid(pid);
        self.command.set_running();
        // The caller may have been dropped.
        let _ = begun.send(());
        let run = Run {
            leader,
            fds,
            console: self.console,
            command: self.command,
            requests: self.requests,
            timeout: self.timeout,
            begun: start,
            stop: self.stop.clone(),
        };
        let supervised = run.command.clone();
        let mut finished = run.finish().await;
        if let Ok(finished) = &mut finished {
            // At a shutdown the KILL is this process's own.
            if !self.stop.is_cancelled() {
                let termination = &mut finished.termination;
                confinement.explain(termination, 0);
                self.oom_kills.explain(termination, kills_before);
            }
            if let Some(usage) = &mut finished.usage {
                confinement.add_to(usage);
                supervised.set_usage(*usage);
            }
        }
        // Before the end is reported, so that the place of this run is free for the next one.
        confinement.remove().await;
        Ok(finished)
    }
}

async fn joined(task: JoinHandle<Result<Finished, RunError>>) -> Result<Finished, RunError> {
    task.await
        .map_err(|panic| RunError::Lost(io::Error::other(panic)))?
}

/// The capacity of a run's channel for requests; senders wait beyond it.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::spawner::Direct;
    use crate::tag::Instance;

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_does_not_wait_without_end() {
        let instance = Instance::draw();
        let spawner = Arc::new(Direct::of(instance));
        let launcher = Launcher::new(
            spawner,
            "/".into(),
            State::temporary(instance),
            None,
            &[],
            Limiter::default(),
        );
        launcher.track(pending::<()>());
        let began = Instant::now();
        launcher.shutdown().await;
        assert_eq!(began.elapsed().as_secs(), SHUTDOWN.as_secs());
    }
}
