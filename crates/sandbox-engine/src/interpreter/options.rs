//! How a context, and an execution in it, differ from the defaults.

use std::path::PathBuf;
use std::time::Duration;

/// How a context differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct ContextOptions {
    /// Where it starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
}

/// How an execution differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// Variables for this execution only; later ones win.
    pub env: Vec<(String, String)>,
    /// After this, counted from its turn, the code is interrupted, and ended with the context's worker when it does not
    /// heed that within [`INTERRUPT_GRACE`](crate::limits::INTERRUPT_GRACE). None by default.
    pub timeout: Option<Duration>,
    /// Whether the value of the last expression is wanted; see [`Ended::value`](super::Ended::value).
    pub shows_value: bool,
}
