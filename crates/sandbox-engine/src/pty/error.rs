//! Why there is no terminal, or it was not resized.

use std::io;

use thiserror::Error;

use crate::environment::InvalidVariable;
use crate::registry::ReserveError;
use crate::spawner::SpawnError;

/// Why a terminal was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreatePtyError {
    /// Another terminal has this id.
    #[error("a terminal with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a terminal's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`PTYS`](crate::limits::PTYS) already.
    #[error("there are {limit} terminals already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// Its shell was not started.
    #[error("the terminal's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// Why a terminal was not resized.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResizePtyError {
    /// Its shell has ended.
    #[error("the terminal's shell has ended")]
    Ended,
    /// The system refused.
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
