//! What a command or program did.

use sandbox_charts::Chart;

/// What a command or program did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecuteResponse {
    /// The exit code: 0..=255, and 128 + n after signal n. `None` when there is none: the time limit ran out, or nothing
    /// was started.
    pub exit_code: Option<i32>,
    /// stdout and stderr as written, invalid UTF-8 as U+FFFD. When nothing was started: why.
    pub result: String,
    /// What it wrote and showed.
    pub artifacts: ExecutionArtifacts,
    /// stdout alone, if [asked for](crate::Exec::split_output) and the daemon can tell.
    pub stdout: Option<String>,
    /// stderr alone, likewise.
    pub stderr: Option<String>,
    /// How it ended.
    pub termination: Termination,
    /// Set when the output was longer than the daemon keeps.
    pub truncation: Option<Truncation>,
}

/// What a run wrote and showed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ExecutionArtifacts {
    /// The same text as [`ExecuteResponse::result`], under the name that the official SDKs give it.
    pub stdout: String,
    /// The charts in the order shown; none for commands.
    pub charts: Vec<Chart>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// It exited by itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// Its time limit ran out, and the daemon ended it.
    TimedOut,
    /// Nothing was started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// Nobody knows: the daemon was gone meanwhile.
    Lost {
        /// What the daemon says, for people; may be empty.
        reason: String,
    },
    /// The daemon did not say. A stock daemon answers a death by signal and a failed start alike.
    Unknown,
}

/// How much of an output is missing from its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truncation {
    /// Bytes that were written.
    pub total_bytes: u64,
    /// Bytes that were not kept.
    pub dropped_bytes: u64,
}

impl ExecuteResponse {
    /// Whether it exited with code 0.
    pub fn success(&self) -> bool {
        self.exit_code == Some(0)
    }
}
