//! What a run did.

use std::borrow::Cow;

use bytes::Bytes;
use sandbox_charts::Chart;
use sandbox_logcodec::Decoder;
use sandbox_transport::{
    CommandOutput, Display, IsolationLevel, SessionOutcome, Termination, Truncation, Usage,
};

/// What a command, a program or code in an interpreter did: its output, how it ended, and what it showed.
///
/// Output is bytes, as in [`std::process::Output`]. Over gRPC and in streams they are the bytes that were written; in the JSON of
/// HTTP responses, what is not UTF-8 arrives as U+FFFD. Of an output beyond 64 MiB, the first and the last 32 MiB are here;
/// [`truncation`](Self::truncation) has the size of the gap.
///
/// A non-zero exit code, a death by signal, a time limit that expired and a failed start are outcomes. An
/// [`Error`](crate::Error) means that there is no outcome.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "embedded")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), sandbox_process::Error> {
/// use sandbox_process::{Process, Termination};
///
/// let process = Process::local().await?;
/// let outcome = process.exec("echo out; echo err >&2; exit 3").await?;
/// assert_eq!(outcome.stdout, "out\n");
/// assert_eq!(outcome.stderr_lossy(), "err\n");
/// assert_eq!(outcome.exit_code(), Some(3));
/// assert_eq!(outcome.termination, Termination::Exited { code: 3 });
/// assert!(!outcome.success());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "embedded"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The bytes that were written to stdout; with those of stderr if the daemon does not separate them, as a stock daemon does
    /// not, or if they were [merged](crate::Exec::merge_stderr).
    pub stdout: Bytes,
    /// The bytes that were written to stderr.
    pub stderr: Bytes,
    /// How the run ended.
    pub termination: Termination,
    /// Present if a part of the output is missing.
    pub truncation: Option<Truncation>,
    /// The charts that Python code showed, in their order. Empty for commands.
    pub charts: Vec<Chart>,
    /// The values that code in an interpreter displayed: that of its last expression, if it has one. *Extension*; empty with
    /// stock daemons.
    pub displays: Vec<Display>,
    /// The error that code in an interpreter raised and did not catch.
    pub error: Option<ExecutionError>,
    /// *Extension*: whether the session has ended, with this command or since, so that it takes no more commands. `false` for
    /// runs outside of sessions, and with stock daemons.
    pub session_ended: bool,
    /// *Extension*: how strongly the run was isolated; `None` if the daemon does not report it, as for code in an interpreter and
    /// commands of a session, which are isolated as [these](crate::SessionInfo::isolation_level) are.
    pub isolation_level: Option<IsolationLevel>,
    /// Both outputs in the order read; `None` if that is stdout.
    combined: Option<Bytes>,
    usage: Option<Usage>,
}

/// An error that code in an interpreter raised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionError {
    /// The type of the error, such as `ValueError`.
    pub name: String,
    /// The message of the error.
    pub value: String,
    /// Where the error was raised, as the language prints it; several lines.
    pub traceback: String,
}

impl Outcome {
    /// Returns the exit code: 0 to 255, or 128 + n after signal n.
    ///
    /// Returns `None` if there is none: the time limit expired, nothing was started, it still runs, or the end is not known. Never 0
    /// then.
    pub fn exit_code(&self) -> Option<i32> {
        self.termination.exit_code()
    }

    /// Returns whether the exit code is 0.
    pub fn success(&self) -> bool {
        self.exit_code() == Some(0)
    }

    /// Returns the id of a command that still runs, because its [soft limit](crate::Exec::soft_timeout) has passed.
    /// [`Process::background`](crate::Process::background) returns a handle to it.
    pub fn still_running(&self) -> Option<&str> {
        match &self.termination {
            Termination::StillRunning { exec_id } => Some(exec_id),
            _ => None,
        }
    }

    /// Returns stdout as text, with U+FFFD for what is not UTF-8.
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Returns stderr as text, with U+FFFD for what is not UTF-8.
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// Returns stdout and stderr together, in the order in which the daemon read them. That may differ from the order in which
    /// they were written; [`merge_stderr`](crate::Exec::merge_stderr) retains the latter.
    pub fn output(&self) -> &Bytes {
        self.combined.as_ref().unwrap_or(&self.stdout)
    }

