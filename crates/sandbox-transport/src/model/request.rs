//! What is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::PtySize;
use crate::{Delivery, Error, ErrorKind};

/// A shell command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Its working directory, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// Ends it after this long; see [`MIN_TIME_LIMIT`](crate::limits::MIN_TIME_LIMIT). Default: no limit.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr are told apart. Default: yes for a command that is
    /// [streamed](crate::ProcessApi::execute_stream), otherwise no. If not, stderr goes where stdout goes.
    pub split_output: Option<bool>,
    /// *Extension*: runs it on a new terminal of this size, each side 1 to 1000, instead of pipes. Default: no. All its output is
    /// stdout then. `TERM` is `xterm-256color` unless it is among the variables.
    ///
    /// Only a command that is [streamed](crate::ProcessApi::execute_stream) can have one;
    /// [`execute`](crate::ProcessApi::execute) of one that asks for it is an error of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    pub tty: Option<PtySize>,
}

impl ExecRequest {
    /// Runs this command as the daemon runs commands.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            ..Self::default()
        }
    }

    /// Refuses a command that is not streamed and asks for a terminal.
    pub(crate) fn check_has_no_terminal(&self) -> Result<(), Error> {
        if self.tty.is_none() {
            return Ok(());
        }
        let message = "only a command that is streamed can have a terminal";
        let kind = ErrorKind::InvalidInput;
        Err(Error::new(kind, Delivery::NotSent, message))
    }
}

/// A command that is followed and fed while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecStreamRequest {
    /// What to run.
    pub request: ExecRequest,
    /// Whether the command gets input; otherwise it finds the end immediately.
    pub input: bool,
    /// Whether the daemon ends the command, with all its processes, when the connection ends before it.
    pub kill_on_drop: bool,
}

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRequest {
    /// Its text; not empty.
    pub code: String,
    /// The [name](crate::Language::name) of its language, or of one that only the daemon knows.
    pub language: String,
    /// Its arguments, passed verbatim.
    pub argv: Vec<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// Ends it after this long; see [`MIN_TIME_LIMIT`](crate::limits::MIN_TIME_LIMIT). Default: no limit.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr are told apart.
    pub split_output: bool,
}

/// A command for a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Whether to return immediately instead of at its end. Only such a command can be given input. Default: no.
    pub run_async: bool,
    /// Whether the log leaves out the input that the command is given. Default: no, input is logged as stdout.
    pub suppress_input_echo: bool,
    /// *Extension*: its id. Default: a random one.
    pub command_id: Option<String>,
    /// *Extension*: runs it here, and apart from the session: it changes nothing there.
    pub cwd: Option<String>,
    /// *Extension*: runs it with these variables, and apart from the session.
    pub env: BTreeMap<String, String>,
    /// *Extension*: runs it as this user, and apart from the session; only where the daemon is root's.
    pub user: Option<String>,
    /// *Extension*: ends it after this long. Default: no limit.
    pub timeout: Option<Duration>,
}

impl SessionExecuteRequest {
    /// Runs this command to its end.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            ..Self::default()
        }
    }
}

impl From<&str> for SessionExecuteRequest {
    fn from(command: &str) -> Self {
        Self::new(command)
    }
}

/// A terminal to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PtyRequest {
    /// Its id; not empty.
    pub id: String,
    /// The directory that its shell starts in, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// Its size; 0 stands for the default, 24 lines of 80.
    pub size: Option<PtySize>,
    /// Whether its shell starts only when the first client connects.
    pub lazy_start: bool,
}

/// A context of an interpreter to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextRequest {
    /// The directory that its code runs in, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// The [name](crate::Language::name) of its language. Default: `python`, the one that every daemon has.
    pub language: Option<String>,
}

/// Code for an interpreter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterpretRequest {
    /// Its text; not empty.
    pub code: String,
    /// The context to run it in. Default: the one for Python that every daemon has.
    pub context_id: Option<String>,
    /// Variables while it runs.
    pub env: BTreeMap<String, String>,
    /// Interrupts it after this long; [`Duration::MAX`] is no limit. Over HTTP it is rounded up to whole seconds. Default: the
    /// daemon's, 600 s.
    pub timeout: Option<Duration>,
}

/// A change of the daemon's environment, for processes that start later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvUpdate {
    /// Variables to set, after the other two.
    pub set: BTreeMap<String, String>,
    /// Names to remove.
    pub unset: Vec<String>,
    /// Removes every variable whose value begins so and whose name is not in `set`.
    pub unset_value_prefix: Option<String>,
}

/// Which log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// That of a session's command.
    Command {
        /// The session.
        session_id: String,
        /// The command.
        command_id: String,
    },
    /// That of the command which the daemon was started with.
    Entrypoint,
}

impl LogSource {
    /// The log of a session's command.
    pub fn command(session_id: impl Into<String>, command_id: impl Into<String>) -> Self {
        Self::Command {
            session_id: session_id.into(),
            command_id: command_id.into(),
        }
    }
}

/// How a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogOptions {
    /// Where to begin: bytes of output, of both channels together, that come before. Default: 0.
    pub offset: u64,
    /// Whether to wait for what is yet to be written, to the command's end. Default: yes.
    pub follow: bool,
    /// Whether to connect again after a cut. Default: yes.
    pub resume: bool,
}

impl LogOptions {
    /// Follows from the beginning to the command's end.
    pub const fn new() -> Self {
        Self {
            offset: 0,
            follow: true,
            resume: true,
        }
    }

    /// Begins here.
    #[must_use]
    pub const fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// Ends with what is there now.
    #[must_use]
    pub const fn snapshot(mut self) -> Self {
        self.follow = false;
        self
    }

    /// Fails at the first cut instead of connecting again.
    #[must_use]
    pub const fn without_resume(mut self) -> Self {
        self.resume = false;
        self
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Something for the standard input of a session's command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandInput {
    /// What to give it; may be empty with `eof`.
    pub data: Bytes,
    /// Whether the daemon adds a newline where none is at the end of `data`, which is UTF-8 then. It is all that the
    /// protocol has; the rest are extensions.
    pub is_line: bool,
    /// Whether the input ends behind `data`.
    pub eof: bool,
}

impl CommandInput {
    /// A line of text.
    pub fn line(text: impl Into<String>) -> Self {
        Self {
            data: text.into().into(),
            is_line: true,
            eof: false,
        }
    }

    /// Bytes as they are. *Extension.*
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            data: bytes.into(),
            is_line: false,
            eof: false,
        }
    }

    /// The end of the input. *Extension.*
    pub fn eof() -> Self {
        Self::raw(Bytes::new()).then_eof()
    }

    /// The same, and the end of the input behind it. *Extension.*
    #[must_use]
    pub fn then_eof(mut self) -> Self {
        self.eof = true;
        self
    }
}

/// A terminal to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PtyAttachRequest {
    /// Its id.
    pub id: String,
    /// Where its output is to begin (an *extension*): bytes that it showed before. `None` leaves it to the daemon: stock ones
    /// begin with what comes next, this project's with the oldest that is kept.
    pub offset: Option<u64>,
    /// Whether to watch only (an *extension*): what is typed is ignored.
    pub read_only: bool,
}

impl PtyAttachRequest {
    /// The terminal of this id, to be watched and typed into.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            offset: None,
            read_only: false,
        }
    }

    /// Its output from here on.
    #[must_use]
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = Some(bytes);
        self
    }

    /// Watches only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}
