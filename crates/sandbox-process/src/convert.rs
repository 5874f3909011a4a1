//! Between the wire's types and the facade's; nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_charts::Chart;
use sandbox_transport::{Delivery, Error, ErrorKind};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    self, Artifacts, CodeRunResponse, OutputTruncation, SignalSpec, TerminationKind,
};

use crate::{
    Command, ExecuteResponse, ExecutionArtifacts, Session, SessionExecuteRequest,
    SessionExecuteResponse, Termination, Truncation,
};

/// A limit as both kinds of daemon read it: whole seconds, rounded up, and milliseconds. A limit of nothing is a
/// millisecond, since 0 means none.
pub(crate) fn timeout(limit: Duration) -> (Option<u32>, Option<u64>) {
    let millis = limit.as_nanos().div_ceil(1_000_000).max(1);
    let seconds = millis.div_ceil(1000);
    (
        Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
        Some(u64::try_from(millis).unwrap_or(u64::MAX)),
    )
}

pub(crate) fn execute_response(response: rest::ExecuteResponse) -> ExecuteResponse {
    build(Fields {
        exit_code: response.exit_code,
        result: response.result,
        artifacts: None,
        stdout: response.stdout,
        stderr: response.stderr,
        termination: response.termination,
        truncation: response.truncation,
    })
}

pub(crate) fn code_run_response(response: CodeRunResponse) -> ExecuteResponse {
    build(Fields {
        exit_code: response.exit_code,
        result: response.result,
        artifacts: response.artifacts,
        stdout: response.stdout,
        stderr: response.stderr,
        termination: response.termination,
        truncation: response.truncation,
    })
}

/// The outcome of a command that ran out of its time, which travels as an error. Any other error stays one, and so does
/// this one from a daemon that threw the output away: an empty result would not be true.
pub(crate) fn timed_out(error: Error) -> Result<ExecuteResponse, Error> {
    let envelope = match error.envelope() {
        Some(envelope) if envelope.code.as_deref() == Some(TIMED_OUT) => envelope.clone(),
        _ => return Err(error),
    };
    let Some(result) = envelope.result else {
        return Err(error);
    };
    Ok(build(Fields {
        exit_code: None,
        result,
        artifacts: envelope.artifacts,
        stdout: envelope.stdout,
        stderr: envelope.stderr,
        termination: envelope.termination,
        truncation: envelope.truncation,
    }))
}

/// The outcome of a command that could not be started, which a stream tells as an error. Any other error stays one.
pub(crate) fn not_started(error: Error) -> Result<rest::ExecuteResponse, Error> {
    let message = match error.envelope() {
        Some(envelope) if envelope.code.as_deref() == Some(NOT_STARTED) => envelope.message.clone(),
        _ => return Err(error),
    };
    Ok(rest::ExecuteResponse {
        exit_code: Some(-1),
        result: message.clone(),
        termination: Some(rest::Termination {
            kind: TerminationKind::SpawnFailed,
            exit_code: None,
            signal: None,
            reason: Some(message),
        }),
        ..rest::ExecuteResponse::default()
    })
}

const NOT_STARTED: &str = ErrorCode::UnprocessableEntity.name();

const TIMED_OUT: &str = ErrorCode::ProcessExecutionTimeout.name();

/// What the three kinds of answer have in common.
struct Fields {
    exit_code: Option<i32>,
    result: String,
    artifacts: Option<Artifacts>,
    stdout: Option<String>,
    stderr: Option<String>,
    termination: Option<rest::Termination>,
    truncation: Option<OutputTruncation>,
}

fn build(fields: Fields) -> ExecuteResponse {
    let exit_code = exit_code(fields.exit_code);
    let charts = fields
        .artifacts
        .and_then(|artifacts| artifacts.charts)
        .unwrap_or_default();
    ExecuteResponse {
        exit_code,
        artifacts: ExecutionArtifacts {
            stdout: fields.result.clone(),
            charts: charts.iter().map(Chart::from_json).collect(),
        },
        result: fields.result,
        stdout: fields.stdout,
        stderr: fields.stderr,
        termination: termination(fields.termination, exit_code),
        truncation: fields.truncation.map(truncation),
    }
}

fn truncation(told: OutputTruncation) -> Truncation {
    Truncation {
        total_bytes: told.total_bytes,
        dropped_bytes: told.dropped_bytes,
    }
}

