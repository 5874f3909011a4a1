//! Harness of the end-to-end suites.
//!
//! [`Sandbox`] is a daemon with a client: embedded, or listening with a token: on TCP, in the clear or by TLS, or on a Unix socket. The
//! suites run on each, by HTTP and by gRPC.

#![forbid(unsafe_code)]

mod authority;
mod calls;
mod carrier;

use std::path::{Path, PathBuf};

use sandbox_daemon::{Access, Config, Listen, Server, Token};
use sandbox_engine::{Engine, Environment};
use sandbox_process::Process;
use sandbox_transport::Tls;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use authority::Authority;
pub use calls::Calls;
pub use carrier::Carrier;

/// A daemon of the test's own, with a client.
#[derive(Debug)]
pub struct Sandbox {
    /// The client.
    pub process: Process,
    /// Where the daemon is; empty for an embedded one.
    pub url: String,
    /// What its clients speak TLS by, if they do.
    pub tls: Option<Tls>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    directory: TempDir,
    /// Where its socket is, which its commands do not see.
    #[expect(dead_code, reason = "it is removed with this")]
    sockets: Option<TempDir>,
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
            tls: None,
            server: None,
            directory,
            sockets: None,
        }
    }

    /// A daemon on a TCP port of the system's choice, protected by a token.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn tcp() -> Self {
        Self::over(Carrier::HttpTcp).await
    }

    /// A daemon protected by a token, with a client that reaches it by `carrier`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn over(carrier: Carrier) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = config(directory.path());
        let sockets = tempfile::tempdir().expect("a temporary directory");
        if carrier.is_unix() {
            config.listen = Listen::Unix(sockets.path().join("daemon.sock"));
        }
        let server = Server::bind(config).await.expect("an address");
        let url = carrier.url(&server.url());
        let process = Process::builder(&url)
            .token(TOKEN)
            .build()
            .expect("a client");
        Self {
            sockets: Some(sockets),
            ..Self::serving(process, url, server, directory)
        }
    }

    /// A daemon that speaks TLS, protected by a token and to certified clients alone.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn tls() -> Self {
        Self::by_tls("https").await
    }

    /// The same, with a client that speaks gRPC.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn grpc_tls() -> Self {
        Self::by_tls("grpcs").await
    }

    async fn by_tls(scheme: &str) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.certify("127.0.0.1");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str, pem: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, pem).expect("a file");
            path
        };
        let tls = sandbox_daemon::Tls::from_files(
            &file("certificate.pem", &certificate),
            &file("key.pem", &key),
            Some(&file("authority.pem", &authority.pem())),
        );
        let mut config = config(directory.path());
        config.tls = Some(tls.expect("TLS"));
        let server = Server::bind(config).await.expect("a free port");
        let url = server.url().replacen("https", scheme, 1);
        let (certificate, key) = authority.certify("a client");
        let tls = Tls::new()
            .without_platform_roots()
            .root_certificates(authority.pem().as_bytes())
            .and_then(|tls| tls.identity(certificate.as_bytes(), key.as_bytes()))
            .expect("TLS");
        let process = Process::builder(&url)
            .token(TOKEN)
            .transport(|transport| transport.tls(tls.clone()))
            .build()
            .expect("a client");
        Self {
            tls: Some(tls),
            ..Self::serving(process, url, server, directory)
        }
    }

    fn serving(process: Process, url: String, server: Server, directory: TempDir) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
        Self {
            process,
            url,
            tls: None,
            server: Some((stop, task)),
            directory,
            sockets: None,
        }
    }

    /// What the daemon is called by a client that reaches it by another carrier, on the same kind of socket.
    pub fn url_over(&self, carrier: Carrier) -> String {
        carrier.instead_of(&self.url)
    }

    /// The daemon's working directory.
    pub fn work_dir(&self) -> PathBuf {
        self.directory
            .path()
            .canonicalize()
            .unwrap_or_else(|_| self.directory.path().into())
    }

    /// Shuts the daemon down, and waits until it has ended.
    ///
    /// # Panics
    ///
    /// When its task did.
    pub async fn shutdown(self) {
        self.process.shutdown().await;
        if let Some((stop, task)) = self.server {
            drop(stop);
            task.await.expect("the server's task");
        }
    }
}

/// A daemon in `directory`, on a TCP port of the system's choice.
fn config(directory: &Path) -> Config {
    // Terminals have login shells, which would read the profile of the user that runs the tests.
    let mut environment = Environment::of_this_process();
    environment.set("HOME", directory);
    let mut engine = Engine::builder()
        .work_dir(directory)
        .environment(environment)
        .shell("/bin/bash");
    if let Some(python) = python() {
        engine = engine.python(python);
    }
    let engine = engine.build().expect("an engine");
    let access = Access::Token(Token::new(TOKEN).expect("a token"));
    Config::new("127.0.0.1:0".parse().expect("an address"), access, engine)
}

/// What opens the daemons here.
pub const TOKEN: &str = "test-token";

/// The interpreter with numpy and matplotlib that `cargo xtask test` prepares; else the suites use the `PATH`'s.
pub fn python() -> Option<PathBuf> {
    std::env::var_os("SANDBOX_TEST_PYTHON").map(PathBuf::from)
}
