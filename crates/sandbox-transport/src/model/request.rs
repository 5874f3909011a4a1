//! The requests of operations.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{Isolation, PtySize, ResourceLimits};
use crate::{Delivery, Error, ErrorKind};

/// A shell command to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// The command's working directory, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// The time limit of the command; see [`MIN_TIME_LIMIT`](crate::limits::MIN_TIME_LIMIT). Default: no limit.
    pub timeout: Option<Duration>,
    /// *Extension*: the soft time limit: if the command still runs then, the outcome is
    /// [`StillRunning`](super::Termination::StillRunning), with what was written so far, and the command runs on. It must be shorter
    /// than [`timeout`](Self::timeout), which still ends the command. Default: none.
    ///
    /// A command that is [streamed](crate::ProcessApi::execute_stream) cannot have one; that is an error of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    pub soft_timeout: Option<Duration>,
    /// Whether stdout and stderr are separate. Default: yes for a command that is
    /// [streamed](crate::ProcessApi::execute_stream), otherwise no. If not, stderr goes to stdout.
    pub split_output: Option<bool>,
    /// *Extension*: the size of a new terminal to run the command on, instead of pipes; each side is 1 to 1000.
    /// Default: no terminal. On a terminal all output is stdout, and `TERM` is `xterm-256color` unless it is among the
    /// variables.
    ///
    /// Only a command that is [streamed](crate::ProcessApi::execute_stream) can have a terminal; with one,
    /// [`execute`](crate::ProcessApi::execute) fails with an error of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    pub tty: Option<PtySize>,
    /// *Extension*: the limits of the command and of all that it starts. Default: the daemon's own.
    pub limits: ResourceLimits,
    /// *Extension*: the isolation of the command. Default: the daemon's, none unless it was started with one. A daemon that cannot isolate
    /// it fails with the code `ISOLATION_UNAVAILABLE`; one that does not have the extension, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported). It then runs nothing.
    pub isolation: Option<Isolation>,
}

impl ExecRequest {
    /// Creates a request for this command, with the daemon's defaults.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            ..Self::default()
        }
    }

    /// Returns an error if a command that is streamed has a soft limit.
    pub(crate) fn check_has_no_soft_limit(&self) -> Result<(), Error> {
        if self.soft_timeout.is_none() {
            return Ok(());
        }
        let message = "a command that is followed has no soft limit";
        let kind = ErrorKind::InvalidInput;
        Err(Error::new(kind, Delivery::NotSent, message))
    }

    /// Returns the time within which the daemon responds because of a limit, if it has one.
    pub(crate) fn first_limit(&self) -> Option<Duration> {
        self.soft_timeout.or(self.timeout)
    }

    /// Returns an error if a command that is not streamed asks for a terminal.
    pub(crate) fn check_has_no_terminal(&self) -> Result<(), Error> {
        if self.tty.is_none() {
            return Ok(());
        }
        let message = "only a command that is streamed can have a terminal";
        let kind = ErrorKind::InvalidInput;
        Err(Error::new(kind, Delivery::NotSent, message))
    }
}

/// A command that is followed and given input while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecStreamRequest {
    /// The command to run.
    pub request: ExecRequest,
    /// Whether the command gets input; otherwise its input is empty.
    pub input: bool,
    /// Whether the daemon ends the command, with all its processes, when the connection ends before it.
    pub kill_on_drop: bool,
}

/// A program to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRequest {
    /// The program's source text; not empty.
    pub code: String,
    /// The [name](crate::Language::name) of the program's language, or of one that only the daemon knows.
    pub language: String,
    /// The program's arguments, passed verbatim.
    pub argv: Vec<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// The time limit of the program; see [`MIN_TIME_LIMIT`](crate::limits::MIN_TIME_LIMIT). Default: no limit.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr are separate.
    pub split_output: bool,
    /// *Extension*: the limits of the program and of all that it starts. Default: the daemon's own.
    pub limits: ResourceLimits,
    /// *Extension*: the isolation of the program. Default: the daemon's, none unless it was started with one. A daemon that cannot isolate
    /// it fails with the code `ISOLATION_UNAVAILABLE`; one that does not have the extension, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported). It then runs nothing.
    pub isolation: Option<Isolation>,
}

/// A session to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRequest {
    /// The session's id; not empty.
    pub id: String,
    /// *Extension*: the limits of its shell and of all that it starts. Default: the daemon's own.
    pub limits: ResourceLimits,
    /// *Extension*: the isolation of its shell, and so of its commands. Default: the daemon's, none unless it was started with one. A daemon that cannot isolate
    /// it fails with the code `ISOLATION_UNAVAILABLE`; one that does not have the extension, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported). It then runs nothing.
    pub isolation: Option<Isolation>,
}

