//! Between the engine's types and the wire's; nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use sandbox_engine::record::Record;
use sandbox_engine::{OutputMode, Recorded, RunOptions, SpawnError};
use sandbox_logcodec::Channel;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, ErrorEnvelope, ExecuteRequest, ExecuteResponse,
    OutputTruncation, Termination, TerminationKind,
};

use super::error::chain;
use super::response::object;
use super::texts::{Content, Form, Notices, Part, Stretch, Text};
use super::{ApiError, Body, Peer};

type Envs = Option<BTreeMap<String, Option<String>>>;

/// What the two responses have in common.
#[derive(Debug, Default)]
pub(super) struct RunFields {
    pub(super) exit_code: Option<i32>,
    /// Why it was not started; else it is one of the parts.
    pub(super) result: String,
    pub(super) termination: Option<Termination>,
    pub(super) truncation: Option<OutputTruncation>,
    /// The outputs and what was shown, by the name of the field.
    pub(super) parts: Vec<(&'static str, Part)>,
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

/// A run that is over.
pub(super) struct Run {
    pub(super) termination: sandbox_engine::Termination,
    pub(super) record: Record,
    pub(super) output: OutputMode,
    pub(super) artifacts: Vec<Bytes>,
}

impl From<Recorded> for Run {
    fn from(run: Recorded) -> Self {
        Self {
            termination: run.termination,
            record: run.record,
            output: run.output,
            artifacts: run.artifacts,
        }
    }
}

/// What a run did: the fields of a response, or the error that a time limit is to the official clients.
pub(super) async fn outcome(run: Run) -> Result<RunFields, ApiError> {
    let record = &run.record;
    let (result, stretch) = output(record, None).await?;
    let mut parts = vec![("result", Part::Text(result))];
    if run.output == OutputMode::Split {
        for (name, channel) in [("stdout", Channel::Stdout), ("stderr", Channel::Stderr)] {
            parts.push((name, output(record, Some(channel)).await?.0.into()));
        }
    }
    if !run.artifacts.is_empty() {
        parts.push(("artifacts", Part::Charts(run.artifacts)));
    }
    let fields = RunFields {
        exit_code: run.termination.exit_code(),
        truncation: (stretch.missing() > 0).then(|| OutputTruncation {
            total_bytes: stretch.total(),
            dropped_bytes: stretch.missing(),
        }),
        termination: Some(termination(&run.termination)),
        parts,
        ..RunFields::default()
    };
    if let sandbox_engine::Termination::TimedOut { limit } = run.termination {
        return Err(timed_out(fields, limit));
    }
    Ok(fields)
}

/// An output as text: both channels, or one with its own beginning and its own end.
async fn output(record: &Record, only: Option<Channel>) -> Result<(Text, Stretch), ApiError> {
    let form = Form {
        is_json: true,
        is_marked: false,
        only,
    };
    let stretch = Stretch::of_the_command(record, form).await;
    let stretch = stretch.map_err(ApiError::internal)?;
    let (content, notices) = match only {
        None => (Content::Both, Notices::Lines),
        Some(channel) if stretch.missing() == 0 => (Content::Only(channel), Notices::None),
        Some(channel) => {
            // Whose the missing bytes were is known from the sums.
            let missing = record.channel_length(channel) - stretch.held();
            (Content::Only(channel), Notices::Sum(missing))
        }
    };
    Ok((Text::new(record, stretch, content, notices), stretch))
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
    pub(super) fn for_peer(mut self, peer: &Peer) -> Self {
        if peer.takes_extensions() {
            return self;
        }
        let is_known = |name| ["result", "artifacts"].contains(&name);
        self.parts.retain(|(name, _)| is_known(*name));
        Self {
            termination: None,
            truncation: None,
            ..self
        }
    }

    pub(super) fn into_execute_response(self) -> Result<Response<Body>, ApiError> {
        let response = ExecuteResponse {
            exit_code: self.exit_code,
            result: self.result,
            termination: self.termination,
            truncation: self.truncation,
            ..ExecuteResponse::default()
        };
        object(StatusCode::OK, &response, self.parts)
    }

    pub(super) fn into_code_run_response(self) -> Result<Response<Body>, ApiError> {
        let response = CodeRunResponse {
            exit_code: self.exit_code,
            result: self.result,
            termination: self.termination,
            truncation: self.truncation,
            ..CodeRunResponse::default()
        };
        object(StatusCode::OK, &response, self.parts)
    }
}

fn timed_out(fields: RunFields, limit: Duration) -> ApiError {
    let envelope = ErrorEnvelope {
        message: format!(
            "the time limit of {} ran out",
            humantime::format_duration(limit)
        ),
        termination: fields.termination,
        truncation: fields.truncation,
        ..ErrorEnvelope::default()
    };
    ApiError::with(ErrorCode::ProcessExecutionTimeout, envelope).parts(fields.parts)
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
