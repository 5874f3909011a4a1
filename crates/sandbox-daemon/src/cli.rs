//! The command line of `sandbox-daemon`, and of `sandbox serve`.

use std::error::Error;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use sandbox_engine::{BuildError, Engine, Environment, SecretError};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

pub use crate::isolation_args::{LevelArg, NetworkArg};
use crate::limits::RUNTIME_SHUTDOWN;
pub use crate::settings::{ServeArgs, SettingsError, parse_size};
use crate::{Access, BindError, Config, Listen, Server, Token, TokenError};

/// The environment variable that may hold the access token. It is removed before any process starts.
pub const TOKEN_VARIABLE: &str = "SANDBOX_TOKEN";

/// An error that prevented a daemon from starting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No token was given, and no option that allows running without one.
    #[error("an access token is required on {listen}")]
    NoToken {
        /// The address that the daemon was to listen on.
        listen: Listen,
    },
    /// The process cannot detach since it leads its process group, as it does if a shell with job control started it.
    #[error("cannot detach: this process leads a group of its own")]
    Detach,
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token could not be taken from the environment.
    #[error("cannot take {TOKEN_VARIABLE} from the environment")]
    Secret(#[source] SecretError),
    /// TLS cannot be set up.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::TlsError),
    /// The interpreter for Python that was named is not there.
    #[error("cannot use {} for Python", path.display())]
    Python {
        /// The path that was given.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The engine cannot be created.
    #[error(transparent)]
    Engine(#[from] BuildError),
    /// The server cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The runtime or a signal handler cannot be created.
    #[error("cannot start")]
    Io(#[from] std::io::Error),
}

impl ServeError {
    /// Returns whether the command line or the settings are at fault: an error of usage, with exit code 2.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoToken { .. } | Self::Settings(_) | Self::Python { .. }
        )
    }

    /// Returns a hint how to fix the error, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoToken { .. } => Some(
                "put one in a file and pass --token-file FILE, or set SANDBOX_TOKEN; \
                 or listen on unix:PATH; or, on loopback, say --insecure-no-auth",
            ),
            Self::Detach => Some("start it by `setsid`, without --detach"),
            Self::Settings(SettingsError::Listen(error)) if error.is_path() => {
                Some("put `unix:` before the path of a socket")
            }
            Self::Bind(BindError::OpenToNetwork { .. } | BindError::OpenToIsolated { .. }) => {
                Some("pass --token-file FILE or set SANDBOX_TOKEN")
            }
            _ => None,
        }
    }
}

/// The text that a command line parser prints instead of returning arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The help text, the version, or a description of the mistake.
    pub text: String,
    /// Whether the command line is invalid; the text then belongs on standard error.
    pub is_error: bool,
}

/// Parses the command line of this process.
///
/// # Errors
///
/// Returns [`Said`] if the user asked for help or the version, or made a mistake. The caller prints
/// it, and can report if that fails.
pub fn parse<P: Parser>() -> Result<P, Said> {
    P::try_parse().map_err(|error| {
        let is_error = error.use_stderr();
        let is_terminal = if is_error {
            is_terminal(std::io::stderr)
        } else {
            is_terminal(std::io::stdout)
        };
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let text = error.render();
        let text = if is_terminal && !is_plain {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        Said { text, is_error }
    })
}

fn is_terminal<T: IsTerminal>(stream: fn() -> T) -> bool {
    stream().is_terminal()
}

/// Writes the whole text to standard output. A closed pipe is not an error: its reader needs no more
/// output.
///
/// # Errors
///
/// Returns the error of the system if the text cannot be written.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prepares the process before its first thread starts: hides the token that was passed in the environment, and makes the
/// allocator return large blocks to the kernel when they are freed.
///
/// # Errors
///
/// Returns [`ServeError::Secret`] if the token cannot be taken from the environment.
pub fn prepare() -> Result<Option<OsString>, ServeError> {
    sandbox_engine::return_large_memory();
    let name = c"SANDBOX_TOKEN";
    sandbox_engine::take_secret(name).map_err(ServeError::Secret)
}

/// Runs a daemon until SIGTERM or SIGINT. `token` is the value that [`prepare`] returned.
///
/// Prints one line with its address to standard output when it listens; logs go to standard error, filtered by the
/// variable `SANDBOX_LOG` (default `info`).
///
/// # Errors
///
/// Returns [`ServeError`] if the daemon could not start.
pub fn serve(args: ServeArgs, token: Option<OsString>) -> Result<(), ServeError> {
    let args = args.with_file()?;
    if args.detach {
        // setsid(2) fails only with EPERM: for the leader of a process group.
        rustix::process::setsid().map_err(|_| ServeError::Detach)?;
    }
    start_log();
    // Children inherit neither secrets nor descriptors from the daemon, and may not inspect its memory.
    if let Err(error) = sandbox_engine::close_on_exec_from(3) {
        tracing::debug!(%error, "cannot mark inherited descriptors close-on-exec");
    }
    if let Err(error) = sandbox_engine::forbid_inspection() {
        tracing::warn!(%error, "cannot hide this process's memory from its children");
    }
    let listen = args.listen()?;
    let access = access(&args, &listen, token)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(args, listen, access));
    // A file system can block a thread forever.
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    served
}

