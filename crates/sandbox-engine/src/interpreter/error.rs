//! Why there is no context, or it does not take code.

use std::io;

use thiserror::Error;

use crate::runtimes::RuntimeError;
use crate::spawner::SpawnError;

/// Why a context was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateContextError {
    /// There are [`CONTEXTS`](crate::limits::CONTEXTS) already.
    #[error("there are {limit} contexts already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The language has no contexts: Python, JavaScript and, with the feature `typescript`, TypeScript have.
    #[error("the language has no contexts")]
    Language,
    /// Its worker was not started.
    #[error("the context's worker was not started")]
    Start(#[from] StartError),
}

/// Why a worker was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The language's runtime is missing or does not work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was started, and does not take code.
    #[error("the worker does not begin; it said: {said:?}")]
    Silent {
        /// What it wrote.
        said: String,
        /// What became of it.
        source: io::Error,
    },
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Spawn(error.into())
    }
}

/// Why a context did not take a piece of code.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The context was deleted.
    #[error("the context was deleted")]
    Deleted,
    /// There are [`QUEUED_EXECUTIONS`](crate::limits::QUEUED_EXECUTIONS) waiting already.
    #[error("{limit} executions wait already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The code that waits already, and this, has more than [`QUEUED_EXECUTION_BYTES`](crate::limits::QUEUED_EXECUTION_BYTES).
    #[error("nearly {limit} bytes of code wait already")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set: its name is empty or has a `=`, or a NUL is in its name or value. Names that no shell
    /// takes are good.
    #[error("the environment variable '{name}' cannot be set")]
    Variable {
        /// Its name.
        name: String,
    },
}
