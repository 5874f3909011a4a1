//! What runs inside of a sandbox: this program as a daemon.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use sandbox_daemon::doors::chain;
use sandbox_daemon::{Access, Config, Listen, Server};
use sandbox_engine::{Engine, Environment};
use tokio::signal::unix::{SignalKind, signal};

/// The role of the daemon.
pub(super) const ROLE: &str = "sandbox-daemon";

sandbox_engine::before_main!("sandbox-daemon", run);

/// The shell of a sandbox, unless its root lacks it.
const BASH: &str = "/bin/bash";

/// The directory of the daemon's own files, by its path inside.
pub(super) const STATE_DIR: &str = "/run/sandbox-state";

fn run(descriptors: Vec<OwnedFd>) -> i32 {
    match serve(descriptors) {
        Ok(()) => 0,
        Err(error) => {
            // Of what use would it be to report that this cannot be reported?
            let _ = writeln!(std::io::stderr(), "error: {}", chain(&*error));
            1
        }
    }
}

fn serve(descriptors: Vec<OwnedFd>) -> Result<(), Box<dyn Error>> {
    sandbox_engine::return_large_memory();
    sandbox_engine::close_on_exec_from(3)?;
    sandbox_engine::forbid_inspection()?;
    let mut descriptors = descriptors.into_iter();
    let socket = descriptors.next().ok_or("no socket")?;
    // It counts what the memory limit of the sandbox kills, if there is one.
    let memory_events = descriptors.next().map(File::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(run_server(socket.into(), memory_events))?;
    // A file system can block a thread forever.
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    Ok(())
}

async fn run_server(
    socket: UnixListener,
    memory_events: Option<File>,
) -> Result<(), Box<dyn Error>> {
    // Before `main`, SIGPIPE is not ignored yet; a handler has the same effect on a write.
    let _pipe = signal(SignalKind::pipe())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut builder = Engine::builder()
        .environment(Environment::of_this_process())
        .state_dir(STATE_DIR)
        .reap_orphans();
    // A terminal of zsh in a home without files asks questions before it reads commands; and programs are written for bash, which
    // sandboxes have elsewhere.
    if Path::new(BASH).exists() {
        builder = builder.shell(BASH);
    }
    if let Some(file) = memory_events {
        builder = builder.memory_events(file);
    }
    let engine = builder.build()?;
    let address = Listen::Unix("/run/sandbox.sock".into());
    let mut config = Config::new(address, Access::Open, engine);
    config.inherited = Some(socket);
    config.shutdown_grace = SHUTDOWN_GRACE;
    tokio::spawn(sandbox_daemon::return_freed());
    let server = Server::bind(config).await?;
    server
        .serve(async {
            terminate.recv().await;
        })
        .await;
    Ok(())
}

/// One sandbox is used by one client at most times, and there are many sandboxes.
const WORKERS: usize = 2;

const RUNTIME_SHUTDOWN: Duration = Duration::from_secs(1);

/// Less than [`STOP`](crate::limits::STOP), after which it is killed.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
