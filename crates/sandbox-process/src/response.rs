//! What a command or program did.

use sandbox_charts::Chart;
use sandbox_transport::{CommandOutput, Outcome, Termination, Truncation};

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
    /// The bytes that it wrote. Over gRPC they are exact, over HTTP those of the text.
    pub output: CommandOutput,
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

impl ExecuteResponse {
    /// Whether it exited with code 0.
    pub fn success(&self) -> bool {
        self.exit_code == Some(0)
    }
}

impl From<Outcome> for ExecuteResponse {
    fn from(outcome: Outcome) -> Self {
        let Outcome {
            output,
            termination,
            charts,
        } = outcome;
        let result = match &termination {
            Termination::NotStarted { reason } => reason.clone(),
            _ => output.text().into_owned(),
        };
        Self {
            exit_code: termination.exit_code(),
            artifacts: ExecutionArtifacts {
                stdout: result.clone(),
                charts: charts.iter().map(Chart::from_json).collect(),
            },
            result,
            stdout: output.stdout.as_deref().map(lossy),
            stderr: output.stderr.as_deref().map(lossy),
            truncation: output.truncation,
            output,
            termination,
        }
    }
}

/// Returns bytes as text, with U+FFFD for what is not UTF-8.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
