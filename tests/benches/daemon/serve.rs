//! Daemons: this program, executed anew, so that a daemon is a process of its own without another program to build.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;
use sandbox_daemon::cli::{self, ServeArgs, ServeError};
use sandbox_process::Process;
use tempfile::TempDir;

use crate::bare;

/// The command line of a daemon.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Serves, if this process was started as a daemon.
pub(crate) fn if_asked() -> Option<ExitCode> {
    std::env::var_os(ASKED)?;
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error, error.hint());
            ExitCode::FAILURE
        }
    })
}

fn serve() -> Result<(), ServeError> {
    let token = cli::prepare()?;
    match cli::parse::<Arguments>() {
        Ok(arguments) => cli::serve(arguments.serve, token),
        Err(said) => panic!("{}", said.text),
    }
}

const ASKED: &str = "SANDBOX_BENCH_SERVE";

/// A daemon that ends when this is dropped, with all that it runs.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
    #[expect(dead_code, reason = "it is removed with this")]
    directory: TempDir,
    /// How long it took from the start of its process to the line with its address.
    pub(crate) started_in: f64,
}

impl Daemon {
    /// Starts a daemon on a TCP port.
    pub(crate) fn tcp() -> Self {
        Self::start(|_| "127.0.0.1:0".to_owned())
    }

    /// Starts a daemon on a Unix socket.
    pub(crate) fn unix() -> Self {
        Self::start(|directory| format!("unix:{}/socket", directory.display()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the daemon is the process that is measured"
    )]
    fn start(listen: impl Fn(&Path) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        // Apart: isolated commands see the one, and not the other.
        let [state, work] = ["state", "work"].map(|name| path.join(name));
        for directory in [&state, &work] {
            fs::create_dir(directory).expect("a directory");
        }
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command
            .args(["--insecure-no-auth", "--shell", "/bin/bash", "--listen"])
            .arg(listen(path))
            .args([Path::new("--state-dir"), &state])
            .args([Path::new("--work-dir"), &work])
            .env(ASKED, "1")
            .env("HOME", &work)
            .env("SANDBOX_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(python) = sandbox_tests::python() {
            command.arg("--python").arg(python);
        }
        let started = Instant::now();
        let mut child = command.spawn().expect("the daemon starts");
        let mut line = String::new();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        { stdout }.read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ");
        let url = url.expect("the line of its address").to_owned();
        Self {
            child,
            url,
            directory,
            started_in: started.elapsed().as_secs_f64(),
        }
    }

    /// Returns a client of it.
    pub(crate) fn client(&self) -> Process {
        Process::connect(&self.url).expect("the daemon's URL")
    }

    /// Returns a client that uses gRPC.
    pub(crate) fn grpc(&self) -> Process {
        let client = Process::builder(&self.url).grpc().build();
        client.expect("the daemon's URL")
    }

    /// Returns the bytes of memory that are resident of its process.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        bare::kilobytes(&status.expect("it runs"), "VmRSS:")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // It ends what it runs before it ends itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
