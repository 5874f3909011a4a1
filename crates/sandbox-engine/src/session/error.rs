//! Why there is no session, or a session takes no command.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::end::SessionEnd;
use super::user::UserError;
use crate::environment::InvalidVariable;
use crate::registry::ReserveError;
use crate::spawner::SpawnError;

/// Why a session was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateSessionError {
    /// Another session has this id.
    #[error("a session with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a session's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`SESSIONS`](crate::limits::SESSIONS) already.
    #[error("there are {limit} sessions already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// Its shell was not started.
    #[error("the session's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// Why a session did not take a command.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionExecError {
    /// The command has nothing but white space.
    #[error("the command is blank")]
    Blank,
    /// The session has ended.
    #[error("the session '{id}' has ended: {end}; create a new session")]
    Ended {
        /// The session's id.
        id: String,
        /// How it ended.
        end: SessionEnd,
    },
    /// Another command of the session has this id.
    #[error("a command with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a command's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`QUEUED_COMMANDS`](crate::limits::QUEUED_COMMANDS) waiting already.
    #[error("{limit} commands wait already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The texts of the commands that wait already, and this one's, have more than
    /// [`QUEUED_COMMAND_BYTES`](crate::limits::QUEUED_COMMAND_BYTES).
    #[error("commands of nearly {limit} bytes wait already")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system says of it.
        source: io::Error,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// It cannot run as that user.
    #[error(transparent)]
    User(#[from] UserError),
}

impl From<ReserveError> for CreateSessionError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Id { limit } => Self::Id { limit },
            ReserveError::Exists { id } => Self::Exists { id },
            ReserveError::TooMany { limit } => Self::TooMany { limit },
        }
    }
}