pub(crate) fn session(session: rest::Session) -> Session {
    Session {
        session_id: session.session_id,
        commands: session.commands.into_iter().map(command).collect(),
        termination: session
            .termination
            .map(|told| termination(Some(told), None)),
        forgotten_commands: session.forgotten_commands.unwrap_or_default(),
    }
}

pub(crate) fn command(told: rest::SessionCommand) -> Command {
    let exit_code = exit_code(told.exit_code);
    Command {
        id: told.id,
        command: told.command,
        exit_code,
        termination: termination(told.termination, exit_code),
    }
}

pub(crate) fn session_request(request: SessionExecuteRequest) -> rest::SessionExecuteRequest {
    let env = request
        .env
        .into_iter()
        .map(|(name, value)| (name, Some(value)));
    let env: BTreeMap<_, _> = env.collect();
    let (timeout, timeout_millis) = request.timeout.map_or((None, None), timeout);
    rest::SessionExecuteRequest {
        command: request.command,
        run_async: Some(request.run_async),
        deprecated_async: None,
        suppress_input_echo: request.suppress_input_echo.then_some(true),
        command_id: request.command_id,
        cwd: request.cwd,
        envs: (!env.is_empty()).then_some(env),
        user: request.user,
        timeout,
        timeout_millis,
    }
}

pub(crate) fn session_response(told: rest::SessionExecuteResponse) -> SessionExecuteResponse {
    let exit_code = exit_code(told.exit_code);
    SessionExecuteResponse {
        cmd_id: told.cmd_id,
        output: told.output,
        stdout: told.stdout,
        stderr: told.stderr,
        exit_code,
        termination: termination(told.termination, exit_code),
        truncation: told.truncation.map(truncation),
        session_ended: told.session_ended == Some(true),
    }
}

/// A signal by its name or its number.
pub(crate) fn signal(text: &str) -> SignalSpec {
    text.parse()
        .map_or_else(|_| SignalSpec::Name(text.to_owned()), SignalSpec::Number)
}

/// -1 is no exit code: it stands for the lack of one.
pub(crate) fn exit_code(told: Option<i32>) -> Option<i32> {
    told.filter(|code| *code >= 0)
}

/// What the daemon said, or what the exit code of a stock daemon tells.
pub(crate) fn termination(told: Option<rest::Termination>, exit_code: Option<i32>) -> Termination {
    let Some(told) = told else {
        return exit_code.map_or(Termination::Unknown, |code| Termination::Exited { code });
    };
    match (told.kind, told.exit_code, told.signal) {
        (TerminationKind::Exited, Some(code), _) => Termination::Exited { code },
        (TerminationKind::Signaled, _, Some(signal)) => Termination::Signaled { signal },
        (TerminationKind::TimedOut, ..) => Termination::TimedOut,
        (TerminationKind::SpawnFailed, ..) => Termination::NotStarted {
            reason: told.reason.unwrap_or_default(),
        },
        (TerminationKind::OutOfMemory, ..) => Termination::OutOfMemory,
        (TerminationKind::Lost, ..) => Termination::Lost {
            reason: told.reason.unwrap_or_default(),
        },
        _ => Termination::Unknown,
    }
}

/// A stream that ended without telling how what it is about ended. Carriers tell a cut as an error of theirs.
pub(crate) fn end_untold() -> Error {
    let message = "the stream ended without telling how the run did";
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_rounded_up() {
        let check =
            |limit, seconds, millis| assert_eq!(timeout(limit), (Some(seconds), Some(millis)));
        check(Duration::from_secs(5), 5, 5000);
        check(Duration::from_millis(1), 1, 1);
        check(Duration::from_millis(1001), 2, 1001);
        check(Duration::ZERO, 1, 1);
        check(Duration::from_nanos(1), 1, 1);
        check(Duration::MAX, u32::MAX, u64::MAX);
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal("2"), SignalSpec::Number(2));
        assert_eq!(signal("INT"), SignalSpec::Name("INT".to_owned()));
        assert_eq!(signal(""), SignalSpec::Name(String::new()));
    }

    #[test]
    fn stock_answers_are_told_truly() {
        let stock = |exit_code| {
            execute_response(rest::ExecuteResponse {
                exit_code,
                ..Default::default()
            })
        };
        assert_eq!(stock(Some(0)).termination, Termination::Exited { code: 0 });
        assert_eq!(stock(Some(-1)).exit_code, None);
        assert_eq!(stock(Some(-1)).termination, Termination::Unknown);
        assert!(!stock(None).success());
    }
}
