//! How a session, and a command of it, differ from the defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::InputMode;

/// How a session differs from the engine's defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct SessionOptions {
    /// Where it starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// The shell. Default: the engine's.
    pub shell: Option<PathBuf>,
}

/// How a command of a session differs from the defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct CommandOptions {
    /// Its id. Default: a random UUID.
    pub id: Option<String>,
    /// What it reads.
    pub input: InputMode,
    /// Runs it here, and in a subshell: it changes nothing in the session. Relative to the engine's working directory.
    pub cwd: Option<PathBuf>,
    /// Runs it with these variables, and in a subshell: it changes nothing in the session.
    pub env: Vec<(String, String)>,
    /// Runs it as this user of `/etc/passwd`, in a shell of its own: it changes nothing in the session, and has the
    /// session's exported variables but `HOME`, `SHELL`, `USER` and `LOGNAME`. Only root can. Default: the session's user.
    pub user: Option<String>,
    /// After this its processes are ended. None by default.
    pub timeout: Option<Duration>,
}
