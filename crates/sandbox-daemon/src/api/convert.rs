//! Between the engine's types and the wire's; nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sandbox_charts::Chart;
use sandbox_engine::{Captured, Outcome, OutputMode, RunOptions, SpawnError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    Artifacts, CodeRunRequest, CodeRunResponse, ErrorEnvelope, ExecuteRequest, ExecuteResponse,
    OutputTruncation, Termination, TerminationKind,
};

use super::error::chain;
use super::{ApiError, Peer};

type Envs = Option<BTreeMap<String, Option<String>>>;

/// What the two answers have in common.
#[derive(Debug, Default)]
pub(super) struct RunFields {
    exit_code: Option<i32>,
    result: String,
    artifacts: Option<Artifacts>,
    stdout: Option<String>,
    stderr: Option<String>,
    termination: Option<Termination>,
    truncation: Option<OutputTruncation>,
}

pub(super) fn execute_request(request: ExecuteRequest) -> (String, RunOptions) {
    let mut options = options(
        request.envs,
        request.timeout,
        request.timeout_millis,
        request.split_output,
    );
    options.cwd = directory(request.cwd);
    (request.command, options)
}

pub(super) fn code_run_request(request: CodeRunRequest) -> (String, Vec<String>, RunOptions) {
    let options = options(
        request.envs,
        request.timeout,
        request.timeout_millis,
        request.split_output,
    );
    (request.code, request.argv.unwrap_or_default(), options)
}

fn options(
    envs: Envs,
    seconds: Option<u32>,
    millis: Option<u64>,
    split: Option<bool>,
) -> RunOptions {
    RunOptions {
        env: variables(envs),
        timeout: time_limit(seconds, millis),
        output: if split == Some(true) {
            OutputMode::Split
        } else {
            OutputMode::Merged
        },
        ..RunOptions::default()
    }
}

/// The variables of a request; `null` is the empty text.
pub(super) fn variables(envs: Envs) -> Vec<(String, String)> {
    let envs = envs.unwrap_or_default().into_iter();
    envs.map(|(name, value)| (name, value.unwrap_or_default()))
        .collect()
}

/// The time limit of a request: the finer one if it has both, and none for 0.
pub(super) fn time_limit(seconds: Option<u32>, millis: Option<u64>) -> Option<Duration> {
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let limit = millis.map(Duration::from_millis).or(seconds);
    limit.filter(|limit| !limit.is_zero())
}

/// The directory of a request; the empty text is none.
pub(super) fn directory(cwd: Option<String>) -> Option<PathBuf> {
    cwd.filter(|cwd| !cwd.is_empty()).map(Into::into)
}

/// What a run did: the fields of an answer, or the error that a time limit is to the official clients.
pub(super) fn outcome(outcome: Outcome) -> Result<RunFields, ApiError> {
    let (stdout, stderr) = match outcome.output.split {
        Some([stdout, stderr]) => (Some(text(stdout)), Some(text(stderr))),
        None => (None, None),
    };
    let fields = RunFields {
        exit_code: outcome.termination.exit_code(),
        truncation: truncation(&outcome.output.merged),
        result: text(outcome.output.merged),
        artifacts: artifacts(&outcome.artifacts),
        stdout,
        stderr,
        termination: Some(termination(&outcome.termination)),
    };
    if let sandbox_engine::Termination::TimedOut { limit } = outcome.termination {
        return Err(timed_out(fields, limit));
    }
    Ok(fields)
}

impl RunFields {
    /// A process that never ran: an answer, not an error, as the official clients know it.
    pub(super) fn not_started(error: &SpawnError) -> Self {
        let reason = chain(error);
        Self {
            exit_code: Some(-1),
            result: reason.clone(),
            termination: Some(Termination {
                kind: TerminationKind::SpawnFailed,
                exit_code: None,
                signal: None,
                reason: Some(reason),
            }),
            ..Self::default()
        }
    }

    /// Leaves out what `peer` would fail on.
    pub(super) fn for_peer(self, peer: &Peer) -> Self {
        if peer.takes_extensions() {
            return self;
        }
        Self {
            stdout: None,
            stderr: None,
            termination: None,
            truncation: None,
            ..self
        }
    }