    /// Returns what the run has used: time, processor time and memory. *Extension*; `None` with stock daemons, and for what never
    /// ran. Processor time of a command of a session, and of code in an interpreter, is exact to 10 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "embedded")]
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), sandbox_process::Error> {
    /// let process = sandbox_process::Process::local().await?;
    /// let outcome = process.exec("ls /").await?;
    /// let usage = outcome.usage().expect("this daemon reports it");
    /// println!("{:?} of processor time", usage.user_time + usage.system_time);
    /// assert!(!usage.wall_time.is_zero());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "embedded"))]
    /// # fn main() {}
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    pub(crate) fn with_usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }

    pub(crate) fn new(output: CommandOutput, termination: Termination) -> Self {
        let combined = output.combined;
        let (stdout, stderr, combined) = match (output.stdout, output.stderr) {
            (Some(stdout), Some(stderr)) => (stdout, stderr, Some(combined)),
            (stdout, stderr) => (stdout.unwrap_or(combined), stderr.unwrap_or_default(), None),
        };
        Self {
            stdout,
            stderr,
            termination,
            truncation: output.truncation,
            combined,
            ..Self::default()
        }
    }
}

impl From<sandbox_transport::Outcome> for Outcome {
    fn from(outcome: sandbox_transport::Outcome) -> Self {
        Self {
            isolation_level: outcome.isolation_level,
            charts: outcome.charts.iter().map(Chart::from_json).collect(),
            ..Self::new(outcome.output, outcome.termination).with_usage(outcome.usage)
        }
    }
}

impl From<SessionOutcome> for Outcome {
    fn from(outcome: SessionOutcome) -> Self {
        let logs = Logs::from(outcome.output.unwrap_or_default());
        let output = CommandOutput {
            combined: logs.output,
            stdout: Some(logs.stdout),
            stderr: Some(logs.stderr),
            truncation: logs.truncation,
        };
        Self {
            session_ended: outcome.session_ended,
            ..Self::new(output, outcome.termination).with_usage(outcome.usage)
        }
    }
}

/// What a command has written so far.
///
/// Of a log beyond 64 MiB, the first and the last 32 MiB are here; [`follow`](crate::SessionCommand::follow) reads all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logs {
    /// The bytes that were written to stdout. Input that the command was sent is logged here, too, unless that is
    /// [suppressed](crate::SessionSpawn::suppress_input_echo).
    pub stdout: Bytes,
    /// The bytes that were written to stderr.
    pub stderr: Bytes,
    /// Both together, in the order in which the daemon read them.
    pub output: Bytes,
    /// Present if a part of the log is missing.
    pub truncation: Option<Truncation>,
}

impl Logs {
    /// Returns stdout as text, with U+FFFD for what is not UTF-8.
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Returns stderr as text, with U+FFFD for what is not UTF-8.
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

/// Reads the markers in the combined output.
impl From<CommandOutput> for Logs {
    fn from(log: CommandOutput) -> Self {
        let (mut decoder, mut marked) = (Decoder::new(), log.combined);
        let (mut output, mut stdout, mut stderr) = (Vec::new(), Vec::new(), Vec::new());
        let is_split = log.stdout.is_some() && log.stderr.is_some();
        let mut push = |channel, bytes: Bytes| {
            output.extend_from_slice(&bytes);
            match channel {
                _ if is_split => {}
                sandbox_logcodec::Channel::Stdout => stdout.extend_from_slice(&bytes),
                sandbox_logcodec::Channel::Stderr => stderr.extend_from_slice(&bytes),
            }
        };
        while let Some((channel, bytes)) = decoder.decode(&mut marked) {
            push(channel, bytes);
        }
        if let Some((channel, bytes)) = decoder.finish() {
            push(channel, bytes);
        }
        Self {
            stdout: log.stdout.unwrap_or_else(|| stdout.into()),
            stderr: log.stderr.unwrap_or_else(|| stderr.into()),
            output: output.into(),
            truncation: log.truncation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_apart_and_together() {
        let both = CommandOutput {
            combined: "oe".into(),
            stdout: Some("o".into()),
            stderr: Some("e".into()),
            truncation: None,
        };
        let outcome = Outcome::new(both, Termination::Unknown);
        assert_eq!((&*outcome.stdout, &*outcome.stderr), (&b"o"[..], &b"e"[..]));
        assert_eq!(outcome.output(), "oe");
        // A daemon that does not separate them.
        let merged = CommandOutput {
            combined: "oe".into(),
            ..CommandOutput::default()
        };
        let outcome = Outcome::new(merged, Termination::Unknown);
        assert_eq!((&*outcome.stdout, outcome.stderr.len()), (&b"oe"[..], 0));
        assert_eq!(outcome.output(), "oe");
    }

    #[test]
    fn markers_of_logs_are_read() {
        let marked = CommandOutput {
            combined: b"\x01\x01\x01a\xff\x02\x02\x02e\x01\x01\x01b"[..].into(),
            ..CommandOutput::default()
        };
        let logs = Logs::from(marked);
        assert_eq!(logs.stdout, &b"a\xffb"[..]);
        assert_eq!(logs.stdout_lossy(), "a\u{fffd}b");
        assert_eq!((&*logs.stderr, &*logs.output), (&b"e"[..], &b"a\xffeb"[..]));
    }
}
