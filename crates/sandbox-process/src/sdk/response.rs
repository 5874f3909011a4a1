//! The data classes of the official SDKs, whose output is text.

use bytes::Bytes;
use sandbox_charts::Chart;
use sandbox_transport::{CommandOutput, SessionOutcome, Termination, Truncation};

use crate::outcome::Outcome;

/// What a command or a program did, as the official SDKs return it; made from an [`Outcome`] by [`From`].
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::sdk::ExecuteResponse;
///
/// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
/// let response: ExecuteResponse = process.exec("echo 'Hello'").await?.into();
/// println!("{}", response.artifacts.stdout);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ExecuteResponse {
    /// The exit code, as [`Outcome::exit_code`] returns it.
    pub exit_code: Option<i32>,
    /// stdout and stderr as text, in the order read; what is not UTF-8 is U+FFFD. If nothing was started: the reason.
    pub result: String,
    /// What the run wrote and showed.
    pub artifacts: ExecutionArtifacts,
}

/// What a run wrote and showed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ExecutionArtifacts {
    /// The same text as [`ExecuteResponse::result`].
    pub stdout: String,
    /// The charts in the order shown; none for commands.
    pub charts: Vec<Chart>,
}

impl From<Outcome> for ExecuteResponse {
    fn from(outcome: Outcome) -> Self {
        let result = match &outcome.termination {
            Termination::NotStarted { reason } => reason.clone(),
            _ => lossy(outcome.output()),
        };
        Self {
            exit_code: outcome.exit_code(),
            artifacts: ExecutionArtifacts {
                stdout: result.clone(),
                charts: outcome.charts,
            },
            result,
        }
    }
}

/// What a command of a session did. For one that runs in the background, only the id is present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionExecuteResponse {
    /// The id of the command.
    pub cmd_id: String,
    /// stdout and stderr as text in the order read, with the markers that
    /// [`parse_session_command_logs`](crate::parse_session_command_logs) reads.
    pub output: Option<String>,
    /// stdout.
    pub stdout: Option<String>,
    /// stderr.
    pub stderr: Option<String>,
    /// The exit code; 124 if the time limit expired, `None` if it is not known.
    pub exit_code: Option<i32>,
    /// How the command ended.
    pub termination: Termination,
    /// Present if a part of the output is missing.
    pub truncation: Option<Truncation>,
    /// *Extension*: whether the session has ended, with this command or since. `false` for a command in the background.
    pub session_ended: bool,
}

impl From<SessionOutcome> for SessionExecuteResponse {
    fn from(outcome: SessionOutcome) -> Self {
        let is_known = outcome.output.is_some();
        let output = outcome.output.unwrap_or_default();
        let text = |bytes: &Option<Bytes>| bytes.as_deref().map(lossy);
        Self {
            cmd_id: outcome.command_id,
            output: is_known.then(|| lossy(&output.combined)),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            exit_code: outcome.termination.session_exit_code(),
            termination: outcome.termination,
            truncation: output.truncation,
            session_ended: outcome.session_ended,
        }
    }
}

/// The output of a command so far, as text: stdout and stderr together and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCommandLogsResponse {
    /// stdout and stderr in the order read, with the markers that
    /// [`parse_session_command_logs`](crate::parse_session_command_logs) reads.
    pub output: String,
    /// stdout.
    pub stdout: String,
    /// stderr.
    pub stderr: String,
    /// Present if a part of the log is missing.
    pub truncation: Option<Truncation>,
}

impl From<CommandOutput> for SessionCommandLogsResponse {
    fn from(output: CommandOutput) -> Self {
        let text = |bytes: Option<Bytes>| bytes.as_deref().map(lossy).unwrap_or_default();
        Self {
            output: lossy(&output.combined),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            truncation: output.truncation,
        }
    }
}

/// Returns bytes as text, with U+FFFD for what is not UTF-8.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
