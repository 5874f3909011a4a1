//! Errors of creating a context and of giving it code.

use std::io;

use thiserror::Error;

use crate::runtimes::RuntimeError;
use crate::spawner::SpawnError;

/// The reason why a context was not created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateContextError {
    /// There are already [`CONTEXTS`](crate::limits::CONTEXTS) contexts.
    #[error("there are {limit} contexts already")]
    TooMany {
        /// The limit of contexts.
        limit: usize,
    },
    /// The language has no contexts: only Python, JavaScript and, with the feature `typescript`, TypeScript have.
    #[error("the language has no contexts")]
    Language,
    /// The context's worker was not started.
    #[error("the context's worker was not started")]
    Start(#[from] StartError),
}

/// The reason why a worker was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The language's runtime is missing or does not work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The process was started, but does not accept code.
    #[error("the worker does not begin; it said: {said:?}")]
    Silent {
        /// The output of the process.
        said: String,
        /// The error of the process.
        source: io::Error,
    },
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Spawn(error.into())
    }
}

/// The reason why a context did not accept a piece of code.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The context was deleted.
    #[error("the context was deleted")]
    Deleted,
    /// Already [`QUEUED_EXECUTIONS`](crate::limits::QUEUED_EXECUTIONS) executions are waiting.
    #[error("{limit} executions wait already")]
    TooMany {
        /// The limit of waiting executions.
        limit: usize,
    },
    /// The waiting code, including this one, exceeds [`QUEUED_EXECUTION_BYTES`](crate::limits::QUEUED_EXECUTION_BYTES).
    #[error("nearly {limit} bytes of code wait already")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A variable cannot be set: its name is empty or has a `=`, or a NUL is in its name or value. Names that no shell
    /// accepts are valid.
    #[error("the environment variable '{name}' cannot be set")]
    Variable {
        /// The name of the variable.
        name: String,
    },
}
