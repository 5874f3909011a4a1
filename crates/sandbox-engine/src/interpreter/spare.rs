//! A spare worker: a context of Python takes one that is already running.
//!
//! A spare is the same process that a cold start would create, by the same code ([`Worker::start`]), which waits for its
//! first code. It belongs to no context before it is taken, and to one after that; so nothing is shared between
//! contexts, not even the seed of hashes or the layout of memory, as it would be between forks of one interpreter.
//!
//! There is one spare at most. The first context starts cold; when code of a context has ended, a spare for such a context is
//! started. A spare that is idle for [`WARM_IDLE`](crate::limits::WARM_IDLE) ends, as does one that is not of the kind that
//! is needed.
//!
//! # What is the same as in a cold start, and why
//!
//! - executable, environment, working directory (its inode and its path without links), time zone, resolver, shared libraries and
//!   what is inherited from the engine: a [`Key`] requires equal ones. With variables by which Python reads files, and with
//!   limits or an isolation, a context starts cold.
//! - installed packages: no file that the interpreter has read since its start, and no directory in which it seeks modules, has
//!   changed ([`Freshness`]).
//! - the worker runs: it responds to a message before it is taken. One that does not is ended.
//!
//! # What differs
//!
//! - Process id and start time are older than the context, by up to `WARM_IDLE`.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::error::StartError;
use super::program::Program;
use super::worker::Worker;
use crate::core::Core;
use crate::environment::Environment;
use crate::isolation::Isolation;
use crate::leader::Leader;
use crate::limits::{WARM_IDLE, WARM_RESPONSE_TIMEOUT};
use crate::offload::file_calls;
use crate::resources::Limits;
use crate::scripts::python::FILES;
use crate::warm::pool::{Pool, Pooled};
use crate::warm::{Place, Version, World, is_strange, versions};

/// The spare worker of an engine.
#[derive(Debug)]
pub(super) struct Spares {
    pool: Arc<Pool<Spare>>,
    is_warm: bool,
}

struct Spare {
    worker: Worker,
    freshness: Freshness,
}

/// All properties with which a worker is started. If two are equal, so are the processes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    path: PathBuf,
    executable: Version,
    world: World,
    env: Environment,
    cwd: PathBuf,
    place: Place,
}

/// The versions of the files that an interpreter has read since its start.
#[derive(Debug)]
struct Freshness(Vec<(PathBuf, Option<Version>)>);

impl Spares {
    /// Creates a pool, which stays empty unless `is_warm`.
    pub(super) fn new(is_warm: bool) -> Arc<Self> {
        Self::ending_after(WARM_IDLE, is_warm)
    }

    fn ending_after(idle: Duration, is_warm: bool) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::ending_after(idle),
            is_warm,
        })
    }

    /// Returns the process id of the spare that is ready, if there is one.
    pub(super) fn ready(&self) -> Option<u32> {
        self.pool.ready()
    }

    /// Returns the spare worker if there is one for these parameters, else [starts](Worker::start) one.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Worker::start`].
    pub(super) async fn start(
        &self,
        core: &Core,
        program: Program,
        cwd: PathBuf,
        isolation: Option<&Isolation>,
        limits: &Limits,
        doomed: &CancellationToken,
    ) -> Result<Worker, StartError> {
        let is_usual = isolation.is_none()
            && limits.is_empty()
            && !core.launcher().limiter().limits_all()
            && program == Program::Python;
        if self.is_warm
            && is_usual
            && let Some(key) = Key::of(core, &cwd).await
            && let Some(worker) = self.take(key).await
        {
            return Ok(worker);
        }
        Worker::start(core, program, cwd, isolation, limits, doomed).await
    }

    /// Starts the wanted spare, in the background.
    pub(super) fn prepare(&self, core: &Arc<Core>) {
        let launcher = core.launcher();
        if let Some(owner) = self.pool.owner(Arc::clone(core), launcher.stopped()) {
            launcher.track(owner);
        }
    }

    /// Returns the worker of the spare for this key, if there is one that can be used.
    async fn take(&self, key: Key) -> Option<Worker> {
        let mut spare = self.pool.take(key).await?;
        let is_fresh = spare.freshness.is_current();
        let responds = timeout(WARM_RESPONSE_TIMEOUT, spare.worker.files(None));
        if matches!(responds.await, Ok(Ok(_))) && is_fresh.await {
            return Some(spare.worker);
        }
        tracing::debug!("a spare worker is not usable any more");
        spare.end().await;
        None
    }
}

