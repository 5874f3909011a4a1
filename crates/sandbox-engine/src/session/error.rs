//! Errors of creating a session and of giving it a command.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::end::SessionEnd;
use super::user::UserError;
use crate::environment::InvalidVariable;
use crate::registry::ReserveError;
use crate::spawner::SpawnError;

/// The reason why a session was not created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateSessionError {
    /// Another session has this id.
    #[error("a session with the id '{id}' exists already")]
    Exists {
        /// The id of the session.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a session's id has 1 to {limit} bytes")]
    Id {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are already [`SESSIONS`](crate::limits::SESSIONS) sessions.
    #[error("there are {limit} sessions already")]
    TooMany {
        /// The limit of sessions.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The session's shell was not started.
    #[error("the session's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// The reason why a session did not accept a command.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionExecError {
    /// The command is empty or white space only.
    #[error("the command is blank")]
    Blank,
    /// The session has ended.
    #[error("the session '{id}' has ended: {end}; create a new session")]
    Ended {
        /// The session's id.
        id: String,
        /// How the session ended.
        end: SessionEnd,
    },
    /// Another command of the session has this id.
    #[error("a command with the id '{id}' exists already")]
    Exists {
        /// The id of the command.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a command's id has 1 to {limit} bytes")]
    Id {
        /// The limit in bytes.
        limit: usize,
    },
    /// Already [`QUEUED_COMMANDS`](crate::limits::QUEUED_COMMANDS) commands are waiting.
    #[error("{limit} commands wait already")]
    TooMany {
        /// The limit of waiting commands.
        limit: usize,
    },
    /// The texts of the waiting commands, including this one, exceed
    /// [`QUEUED_COMMAND_BYTES`](crate::limits::QUEUED_COMMAND_BYTES).
    #[error("commands of nearly {limit} bytes wait already")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The command cannot run as the given user.
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
