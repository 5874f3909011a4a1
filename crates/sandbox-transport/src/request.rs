//! What is asked for, where the wire has no one type for it.

use bytes::Bytes;
use sandbox_wire::rest::ExecuteRequest;

/// A command that is followed and fed while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecStreamRequest {
    /// What to run. Both outputs are kept apart unless `split_output` is `Some(false)`: stderr then goes where stdout goes.
    pub request: ExecuteRequest,
    /// Whether the command gets input; otherwise it finds the end at once.
    pub input: bool,
    /// Whether the daemon ends the command, with all its processes, when the connection ends before it.
    pub kill_on_drop: bool,
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

/// What a daemon can do besides the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Its version, as it tells it.
    pub version: String,
    /// Whether it is one of this project's, which has the extensions.
    pub extensions: bool,
}

impl Capabilities {
    /// A daemon's.
    pub fn new(version: impl Into<String>, extensions: bool) -> Self {
        Self {
            version: version.into(),
            extensions,
        }
    }
}
