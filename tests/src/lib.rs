//! Harness of the end-to-end suites.
//!
//! [`Sandbox`] is a daemon with a client: embedded, or listening on TCP behind a token. The suites run on each.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use sandbox_daemon::{Access, Config, Listen, Server, Token};
use sandbox_engine::Engine;
use sandbox_process::Process;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A daemon of the test's own, with a client.
#[derive(Debug)]
pub struct Sandbox {
    /// The client.
    pub process: Process,
    /// Where the daemon is; empty for an embedded one.
    pub url: String,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    directory: tempfile::TempDir,
}

impl Sandbox {
    /// The daemon that [`Process::local`] starts.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn embedded() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let local = Process::local_builder()
            .work_dir(directory.path())
            .shell("/bin/bash");
        let local = match python() {
            Some(python) => local.python(python),
            None => local,
        };
        let process = local.start().await.expect("the embedded daemon");
        Self {
            process,
            url: String::new(),
            server: None,
            directory,
        }
    }

    /// A daemon on a TCP port of the system's choice, behind a token.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn tcp() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut engine = Engine::builder()
            .work_dir(directory.path())
            .shell("/bin/bash");
        if let Some(python) = python() {
            engine = engine.python(python);
        }
        let engine = engine.build().expect("an engine");
        let token = Token::new("test-token").expect("a token");
        let listen: Listen = "127.0.0.1:0".parse().expect("an address");
        let config = Config::new(listen, Access::Token(token), engine);
        let server = Server::bind(config).await.expect("a free port");
        // A prefix, as the official clients have the sandbox's id there.
        let url = format!("{}/sandbox-id", server.address());
        let process = Process::builder(&url)
            .token("test-token")
            .build()
            .expect("a client");
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
        Self {
            process,
            url,
            server: Some((stop, task)),
            directory,
        }
    }

    /// The daemon's working directory.
    pub fn work_dir(&self) -> PathBuf {
        self.directory
            .path()
            .canonicalize()
            .unwrap_or_else(|_| self.directory.path().into())
    }

    /// Ends the daemon, and waits until it has.
    ///
    /// # Panics
    ///
    /// When its task did.
    pub async fn end(self) {
        self.process.shutdown().await;
        if let Some((stop, task)) = self.server {
            drop(stop);
            task.await.expect("the server's task");
        }
    }
}

/// The interpreter with numpy and matplotlib that `cargo xtask test` prepares; else the suites use the `PATH`'s.
pub fn python() -> Option<PathBuf> {
    std::env::var_os("SANDBOX_TEST_PYTHON").map(PathBuf::from)
}
