//! The named pipes between the daemon and a session's shell.
//!
//! They live in a private directory. The daemon makes them and opens its ends first, so that neither side waits for the
//! other; the shell opens its ends by name, so that the processes that it starts inherit none. A directory that a
//! command removed is replaced by another one before the next command.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Uid};
use tokio::net::unix::pipe;
use uuid::Uuid;

use crate::state::{ScratchDirectory, State};

/// A session's directory, removed with it.
#[derive(Debug)]
pub(crate) struct Directory {
    state: State,
    dir: ScratchDirectory,
    /// The prefix of the names of this session's pipes, and of no others.
    prefix: String,
    /// The file that has the lines for a command, in this directory.
    lines: Option<File>,
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
    /// A file that our lines have opened temporarily.
    Passing,
    /// A file that a command has opened to last.
    Users,
    /// No file, temporarily or to last.
    Closed,
}

impl Directory {
    pub(crate) fn new(state: &State) -> io::Result<Self> {
        Ok(Self {
            state: state.clone(),
            dir: state.scratch_directory()?,
            prefix: Uuid::new_v4().simple().to_string() + "-",
            lines: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a pipe that has no reader or writer yet.
    pub(crate) fn make(&mut self, name: &OsStr) -> io::Result<PathBuf> {
        let mode = Mode::RUSR | Mode::WUSR;
        self.place(|held| {
            rustix::fs::mkfifoat(held, name, mode)?;
            // The process's umask may have taken the rights away.
            rustix::fs::chmodat(held, name, mode, AtFlags::empty())
        })?;
        Ok(self.path().join(name))
    }

    /// Writes a command's text to a file that the shell can read. With a `user`, that user can read the file, too: its
    /// shell gets the file open, and opens it anew.
    pub(crate) fn write_text(
        &mut self,
        number: u64,
        text: &str,
        user: Option<u32>,
    ) -> io::Result<PathBuf> {
        let name = format!("{number}.text");
        let mut file = self.create(&name)?;
        if let Some(user) = user {
            rustix::fs::fchown(&file, Some(Uid::from_raw(user)), None)?;
        }
        // Shells drop a NUL in a script, but some print a warning.
        for part in text.split('\0') {
            file.write_all(part.as_bytes())?;
        }
        if !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(self.path().join(name))
    }

    /// Returns the path of the file that has the lines for a command.
    pub(crate) fn lines_path(&self) -> PathBuf {
        self.path().join(LINES)
    }

    /// Writes the lines for a command to the file at [`lines_path`](Self::lines_path), over the beginning of those
    /// before.
    pub(crate) fn write_lines(&mut self, lines: &str) -> io::Result<()> {
        // After a failed write the file is not used again: creating it fails by `O_EXCL`, and the
        // lines of the later commands go through the pipe.
        let file = match self.lines.take() {
            Some(file) => file,
            None => self.create(LINES)?,
        };
        // Not truncated: the list ends with a NUL, at which `mapfile -d ""` stops reading, so what
        // is left of a longer list is never evaluated.
        file.write_all_at(lines.as_bytes(), 0)?;
        self.lines = Some(file);
        Ok(())
    }

    /// Creates a file that only this user can read.
    fn create(&mut self, name: &str) -> io::Result<File> {
        // The session's commands run as the same user and can put a file or a link of this name
        // here.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let flags = flags | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = self.place(|held| rustix::fs::openat(held, name, flags, mode))?;
        rustix::fs::fchmod(&fd, mode)?;
        Ok(File::from(fd))
    }

    /// Makes the pipes of command `number`, and returns the near ends of its outputs.
    pub(crate) fn command(
        &mut self,
        number: u64,
        with_input: bool,
    ) -> io::Result<(CommandPipes, [Option<pipe::Receiver>; 3])> {
        let prefix = self.prefix.clone();
        let mut make = |suffix: &str| self.make(format!("{prefix}{number}{suffix}").as_ref());
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

    /// Returns what descriptor `fd` of the process `pid` is opened on, or `None` if that cannot be found out.
    pub(crate) fn target(&self, pid: u32, fd: usize, control: &Path) -> Option<Target> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let link = match std::fs::read_link(process.join("fd").join(fd.to_string())) {
            Ok(link) => link,
            // A process that cannot be seen may have ended, or its spawner has it elsewhere: nothing is known of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return process.exists().then_some(Target::Closed);
            }
            Err(_) => return None,
        };
        if link == Path::new("/dev/null") {
            return Some(Target::Null);
        }
        if link == control || link == Path::new(SINK) {
            return Some(Target::Passing);
        }
        let name = link.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(&self.prefix) {
            return Some(Target::Users);
        }
        // The kernel marks a pipe whose name was removed.
        let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
        Some(if name.ends_with(STDIN) {
            Target::Stdin
        } else if name.ends_with(STDOUT) {
            Target::Stdout
        } else if name.ends_with(STDERR) {
            Target::Stderr
        } else {
            Target::Users
        })
    }

    /// Creates a file in the directory; replaces the directory first if it was removed.
    fn place<T>(
        &mut self,
        make: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        match make(self.dir.as_fd()) {
            // The kernel creates nothing in a directory that was removed, even if it is still open.
            Err(rustix::io::Errno::NOENT) => {}
            // The directory may have been moved: the shell opens by name.
            Ok(made) if self.dir.is_in_its_place() => return Ok(made),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        self.dir.check_place()?;
        self.dir = self.state.scratch_directory()?;
        // The file is in the directory before.
        self.lines = None;
        Ok(make(self.dir.as_fd())?)
    }
}

impl CommandPipes {
    /// Removes the names of the pipes. Open descriptors stay open.
    pub(crate) fn unlink(&self) {
        for path in [&self.stdin, &self.stdout, &self.stderr] {
            if path != Path::new("/dev/null") {
                // Absent if the directory was removed.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Opens the end to which the daemon writes the script. The descriptor is a reading end, too, so that it can be opened
/// before the shell has opened its own, and without waiting.
pub(crate) fn open_script(path: &Path) -> io::Result<File> {
    // Linux opens a FIFO for both without another end; POSIX leaves that undefined (fifo(7)).
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let script = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    // Best effort: long texts are passed in files, but the variables of one command are not.
    let _ = rustix::pipe::fcntl_setpipe_size(&script, SCRIPT_PIPE_BYTES);
    Ok(script)
}

/// Opens the writing end of a pipe that already has a reader, so that the reader finds no end of file before another
/// writer has opened the pipe.
pub(crate) fn open_writer(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Opens the writing end of a pipe whose reader comes later. The second descriptor stands in for the reader: until the
/// shell has opened its end, closing it would lose what was written, and make the shell wait for a writer.
pub(crate) fn open_input(path: &Path) -> io::Result<(pipe::Sender, File)> {
    let stand_in = open_script(path)?;
    Ok((pipe::OpenOptions::new().open_sender(path)?, stand_in))
}

/// The capacity for the lines of one command; the most that an unprivileged user may request.
const SCRIPT_PIPE_BYTES: usize = 1024 * 1024;

/// The name of the file that has the lines for a command.
const LINES: &str = "lines";

const STDIN: &str = ".in";
const STDOUT: &str = ".out";
const STDERR: &str = ".err";

/// The file to which our lines discard output. It is not `/dev/null`, on which a command may have put a descriptor to
/// last: where a descriptor is opened here, the shell is about to restore it.
pub(super) const SINK: &str = "/dev/zero";
