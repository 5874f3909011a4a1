//! Options of a context, and of an execution in it.

use std::path::PathBuf;
use std::time::Duration;

use crate::isolation::Isolation;
use crate::resources::Limits;

/// Options of a context.
#[derive(Debug, Clone, Default, Hash)]
pub struct ContextOptions {
    /// The working directory of the workers; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// The isolation of the workers. Default: the engine's, [none](crate::EngineBuilder::isolation) unless set. What the code
    /// leaves in the background ends with the worker.
    pub isolation: Option<Isolation>,
    /// The limits of a worker and of all that it starts, together; as of [a run](crate::RunOptions::limits).
    pub limits: Limits,
}

/// Options of an execution.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// Variables for this execution only; later ones win.
    pub env: Vec<(String, String)>,
    /// The time limit, counted from the execution's turn, after which the code is interrupted, and ended with the
    /// context's worker if it does not react within [`INTERRUPT_GRACE`](crate::limits::INTERRUPT_GRACE). No limit by
    /// default.
    pub timeout: Option<Duration>,
    /// Whether the value of the last expression is returned; see [`Ended::value`](super::Ended::value).
    pub shows_value: bool,
}
