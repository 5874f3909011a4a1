//! The ways in which a session ends.

use std::fmt;
use std::io;

use crate::termination::Termination;

/// How a session ended, after which it accepts no more commands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The session's shell has ended: by a command (`exit`, `exec`), by a signal, or because a command had to be ended
    /// that did not return control to it.
    Shell {
        /// How the shell ended.
        termination: Termination,
    },
    /// The session was deleted, or the engine was shut down.
    Deleted,
}

impl SessionEnd {
    pub(super) fn of_shell(ended: io::Result<Termination>) -> Self {
        let termination = ended.unwrap_or_else(|error| Termination::Lost {
            reason: error.to_string(),
        });
        Self::Shell { termination }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell { termination } => write!(f, "its shell {termination}"),
            Self::Deleted => f.write_str("it was deleted"),
        }
    }
}