impl Key {
    /// Returns the key of a worker in this directory; `None` if no spare can be one, it cannot be started at all, or a file
    /// system does not respond.
    async fn of(core: &Core, cwd: &Path) -> Option<Self> {
        let (path, env) = Worker::place(core, Program::Python, cwd, None).await.ok()?;
        if env.iter().any(|(name, _)| is_strange(name.as_bytes())) {
            return None;
        }
        let sought = (path.clone(), env.clone(), cwd.to_owned());
        let found = file_calls(move || {
            let (path, env, cwd) = sought;
            let executable = Version::of(&path).ok()?;
            let place = Place::of(&cwd).ok()?;
            Some((executable, place, versions(&env, &cwd)))
        });
        let (executable, place, files) = found.await.ok()??;
        Some(Self {
            path,
            executable,
            world: World::now(files),
            env,
            cwd: cwd.to_owned(),
            place,
        })
    }
}

impl Pooled for Spare {
    type Key = Key;
    type Source = Core;
    type Error = StartError;

    async fn reread(core: &Self::Source, key: &Key) -> Option<Key> {
        Key::of(core, &key.cwd).await
    }

    async fn begin(core: &Self::Source, key: &Key) -> Result<Self, StartError> {
        // Before the process: a file that changes while it is read counts as changed.
        let started = SystemTime::now();
        let (limits, doomed) = (Limits::default(), CancellationToken::new());
        let worker = Worker::start(
            core,
            Program::Python,
            key.cwd.clone(),
            None,
            &limits,
            &doomed,
        );
        let mut worker = worker.await?;
        let patience = worker.patience(WARM_RESPONSE_TIMEOUT);
        let paths = patience.wait_for(worker.files(Some(FILES))).await;
        let freshness = match paths {
            Some(Ok(paths)) => Freshness::since(started, paths).await,
            Some(Err(error)) => Err(error),
            None => Err(io::ErrorKind::TimedOut.into()),
        };
        match freshness {
            Ok(freshness) => Ok(Self { worker, freshness }),
            Err(error) => {
                end(worker).await;
                Err(error.into())
            }
        }
    }

    fn leader(&mut self) -> &mut Leader {
        &mut self.worker.leader
    }

    async fn ended(&mut self) -> bool {
        self.worker.idle().await;
        false
    }

    async fn end(self) {
        end(self.worker).await;
    }
}

impl Freshness {
    /// Takes the versions of files that a process has read since it was started.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them was changed since then: the process may have read what was there before.
    async fn since(started: SystemTime, paths: Vec<PathBuf>) -> io::Result<Self> {
        let versions = move || {
            let versions = paths.into_iter().map(|path| {
                let version = Version::of(&path).ok();
                (path, version)
            });
            versions.collect::<Vec<_>>()
        };
        let files = file_calls(versions).await.map_err(io::Error::other)?;
        let mut present = files.iter().filter_map(|(_, version)| version.as_ref());
        if present.any(|version| version.is_since(started)) {
            Err(io::Error::other("files of the interpreter are changing"))
        } else {
            Ok(Self(files))
        }
    }

    /// Returns whether no file has changed.
    fn is_current(&self) -> impl Future<Output = bool> + use<> {
        let files = self.0.clone();
        let is_same =
            |(path, version): &(PathBuf, Option<Version>)| Version::of(path).ok() == *version;
        async move {
            matches!(
                file_calls(move || files.iter().all(is_same)).await,
                Ok(true)
            )
        }
    }
}

/// Ends a worker that has run no code.
async fn end(mut worker: Worker) {
    // Its termination does not matter.
    let _ = worker.end().await;
    worker.leave();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    #[tokio::test]
    async fn an_unused_worker_ends() {
        let engine = Engine::builder().build().unwrap();
        let core = engine.core();
        let spares = Spares::ending_after(Duration::from_millis(300), true);
        let (limits, doomed) = (Limits::default(), CancellationToken::new());
        let cwd = engine.work_dir().to_owned();
        let start = spares.start(core, Program::Python, cwd, None, &limits, &doomed);
        end(start.await.unwrap()).await;
        assert_eq!(spares.ready(), None, "before any code has ended");
        spares.prepare(core);
        let mut pid = None;
        while pid.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            pid = spares.ready();
        }
        let process = PathBuf::from(format!("/proc/{}", pid.unwrap()));
        while spares.ready().is_some() || process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        engine.shutdown().await;
    }

    #[tokio::test]
    async fn files_that_change_while_they_are_read_are_not_trusted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let paths = || vec![file.path().to_owned(), "/no/such".into()];
        let now = SystemTime::now();
        assert!(Freshness::since(now, paths()).await.is_err());
        let later = now + Duration::from_secs(1);
        let freshness = Freshness::since(later, paths()).await.unwrap();
        assert!(freshness.is_current().await);
        std::fs::write(file.path(), "a").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(file.path(), mode).unwrap();
        std::fs::remove_file(file.path()).unwrap();
        assert!(!freshness.is_current().await);
    }
}
