//! The named pipes between the daemon and a session's shell.
//!
//! They live in a private directory. The daemon makes them and opens its ends first, so that nobody ever waits for the
//! other; the shell opens its own by name, so that none is inherited by what it starts.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode};
use tempfile::TempDir;
use tokio::net::unix::pipe;

/// A session's directory, removed with it.
#[derive(Debug)]
pub(crate) struct Directory {
    dir: TempDir,
}

/// The named pipes of one command; the shell's ends are opened by name.
#[derive(Debug)]
pub(crate) struct CommandPipes {
    pub(crate) stdin: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

/// What a descriptor of the shell is opened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Null,
    Stdout,
    Stderr,
    Stdin,
    /// Where reports go, for as long as one is written.
    Control,
    /// Something that a command put there, to last.
    Users,
}

impl Directory {
    pub(crate) fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("sandbox-session-")
            .tempdir()?;
        Ok(Self { dir })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a pipe that is read and written by nobody yet.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<PathBuf> {
        let path = self.path().join(name);
        let mode = Mode::RUSR | Mode::WUSR;
        let made = rustix::fs::mkfifoat(CWD, &path, mode);
        if made == Err(rustix::io::Errno::NOENT) {
            // Somebody removed the directory; the session need not end for that.
            std::fs::create_dir_all(self.path())?;
            rustix::fs::mkfifoat(CWD, &path, mode)?;
        } else {
            made?;
        }
        // The process's umask may have taken the rights away.
        rustix::fs::chmod(&path, mode)?;
        Ok(path)
    }

    /// Writes a command's text to a file that the shell can read.
    pub(crate) fn write_text(&self, number: u64, text: &str) -> io::Result<PathBuf> {
        let path = self.path().join(format!("{number}.text"));
        let mut file = File::options()
            .write(true)
            .create_new(true)
            // Nobody else can come here; but another user's shell may be given it open, and opens it anew.
            .mode(0o644)
            .open(&path)?;
        // Shells drop a NUL in a script, but not all of them quietly.
        for part in text.split('\0') {
            file.write_all(part.as_bytes())?;
        }
        if !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(path)
    }

    /// Makes what command `number` reads from and writes to; the near ends of its outputs are given back.
    pub(crate) fn command(
        &self,
        number: u64,
        with_input: bool,
    ) -> io::Result<(CommandPipes, [Option<pipe::Receiver>; 3])> {
        let make = |suffix: &str| self.make(format!("{number}{suffix}").as_ref());
        let stdin = if with_input {
            make(STDIN)?
        } else {
            "/dev/null".into()
        };
        let pipes = CommandPipes {
            stdin,
            stdout: make(STDOUT)?,
            stderr: make(STDERR)?,
        };
        let open = |path| pipe::OpenOptions::new().open_receiver(path);
        let near = [Some(open(&pipes.stdout)?), Some(open(&pipes.stderr)?), None];
        Ok((pipes, near))
    }

    /// What descriptor `fd` of the process `pid` is opened on. `None` if it cannot be told.
    pub(crate) fn target(&self, pid: u32, fd: usize) -> Option<Target> {
        let link = match std::fs::read_link(format!("/proc/{pid}/fd/{fd}")) {
            Ok(link) => link,
            // Closed, by a command.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Target::Users),
            Err(_) => return None,
        };
        if link == Path::new("/dev/null") {
            return Some(Target::Null);
        }
        let Ok(name) = link.strip_prefix(self.path()) else {
            return Some(Target::Users);
        };
        // A pipe whose name was removed is told with a word behind it.
        let name = name.to_string_lossy();
        let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
        Some(if name.ends_with(STDIN) {
            Target::Stdin
        } else if name.ends_with(STDOUT) {
            Target::Stdout
        } else if name.ends_with(STDERR) {
            Target::Stderr
        } else if name == CONTROL {
            Target::Control
        } else {
            Target::Users
        })
    }
}

impl CommandPipes {
    /// Removes the names. What is opened stays opened.
    pub(crate) fn unlink(&self) {
        for path in [&self.stdin, &self.stdout, &self.stderr] {
            if path != Path::new("/dev/null") {
                // Gone already, if somebody removed the directory.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Opens the end that the daemon writes the script to. It holds a reading end, too, so that it can be opened before the
/// shell has opened its own; and is never waited for.
pub(crate) fn open_script(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// Opens a pipe that is written to now and then, by whoever opens it.
pub(crate) fn open_control(path: &Path) -> io::Result<pipe::Receiver> {
    pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver(path)
}

/// Opens the writing end of a pipe whose reader comes later. The second descriptor stands in for the reader: until the
/// shell has opened its end, closing it would lose what was written, and make the shell wait for a writer.
pub(crate) fn open_input(path: &Path) -> io::Result<(pipe::Sender, File)> {
    let stand_in = open_script(path)?;
    Ok((pipe::OpenOptions::new().open_sender(path)?, stand_in))
}

pub(crate) const CONTROL: &str = "control";
const STDIN: &str = ".in";
const STDOUT: &str = ".out";
const STDERR: &str = ".err";
