//! How a session ends.

use std::fmt;
use std::io;

use crate::termination::Termination;

/// How a session ended, so that it takes no more commands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// Its shell has ended: a command ended it (`exit`, `exec`), a signal did, or a command had to be ended that did not
    /// let go of it.
    Shell {
        /// How the shell ended.
        termination: Termination,
    },
    /// It was deleted, or the engine was shut down.
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
