//! Options of a session and of its commands.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::InputMode;
use crate::isolation::Isolation;
use crate::resources::Limits;

/// Options of a session, which override the engine's defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct SessionOptions {
    /// The working directory of the shell; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// The shell's executable. Default: the engine's.
    pub shell: Option<PathBuf>,
    /// The isolation of the shell, and so of all commands. Default: the engine's, [none](crate::EngineBuilder::isolation) unless
    /// set. No command can then run as another user.
    pub isolation: Option<Isolation>,
    /// The limits of the shell and of all that it starts, together; as of [a run](crate::RunOptions::limits).
    pub limits: Limits,
}

/// Options of a command in a session.
#[derive(Debug, Clone, Default, Hash)]
pub struct CommandOptions {
    /// The command's id. Default: a random UUID.
    pub id: Option<String>,
    /// What the command reads.
    pub input: InputMode,
    /// Runs the command in this directory, in a subshell: it changes nothing in the session. Relative to the engine's
    /// working directory.
    pub cwd: Option<PathBuf>,
    /// Runs the command with these variables, in a subshell: it changes nothing in the session.
    pub env: Vec<(String, String)>,
    /// Runs the command as this user of `/etc/passwd`, in a shell of its own: it changes nothing in the session, and
    /// has the session's exported variables except `HOME`, `SHELL`, `USER` and `LOGNAME`. Requires root. Default: the
    /// session's user.
    pub user: Option<String>,
    /// The time after which the command's processes are ended. No limit by default.
    pub timeout: Option<Duration>,
}
