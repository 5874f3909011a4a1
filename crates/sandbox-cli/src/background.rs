//! The daemon in the background: one per user, on a private socket, for what is to outlive a command.
//!
//! It is started when it is first needed, as tmux starts its server, and stays until `sandbox stop`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, Signal};
use sandbox_daemon::cli::TOKEN_VARIABLE;

use crate::error::CliError;

/// Where the daemon of this user is, or would be.
#[derive(Debug)]
pub(crate) struct Background {
    directory: PathBuf,
}

impl Background {
    /// In `$XDG_RUNTIME_DIR`, else in a private directory among the temporary files.
    pub(crate) fn of_this_user() -> Result<Self, CliError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let directory = match runtime.filter(|path| path.is_absolute() && path.is_dir()) {
            Some(path) => path.join("sandbox"),
            None => {
                let user = rustix::process::geteuid().as_raw();
                std::env::temp_dir().join(format!("sandbox-{user}"))
            }
        };
        private(&directory).map_err(|source| CliError::Private {
            path: directory.clone(),
            source,
        })?;
        Ok(Self { directory })
    }

    /// The URL of its socket.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Its process id; `None` if there is none.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let stream = UnixStream::connect(self.socket()).ok()?;
        Some(socket_peercred(stream).ok()?.pid)
    }

    /// Starts it, unless it is there already.
    pub(crate) fn ensure(&self) -> Result<(), CliError> {
        if self.pid().is_some() {
            return Ok(());
        }
        self.start().map_err(CliError::Background)
    }

    /// Tells it to end, and waits for that. False if there is none.
    pub(crate) fn stop(&self) -> Result<bool, CliError> {
        let Some(pid) = self.pid() else {
            return Ok(false);
        };
        let stopped = rustix::process::kill_process(pid, Signal::TERM)
            .map_err(io::Error::from)
            .and_then(|()| self.gone(pid));
        stopped.map(|()| true).map_err(CliError::Stop)
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("daemon.sock")
    }

    /// Where it tells what goes wrong.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("daemon.log")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a daemon that outlives this program is nothing that runs in a sandbox"
    )]
    fn start(&self) -> io::Result<()> {
        // Of several who need it at once, one starts it.
        let lock = File::create(self.directory.join("lock"))?;
        lock.lock()?;
        if self.pid().is_some() {
            return Ok(());
        }
        let log = File::create(self.log())?;
        let mut daemon = Command::new(std::env::current_exe()?);
        daemon
            .arg("serve")
            .args(["--listen", &self.url()])
            .arg("--state-dir")
            .arg(&self.directory)
            // Not this directory, which somebody may want to remove.
            .args(["--work-dir", &home()])
            // The keyboard of this terminal is not for it.
            .arg("--detach")
            .env_remove(TOKEN_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut daemon = daemon.spawn()?;
        let mut line = String::new();
        if let Some(stdout) = daemon.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match line.starts_with("listening on ") {
            true => Ok(()),
            false => Err(io::Error::other(said(&self.log()))),
        }
    }

    /// Waits until the daemon `pid` is gone.
    #[expect(
        clippy::disallowed_methods,
        reason = "the daemon is no child of this process, and tells nobody when it is gone"
    )]
    fn gone(&self, pid: Pid) -> io::Result<()> {
        let give_up = Instant::now() + STOP;
        while self.pid() == Some(pid) {
            if Instant::now() > give_up {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// A daemon that ends gives what it runs a grace, and then its answers.
const STOP: Duration = Duration::from_secs(20);

/// Makes a directory that is this user's alone, or sees that it is.
fn private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    let is_ours = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.permissions().mode() & 0o077 == 0;
    match is_ours {
        true => Ok(()),
        false => Err(io::Error::other(
            "it is not a directory of this user's alone",
        )),
    }
}

fn home() -> String {
    std::env::var("HOME").unwrap_or_else(|_| "/".to_owned())
}

/// What a daemon that did not start has said.
fn said(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    match said.trim() {
        "" => "it said nothing".to_owned(),
        said => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_others_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let fresh = parent.path().join("fresh");
        private(&fresh).unwrap();
        private(&fresh).unwrap();
        let open = parent.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private(&open).is_err());
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&fresh, &link).unwrap();
        assert!(private(&link).is_err());
    }
}