impl SessionRequest {
    /// Creates a request for a session with this id, with the daemon's defaults.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

impl From<&str> for SessionRequest {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// A command to run in a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Whether to return immediately instead of at the command's end. Only such a command can be given input. Default:
    /// no.
    pub run_async: bool,
    /// Whether the log leaves out the input that the command is given. Default: no, input is logged as stdout.
    pub suppress_input_echo: bool,
    /// *Extension*: the command's id. Default: a random one.
    pub command_id: Option<String>,
    /// *Extension*: the directory to run the command in, separately from the session: it changes nothing there.
    pub cwd: Option<String>,
    /// *Extension*: variables to run the command with, separately from the session.
    pub env: BTreeMap<String, String>,
    /// *Extension*: the user to run the command as, separately from the session; only if the daemon runs as root.
    pub user: Option<String>,
    /// *Extension*: the time limit of the command. Default: no limit.
    pub timeout: Option<Duration>,
}

impl SessionExecuteRequest {
    /// Creates a request that runs this command to its end.
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
    /// The terminal's id; not empty.
    pub id: String,
    /// The directory that its shell starts in, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
    /// The terminal's size; 0 stands for the default, 24 lines of 80.
    pub size: Option<PtySize>,
    /// Whether its shell starts only when the first client connects.
    pub lazy_start: bool,
    /// *Extension*: the limits of its shell and of all that it starts. Default: the daemon's own.
    pub limits: ResourceLimits,
    /// *Extension*: the isolation of its shell. Default: the daemon's, none unless it was started with one. A daemon that cannot isolate
    /// it fails with the code `ISOLATION_UNAVAILABLE`; one that does not have the extension, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported). It then runs nothing.
    pub isolation: Option<Isolation>,
}

/// An interpreter context to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextRequest {
    /// The directory that its code runs in, relative to the daemon's. Default: the daemon's.
    pub cwd: Option<String>,
    /// The [name](crate::Language::name) of the context's language. Default: `python`, which every daemon has.
    pub language: Option<String>,
    /// *Extension*: the limits of its interpreter and of all that it starts. Default: the daemon's own.
    pub limits: ResourceLimits,
    /// *Extension*: the isolation of the context's workers. Default: the daemon's, none unless it was started with one. A daemon that cannot isolate
    /// it fails with the code `ISOLATION_UNAVAILABLE`; one that does not have the extension, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported). It then runs nothing.
    pub isolation: Option<Isolation>,
}

/// Code to run in an interpreter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterpretRequest {
    /// The source text; not empty.
    pub code: String,
    /// The context to run the code in. Default: the one for Python that every daemon has.
    pub context_id: Option<String>,
    /// Variables that are set while the code runs.
    pub env: BTreeMap<String, String>,
    /// The time limit, after which the code is interrupted; [`Duration::MAX`] is no limit. Over HTTP it is rounded up
    /// to whole seconds. Default: the daemon's, 600 s.
    pub timeout: Option<Duration>,
}

/// A change of the daemon's environment, for processes that start later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvUpdate {
    /// Variables to set, after the removals of the other two fields.
    pub set: BTreeMap<String, String>,
    /// Names to remove.
    pub unset: Vec<String>,
    /// Removes every variable whose value begins with this and whose name is not in `set`.
    pub unset_value_prefix: Option<String>,
}

/// A log to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// The log of a session's command.
    Command {
        /// The id of the session.
        session_id: String,
        /// The id of the command.
        command_id: String,
    },
    /// *Extension*: the log of a command without a session.
    Exec {
        /// The id of the command, as in [`StillRunning`](super::Termination::StillRunning).
        exec_id: String,
    },
    /// The log of the command that the daemon was started with.
    Entrypoint,
}

impl LogSource {
    /// Returns the log of a session's command.
    pub fn command(session_id: impl Into<String>, command_id: impl Into<String>) -> Self {
        Self::Command {
            session_id: session_id.into(),
            command_id: command_id.into(),
        }
    }
}

/// Options for reading a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogOptions {
    /// Where to begin: the number of bytes of output before that, of both channels together. Default: 0.
    pub offset: u64,
    /// Whether to wait for further output, up to the command's end. Default: yes.
    pub follow: bool,
    /// Whether to reconnect after a cut. Default: yes.
    pub resume: bool,
}

impl LogOptions {
    /// Creates options that follow the log from its beginning to the command's end.
    pub const fn new() -> Self {
        Self {
            offset: 0,
            follow: true,
            resume: true,
        }
    }

    /// Begins at this offset.
    #[must_use]
    pub const fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// Ends with the current content instead of following the log.
    #[must_use]
    pub const fn snapshot(mut self) -> Self {
        self.follow = false;
        self
    }

    /// Fails at the first cut instead of reconnecting.
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

/// Input for a session's command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandInput {
    /// The bytes of input; may be empty with `eof`.
    pub data: Bytes,
    /// Whether the daemon adds a newline if `data`, which must then be UTF-8, does not end with one. The protocol has
    /// only such lines; the rest are extensions.
    pub is_line: bool,
    /// Whether the input ends after `data`.
    pub eof: bool,
}

impl CommandInput {
    /// Creates input of a line of text.
    pub fn line(text: impl Into<String>) -> Self {
        Self {
            data: text.into().into(),
            is_line: true,
            eof: false,
        }
    }

    /// Creates input of these bytes, unchanged. *Extension.*
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            data: bytes.into(),
            is_line: false,
            eof: false,
        }
    }

    /// Creates input that only ends the input. *Extension.*
    pub fn eof() -> Self {
        Self::raw(Bytes::new()).then_eof()
    }

    /// Ends the input after these bytes. *Extension.*
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
    /// The terminal's id.
    pub id: String,
    /// The offset at which output is to begin (an *extension*): the number of bytes that the terminal showed before.
    /// `None` leaves it to the daemon: stock ones begin with what comes next, this project's with the oldest output
    /// that is retained.
    pub offset: Option<u64>,
    /// Whether to watch only (an *extension*): input is ignored.
    pub read_only: bool,
}

impl PtyAttachRequest {
    /// Creates a request to connect to this terminal for both output and input.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            offset: None,
            read_only: false,
        }
    }

    /// Begins the output at this offset.
    #[must_use]
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = Some(bytes);
        self
    }

    /// Ignores input.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}
