//! What commands of sessions did, as text.

use bytes::Bytes;
use sandbox_transport::{CommandOutput, SessionOutcome, Termination, Truncation};

use crate::response::lossy;

/// What a command of a session did. Of one that runs in the background only the id is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionExecuteResponse {
    /// The command's id.
    pub cmd_id: String,
    /// stdout and stderr in the order read, as text; daemons mark the channels in it, as
    /// [`parse_session_command_logs`](crate::parse_session_command_logs) reads them.
    pub output: Option<String>,
    /// stdout.
    pub stdout: Option<String>,
    /// stderr.
    pub stderr: Option<String>,
    /// The exit code; `None` when nobody knows it.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub termination: Termination,
    /// Set when the output was longer than the daemon keeps.
    pub truncation: Option<Truncation>,
    /// *Extension*: whether the session has ended, with this command or since, so that it takes no more. `false` of a command
    /// in the background, and where the daemon does not say.
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
    /// Set when the log is not whole.
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
