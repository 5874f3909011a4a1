//! The daemon in this very process.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use sandbox_daemon::{Access, Config, Listen, Server};
use sandbox_engine::{Engine, Environment};
use sandbox_transport::{Delivery, Endpoint, Error, ErrorKind, HttpTransport};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::Process;

/// Settings of an embedded daemon.
#[derive(Debug, Default)]
#[must_use]
pub struct LocalBuilder {
    work_dir: Option<PathBuf>,
    shell: Option<PathBuf>,
    python: Option<PathBuf>,
    hidden: Vec<String>,
}

/// A daemon that ends with what holds this.
#[derive(Debug)]
pub(crate) struct Embedded {
    engine: Engine,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Process {
    /// Starts a daemon in this process and connects to it through a private Unix socket. No port is opened.
    ///
    /// Commands run on this machine as this user, with this process's environment and working directory. The daemon
    /// lives in the current tokio runtime. It ends with the last clone of this value: what it still runs is killed, and has ended
    /// when `drop` returns, two seconds later at most. [`shutdown`](Self::shutdown) gives it a grace. What runs when
    /// this process ends without either (by a signal, an abort, an exit) is killed, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when the daemon cannot start.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn local() -> Result<Self, Error> {
        Self::local_builder().start().await
    }

    /// Settings for an embedded daemon.
    pub fn local_builder() -> LocalBuilder {
        LocalBuilder::default()
    }

    /// Ends the embedded daemon and everything that it runs, and resolves when all of it has ended. Without one it does
    /// nothing.
    pub async fn shutdown(&self) {
        if let Some(embedded) = &self.embedded {
            embedded.stop();
            let task = lock(&embedded.task).take();
            if let Some(task) = task {
                // A panic there was reported, and it has ended.
                let _ = task.await;
            }
        }
    }
}

impl LocalBuilder {
    /// Runs everything here unless told otherwise. Default: this process's working directory.
    pub fn work_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.work_dir = Some(path.into());
        self
    }

    /// Evaluates commands with this shell. Default: zsh or bash as `/etc/shells` lists, `$SHELL`, `sh`.
    pub fn shell(mut self, path: impl Into<PathBuf>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Runs Python code with this interpreter. Default: `python3` on the `PATH`.
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Keeps a variable of this process's environment from what runs.
    pub fn hide_env(mut self, name: impl Into<String>) -> Self {
        self.hidden.push(name.into());
        self
    }

    /// Starts the daemon, as [`Process::local`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] when it cannot start.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Process, Error> {
        // In the abstract namespace: no file that a command could remove, or that is left if this process is killed. The daemon
        // turns away other users.
        let path = PathBuf::from(format!("\0sandbox-{}", Uuid::new_v4().simple()));
        let engine = self.engine().map_err(failed)?;
        let mut config = Config::new(Listen::Unix(path.clone()), Access::Open, engine.clone());
        // Whoever could wait for an answer is gone when it stops.
        config.shutdown_grace = Duration::ZERO;
        let server = Server::bind(config).await.map_err(failed)?;
        let transport = HttpTransport::builder(Endpoint::unix(path)).build()?;

        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let dropped_or_told = async { drop(stopped.await) };
            server.serve(dropped_or_told).await;
        });
        let embedded = Embedded {
            engine,
            stop: Mutex::new(Some(stop)),
            task: Mutex::new(Some(task)),
        };
        let mut process = Process::with_api(transport);
        process.embedded = Some(embedded.into());
        Ok(process)
    }

    fn engine(&self) -> Result<Engine, sandbox_engine::BuildError> {
        let mut environment = Environment::of_this_process();
        for name in &self.hidden {
            environment.remove(name);
        }
        let mut engine = Engine::builder().environment(environment);
        if let Some(path) = &self.work_dir {
            engine = engine.work_dir(path);
        }
        if let Some(path) = &self.shell {
            engine = engine.shell(path);
        }
        if let Some(path) = &self.python {
            engine = engine.python(path);
        }
        engine.build()
    }
}

impl Embedded {
    /// Kills the command that this process leads, and waits for its end.
    pub(crate) fn kill(&self, pid: u32) {
        self.engine.kill_run(pid);
    }

    fn stop(&self) {
        if let Some(stop) = lock(&self.stop).take() {
            // It may have ended already.
            let _ = stop.send(());
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop();
        // Not left to the daemon's task: the runtime may end before it is polled again.
        self.engine.kill();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let message = "cannot start the embedded daemon";
    Error::new(ErrorKind::Connect, Delivery::NotSent, message).with_source(error)
}
