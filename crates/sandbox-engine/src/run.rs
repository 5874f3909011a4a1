//! What is asked of a run, and what it did.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::spawner::SpawnError;
use crate::{Captured, Termination};

/// How one run differs from the engine's defaults.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The working directory; relative to the engine's, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// After this the run is ended with all its processes. None by default.
    pub timeout: Option<Duration>,
    /// Whether stdout and stderr share one pipe.
    pub output: OutputMode,
}

/// How the two outputs of a run are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputMode {
    /// Through one pipe: their bytes are in the order in which they were written, and cannot be told apart.
    #[default]
    Merged,
    /// Through one pipe each: they are told apart, and the order between them is the one in which they were read.
    Split,
}

/// What a run did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// How its leader ended.
    pub termination: Termination,
    /// What it wrote.
    pub output: Output,
    /// What it showed on its artifact channel, in order; empty for commands.
    pub artifacts: Vec<Bytes>,
    /// Artifacts that were larger than [`ARTIFACT_BYTES`](crate::limits::ARTIFACT_BYTES) left room for.
    pub artifacts_dropped: usize,
}

/// What a run wrote.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Output {
    /// stdout and stderr together.
    pub merged: Captured,
    /// stdout and stderr apart, for [`OutputMode::Split`].
    pub split: Option<[Captured; 2]>,
}

/// Why a run has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing was started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It was started, and the system did not let it be watched; it was ended.
    #[error("the run was lost")]
    Lost(#[source] io::Error),
}
