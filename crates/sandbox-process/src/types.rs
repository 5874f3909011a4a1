//! What travels to and from a sandbox, as the facade tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Termination, Truncation};

/// A session and its commands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// Its commands. This project's daemon lists them oldest first; the order of others is arbitrary.
    pub commands: Vec<Command>,
    /// *Extension*: how its shell ended. `None` while it takes commands, and where the daemon does not say; a session that has
    /// ended takes none, and can be looked at until it is deleted.
    pub termination: Option<Termination>,
    /// *Extension*: how many commands it had before [`commands`](Self::commands), which have ended and which the daemon has
    /// forgotten.
    pub forgotten_commands: u64,
}

/// A command of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// Its id.
    pub id: String,
    /// Its text.
    pub command: String,
    /// Its exit code: `None` while it waits or runs, and when nobody knows it.
    pub exit_code: Option<i32>,
    /// How it ended; [`Termination::Unknown`] until then, and where the daemon does not say.
    pub termination: Termination,
}

/// A command for a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Whether to answer at once instead of at its end. Only such a command can be given input. Default: no.
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

/// What a command of a session did. Of one that runs in the background only the id is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionExecuteResponse {
    /// The command's id.
    pub cmd_id: String,
    /// stdout and stderr in the order read, as text; daemons mark the channels in it, as
    /// [`parse_session_command_logs`](crate::parse_session_command_logs) reads them.
    pub output: Option<String>,
    /// stdout.
    pub stdout: Option<String>,
    /// stderr.
    pub stderr: Option<String>,
    /// The exit code; `None` when nobody knows it.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub termination: Termination,
    /// Set when the output was longer than the daemon keeps.
    pub truncation: Option<Truncation>,
    /// *Extension*: whether the session has ended, with this command or since, so that it takes no more. `false` of a command
    /// in the background, and where the daemon does not say.
    pub session_ended: bool,
}

/// The size of a terminal, in characters; 1 to 1000 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PtySize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

impl Default for PtySize {
    /// 24 lines of 80.
    fn default() -> Self {
        Self { rows: 24, cols: 80 }
    }
}