    pub(super) fn into_execute_response(self) -> ExecuteResponse {
        ExecuteResponse {
            exit_code: self.exit_code,
            result: self.result,
            stdout: self.stdout,
            stderr: self.stderr,
            termination: self.termination,
            truncation: self.truncation,
        }
    }

    pub(super) fn into_code_run_response(self) -> CodeRunResponse {
        CodeRunResponse {
            exit_code: self.exit_code,
            result: self.result,
            artifacts: self.artifacts,
            stdout: self.stdout,
            stderr: self.stderr,
            termination: self.termination,
            truncation: self.truncation,
        }
    }
}

fn timed_out(fields: RunFields, limit: Duration) -> ApiError {
    let envelope = ErrorEnvelope {
        message: format!(
            "the time limit of {} ran out",
            humantime::format_duration(limit)
        ),
        result: Some(fields.result),
        stdout: fields.stdout,
        stderr: fields.stderr,
        artifacts: fields.artifacts,
        termination: fields.termination,
        truncation: fields.truncation,
        ..ErrorEnvelope::default()
    };
    ApiError::with(ErrorCode::ProcessExecutionTimeout, envelope)
}

/// An output as text: invalid UTF-8 becomes U+FFFD, and a gap is told where it is.
fn text(captured: Captured) -> String {
    if captured.dropped > 0 {
        let head = String::from_utf8_lossy(&captured.head);
        let tail = String::from_utf8_lossy(&captured.tail);
        return format!(
            "{head}\n[... {} bytes not kept ...]\n{tail}",
            captured.dropped
        );
    }
    let whole = if captured.tail.is_empty() {
        // Nobody else holds it, so it is not copied.
        Vec::from(captured.head)
    } else {
        captured.to_vec()
    };
    String::from_utf8(whole)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn truncation(captured: &Captured) -> Option<OutputTruncation> {
    (captured.dropped > 0).then(|| OutputTruncation {
        total_bytes: captured.total(),
        dropped_bytes: captured.dropped,
    })
}

fn artifacts(records: &[Bytes]) -> Option<Artifacts> {
    let charts: Vec<_> = records
        .iter()
        .map(|record| Chart::from_slice(record).to_json())
        .collect();
    (!charts.is_empty()).then_some(Artifacts {
        charts: Some(charts),
    })
}

pub(super) fn termination(termination: &sandbox_engine::Termination) -> Termination {
    use sandbox_engine::Termination as Engine;
    let (mut exit_code, mut signal, mut reason) = (None, None, None);
    let kind = match termination {
        Engine::Exited { code } => {
            exit_code = Some(*code);
            TerminationKind::Exited
        }
        Engine::Signaled { signal: by, .. } => {
            signal = Some(*by);
            TerminationKind::Signaled
        }
        Engine::TimedOut { .. } => TerminationKind::TimedOut,
        Engine::OutOfMemory => TerminationKind::OutOfMemory,
        Engine::NotStarted { reason: why } => {
            reason = Some(why.clone());
            TerminationKind::SpawnFailed
        }
        Engine::Lost { reason: why } => {
            reason = Some(why.clone());
            TerminationKind::Lost
        }
        _ => TerminationKind::Unknown,
    };
    Termination {
        kind,
        exit_code,
        signal,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told() {
        let captured = Captured {
            head: "a".into(),
            tail: "b".into(),
            dropped: 7,
        };
        assert_eq!(truncation(&captured).unwrap().total_bytes, 9);
        assert_eq!(text(captured), "a\n[... 7 bytes not kept ...]\nb");
        // A character that the halves share is not broken.
        let halves = Captured {
            head: "\u{e9}".as_bytes()[..1].to_vec().into(),
            tail: "\u{e9}".as_bytes()[1..].to_vec().into(),
            dropped: 0,
        };
        assert_eq!(text(halves), "é");
    }

    #[test]
    fn limits_are_read() {
        let limit = |seconds, millis| options(None, seconds, millis, None).timeout;
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(Some(0), None), None);
        assert_eq!(limit(Some(2), None), Some(Duration::from_secs(2)));
        assert_eq!(
            limit(Some(2), Some(1500)),
            Some(Duration::from_millis(1500))
        );
    }
}
