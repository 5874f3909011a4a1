//! Errors of creating and resizing a terminal.

use std::io;

use thiserror::Error;

use crate::environment::InvalidVariable;
use crate::registry::ReserveError;
use crate::spawner::SpawnError;

/// The reason why a terminal was not created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreatePtyError {
    /// Another terminal has this id.
    #[error("a terminal with the id '{id}' exists already")]
    Exists {
        /// The id of the terminal.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a terminal's id has 1 to {limit} bytes")]
    Id {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are already [`PTYS`](crate::limits::PTYS) terminals.
    #[error("there are {limit} terminals already")]
    TooMany {
        /// The limit of terminals.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The terminal's shell was not started.
    #[error("the terminal's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// The reason why a terminal was not resized.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResizePtyError {
    /// The terminal's shell has ended.
    #[error("the terminal's shell has ended")]
    Ended,
    /// The system refused the new size.
    #[error("cannot resize the terminal")]
    Os(#[source] io::Error),
}

impl From<ReserveError> for CreatePtyError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Id { limit } => Self::Id { limit },
            ReserveError::Exists { id } => Self::Exists { id },
            ReserveError::TooMany { limit } => Self::TooMany { limit },
        }
    }
}
