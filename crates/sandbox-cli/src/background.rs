//! The daemon in the background: one per user, on a private socket, for what is to outlive a command.
//!
//! It is started when it is first needed, as tmux starts its server, and stays until `sandbox stop`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal};
use sandbox_daemon::cli::TOKEN_VARIABLE;
use sandbox_daemon::doors::private_directory;

use crate::error::CliError;

/// A daemon that responds.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its process, unless that is in a process namespace that is not visible from this one.
    pub(crate) pid: Option<Pid>,
}

/// Returns the process at the other end of a connection.
fn peer(stream: UnixStream) -> io::Result<Option<Pid>> {
    // Only for the credentials: those of rustix have no room for a process that cannot be seen, whose number is 0.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _within = runtime.enter();
    stream.set_nonblocking(true)?;
    let credentials = tokio::net::UnixStream::from_std(stream)?.peer_cred()?;
    Ok(visible(credentials.pid()))
}

fn visible(number: Option<i32>) -> Option<Pid> {
    number.filter(|number| *number > 0).and_then(Pid::from_raw)
}

/// Where the daemon of this user is, or would be.
#[derive(Debug)]
pub(crate) struct Background {
    directory: PathBuf,
    /// The same, whatever its path leads to meanwhile.
    held: OwnedFd,
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
        let held = private_directory(&directory).map_err(|source| CliError::Private {
            path: directory.clone(),
            source,
        })?;
        Ok(Self { directory, held })
    }

    /// The URL of its socket.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Returns the daemon, or `None` if there is none.
    pub(crate) fn find(&self) -> Option<Found> {
        let stream = UnixStream::connect(self.socket()).ok()?;
        Some(Found {
            pid: peer(stream).ok()?,
        })
    }

    /// Starts it, unless it is there already.
    pub(crate) fn ensure(&self) -> Result<(), CliError> {
        if self.find().is_some() {
            return Ok(());
        }
        self.start().map_err(CliError::Background)
    }

    /// Asks it to end, and waits until it has; returns `false` if there is none.
    pub(crate) fn stop(&self) -> Result<bool, CliError> {
        let Some(found) = self.find() else {
            return Ok(false);
        };
        let pid = found.pid.ok_or(CliError::StopUnseen)?;
        end(pid).map(|()| true).map_err(CliError::Stop)
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("daemon.sock")
    }

    /// Its log of errors.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join(LOG)
    }

    /// Opens a file in the directory, empty, and makes it if it is missing; for this user alone, and through no link.
    fn create(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.held, name, flags, mode)?;
        // The umask may have taken rights away, and an older version have given some.
        rustix::fs::fchmod(&file, mode)?;
        Ok(file.into())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a daemon that outlives this program is nothing that runs in a sandbox"
    )]
    fn start(&self) -> io::Result<()> {
        // Of several that need it at the same time, one starts it.
        let lock = self.create("lock")?;
        lock.lock()?;
        if self.find().is_some() {
            return Ok(());
        }
        let log = self.create(LOG)?;
        let mut daemon = Command::new(std::env::current_exe()?);
        daemon
            .arg("serve")
            .args(["--listen", &self.url()])
            .arg("--state-dir")
            .arg(&self.directory)
            // Not this directory, which the user may want to remove.
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
        if line.starts_with("listening on ") {
            Ok(())
        } else {
            Err(io::Error::other(said(&self.log())))
        }
    }
}

/// Has a daemon end, and waits until its process has: what it has locked is free then.
pub(crate) fn end(pid: Pid) -> io::Result<()> {
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    rustix::process::pidfd_send_signal(&process, Signal::TERM)?;
    let give_up = Instant::now() + STOP;
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut ends, Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// At its end a daemon waits for what it runs, and then for its responses.
const STOP: Duration = Duration::from_secs(20);

const LOG: &str = "daemon.log";

fn home() -> String {
    std::env::var("HOME").unwrap_or_else(|_| "/".to_owned())
}

/// What a daemon that did not start has said.
pub(crate) fn said(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    match said.trim() {
        "" => "it said nothing".to_owned(),
        said => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// Linux reports a process of another namespace as 0.
    #[test]
    fn what_cannot_be_seen_has_no_process() {
        assert_eq!(visible(Some(0)), None);
        assert_eq!(visible(Some(-1)), None);
        assert_eq!(visible(None), None);
        assert_eq!(visible(Some(1)), Some(Pid::INIT));
        let (here, there) = UnixStream::pair().unwrap();
        assert_eq!(peer(here).unwrap(), Some(rustix::process::getpid()));
        drop(there);
    }

    #[test]
    fn its_files_are_private_and_no_links() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("own");
        let held = private_directory(&directory).unwrap();
        let background = Background { directory, held };
        background.create(LOG).unwrap();
        assert_eq!(
            (mode(&background.directory), mode(&background.log())),
            (0o700, 0o600)
        );
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(background.log(), open).unwrap();
        background.create(LOG).unwrap();
        assert_eq!(mode(&background.log()), 0o600);
        let victim = parent.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, background.directory.join("lock")).unwrap();
        background.create("lock").unwrap_err();
        assert_eq!(fs::read_to_string(victim).unwrap(), "kept");
    }
}