/// Sends the log of this process to standard error, filtered by the variable `SANDBOX_LOG` (default `info`). To be called exactly
/// once.
pub fn start_log() {
    let filter = EnvFilter::try_from_env("SANDBOX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

async fn run(args: ServeArgs, listen: Listen, access: Access) -> Result<(), ServeError> {
    let mut environment = Environment::of_this_process();
    // The variable was blanked, not removed, and commands would inherit it.
    environment.remove(TOKEN_VARIABLE);
    let work_dir = args.work_dir.clone().unwrap_or_else(|| ".".into());
    // `reap_orphans` reaps every child that is not the engine's; the daemon itself starts none.
    let mut engine = Engine::builder()
        .limits(args.limits())
        .reap_orphans()
        .environment(environment);
    if args.no_warm {
        engine = engine.cold();
    }
    if let Some(isolation) = args.isolation() {
        engine = engine.isolation(isolation);
    }
    for path in private_paths(&args, &listen, &work_dir) {
        engine = engine.private(path);
    }
    engine = engine.work_dir(work_dir);
    if let Some(state_dir) = args.state_dir {
        engine = engine.state_dir(state_dir);
    }
    if let Some(cgroup) = args.cgroup {
        engine = engine.cgroup(cgroup);
    }
    if let Some(bytes) = args.record_bytes {
        engine = engine.record_bytes(bytes);
    }
    if let Some(shell) = args.shell {
        engine = engine.shell(shell);
    }
    if let Some(bytes) = args.pty_ring {
        engine = engine.pty_ring_bytes(bytes);
    }
    if let Some(python) = args.python {
        // A bare name is looked for on the path when it is needed.
        if python.components().count() > 1
            && let Err(source) = std::fs::metadata(&python)
        {
            return Err(ServeError::Python {
                path: python,
                source,
            });
        }
        engine = engine.python(python);
    }
    let mut config = Config::new(listen, access, engine.build()?);
    #[cfg(feature = "tls")]
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let authority = args.tls_client_ca.as_deref();
        config.tls = Some(crate::Tls::from_files(certificate, key, authority)?);
    }
    config.entrypoint = Some(args.entrypoint).filter(|argv| !argv.is_empty());
    if let Some(seconds) = args.shutdown_grace {
        config.shutdown_grace = Duration::from_secs(seconds);
    }
    // Before the socket listens: a client that has connected may send SIGTERM at once, which would
    // kill the process without a handler, and leave its socket's file and its commands.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(crate::memory::return_freed());
    let server = Server::bind(config).await?;
    // A script that started the daemon may be waiting for this line.
    print(&format!("listening on {}\n", server.url()))?;
    server
        .serve(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    Ok(())
}

/// Returns what of the daemon's own no isolated process may reach: what would let it run commands through the daemon.
fn private_paths(args: &ServeArgs, listen: &Listen, work_dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = args.token_file.iter().cloned().collect();
    #[cfg(feature = "tls")]
    paths.extend(args.tls_key.clone());
    if let Listen::Unix(socket) = listen
        && !socket.as_os_str().as_bytes().starts_with(b"\0")
    {
        paths.push(socket.clone());
        paths.extend(own_directory(socket, work_dir));
    }
    paths
}

/// Returns the directory of a socket, if it is there for that: no other user may enter it, and it is neither a home directory
/// nor around the working directory.
fn own_directory(socket: &Path, work_dir: &Path) -> Option<PathBuf> {
    let directory = std::path::absolute(socket).ok()?.parent()?.to_owned();
    let directory = std::fs::canonicalize(directory).ok()?;
    let metadata = directory.metadata().ok()?;
    let is_private =
        metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
    let is_around = |path: &Path| {
        let path = std::fs::canonicalize(path);
        path.is_ok_and(|path| path.starts_with(&directory))
    };
    let home = std::env::var_os("HOME").map(PathBuf::from);
    // Hiding such a directory would hide the files that commands are there to work on.
    let is_wide = is_around(work_dir) || home.is_some_and(|home| is_around(&home));
    (is_private && !is_wide).then_some(directory)
}

/// Prints an error to standard error, followed by its causes and a hint how to fix it.
pub fn report(error: &dyn Error, hint: Option<&str>) {
    let mut text = format!("error: {error}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        text.extend(["caused by: ", &cause.to_string(), "\n"]);
        source = cause.source();
    }
    if let Some(hint) = hint {
        text.extend(["hint: ", hint, "\n"]);
    }
    complain(&text);
}

/// Writes text to standard error. A failure to write cannot be reported anywhere and is ignored; the
/// exit code reports the original failure as well.
pub fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn access(
    args: &ServeArgs,
    listen: &Listen,
    from_variable: Option<OsString>,
) -> Result<Access, ServeError> {
    if let Some(path) = &args.token_file {
        if Token::is_shared(path) {
            let path = path.display();
            tracing::warn!(%path, "other users may read the token file; chmod 600 it");
        }
        return Ok(Access::Token(Token::from_file(path)?));
    }
    if let Some(text) = from_variable {
        // A text that is not UTF-8 gets replacement characters, which a token may not have.
        return Ok(Access::Token(Token::new(&text.to_string_lossy())?));
    }
    match listen {
        // Every user of the machine can connect to loopback; a Unix socket has an owner.
        Listen::Tcp(_) if !args.insecure_no_auth => Err(ServeError::NoToken {
            listen: listen.clone(),
        }),
        _ => Ok(Access::Open),
    }
}
