//! Starting an embedded daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandbox_daemon::{Access, Config, Listen, Server};
use sandbox_engine::{Engine, Environment};
use sandbox_transport::{Delivery, Endpoint, Error, ErrorKind, HttpTransport};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::client::Client;
use crate::daemon::Daemon;
use crate::process::Process;

/// Settings of an embedded daemon; made by [`Process::local_builder`].
#[derive(Debug, Default)]
#[must_use = "nothing starts before `start` is called"]
pub struct LocalBuilder {
    work_dir: Option<PathBuf>,
    shell: Option<PathBuf>,
    python: Option<PathBuf>,
    hidden: Vec<String>,
}

/// Embedded daemons.
impl Process {
    /// Starts a daemon in this process and connects to it through a private Unix socket. No port is opened.
    ///
    /// This isolates nothing: commands run on this machine as this user, with this process's environment and working
    /// directory. They are evaluated by the first of these that exists: zsh or bash as `/etc/shells` lists them, `$SHELL`,
    /// `sh`; [`LocalBuilder::shell`] chooses another one.
    ///
    /// The daemon runs in the current tokio runtime. It ends when the last clone of this value and the last handle made by
    /// it are dropped: what it still runs is killed, and has ended when `drop` returns, two seconds later at most.
    /// [`shutdown`](Self::shutdown) does the same without blocking the thread. If this process ends without either (by a
    /// signal, an abort, an exit), what runs is killed, too.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the daemon ends.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](ErrorKind::Connect) if the daemon cannot start.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use sandbox_process::Process;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), sandbox_process::Error> {
    /// let process = Process::local().await?;
    /// let outcome = process.exec("echo hello").await?;
    /// assert_eq!(outcome.stdout_lossy(), "hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn local() -> Result<Self, Error> {
        Self::local_builder().start().await
    }

    /// Returns the settings of an embedded daemon.
    pub fn local_builder() -> LocalBuilder {
        LocalBuilder::default()
    }

    /// Ends the embedded daemon and everything that it runs, and waits until all of it has ended. Does nothing for any other
    /// daemon.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the daemon ends all the same.
    pub async fn shutdown(&self) {
        if let Some(daemon) = self.client().daemon() {
            daemon.shutdown().await;
        }
    }
}

impl LocalBuilder {
    /// Sets the directory that everything runs in by default. Default: this process's working directory.
    pub fn work_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.work_dir = Some(path.into());
        self
    }

    /// Sets the shell that evaluates commands. Default: zsh or bash as `/etc/shells` lists them, `$SHELL`, `sh`.
    pub fn shell(mut self, path: impl Into<PathBuf>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Sets the interpreter of Python code. Default: `python3` on the `PATH`.
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Removes a variable from the environment of what runs.
    pub fn hide_env(mut self, name: impl Into<String>) -> Self {
        self.hidden.push(name.into());
        self
    }

    /// Starts the daemon, as [`Process::local`] does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the daemon ends.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](ErrorKind::Connect) if the daemon cannot start.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn start(self) -> Result<Process, Error> {
        // In the abstract namespace: no file that a command could remove, or that is left if this process is killed. The daemon
        // turns away other users.
        let path = PathBuf::from(format!("\0sandbox-{}", Uuid::new_v4().simple()));
        let engine = self.engine().map_err(failed)?;
        let mut config = Config::new(Listen::Unix(path.clone()), Access::Open, engine.clone());
        // No client is left to wait for a response when it stops.
        config.shutdown_grace = Duration::ZERO;
        let server = Server::bind(config).await.map_err(failed)?;
        let transport = HttpTransport::builder(Endpoint::unix(path)).build_http()?;

        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let sent_or_dropped = async { drop(stopped.await) };
            server.serve(sent_or_dropped).await;
        });
        let client = Client::new(Arc::new(transport)).with_daemon(Daemon::new(engine, stop, task));
        Ok(Process::from_client(client))
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

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let message = "cannot start the embedded daemon";
    Error::new(ErrorKind::Connect, Delivery::NotSent, message).with_source(error)
}
