//! Conversions between the domain's types and the bodies of HTTP; nothing else.
//!
//! JSON has text alone: output arrives as text, in which U+FFFD stands for what is not UTF-8.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandbox_wire::rest::{self, TerminationKind};
use sandbox_wire::ws::InterpreterRequest;
use sandbox_wire::{ErrorCode, display};
use serde_json::Value;

use super::resources::{limit as limit_of, limits, usage};
use crate::Error;
use crate::exchange::{answer, time_limit};
use crate::model::{
    Access, Bind, CommandInfo, CommandOutput, ContextInfo, ContextRequest, Display, EnvUpdate,
    ExecRequest, InterpretRequest, Isolation, IsolationLevel, IsolationSupport, Metrics, Network,
    Outcome, PtyInfo, PtyRequest, PtySize, RunRequest, SessionExecuteRequest, SessionInfo,
    SessionOutcome, SessionRequest, Signal, Termination, Truncation,
};

type Variables = Option<BTreeMap<String, Option<String>>>;

fn variables(env: BTreeMap<String, String>) -> Variables {
    let env = env.into_iter().map(|(name, value)| (name, Some(value)));
    Some(env.collect()).filter(|env: &BTreeMap<_, _>| !env.is_empty())
}

/// Returns a limit as both kinds of daemon read it: whole seconds, rounded up, and milliseconds.
fn limit(limit: Option<Duration>) -> (Option<u32>, Option<u64>) {
    let Some(limit) = limit.map(time_limit) else {
        return (None, None);
    };
    // Rounded up, since 0 would mean no limit. Stock daemons read the seconds alone.
    let millis = limit.as_nanos().div_ceil(1_000_000);
    (
        Some(u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX)),
        Some(u64::try_from(millis).unwrap_or(u64::MAX)),
    )
}

pub(super) fn exec(request: ExecRequest) -> rest::ExecuteRequest {
    let (timeout, timeout_millis) = limit(request.timeout);
    // Stock daemons, which read seconds, have no soft limits.
    let (_, soft_timeout_millis) = limit(request.soft_timeout);
    rest::ExecuteRequest {
        command: request.command,
        cwd: request.cwd,
        envs: variables(request.env),
        timeout,
        timeout_millis,
        soft_timeout_millis,
        split_output: request.split_output,
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

pub(super) fn run(request: RunRequest) -> rest::CodeRunRequest {
    let (timeout, timeout_millis) = limit(request.timeout);
    rest::CodeRunRequest {
        code: request.code,
        language: request.language,
        argv: Some(request.argv).filter(|argv| !argv.is_empty()),
        envs: variables(request.env),
        timeout,
        timeout_millis,
        split_output: request.split_output.then_some(true),
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

fn isolation(isolation: Isolation) -> rest::Isolation {
    let bind = |bind: Bind| rest::IsolationBind {
        source: Some(bind.source).filter(|source| *source != bind.path),
        path: bind.path,
        access: match bind.access {
            Access::Read => rest::IsolationAccess::Read,
            Access::Write => rest::IsolationAccess::Write,
        },
    };
    rest::Isolation {
        level: isolation.level.map(|level| match level {
            IsolationLevel::None => rest::IsolationLevel::None,
            IsolationLevel::Landlock => rest::IsolationLevel::Landlock,
            IsolationLevel::Bwrap => rest::IsolationLevel::Bwrap,
            IsolationLevel::Namespaces => rest::IsolationLevel::Namespaces,
        }),
        network: Some(match isolation.network {
            Network::None => rest::IsolationNetwork::None,
            Network::User => rest::IsolationNetwork::User,
            Network::Host => rest::IsolationNetwork::Host,
        }),
        binds: isolation.binds.into_iter().map(bind).collect(),
        hidden: isolation.hidden,
        scratch: isolation.scratch,
        scratch_bytes: isolation.scratch_bytes,
    }
}

/// Returns the level, unless this version does not know it.
pub(super) fn level(received: rest::IsolationLevel) -> Option<IsolationLevel> {
    match received {
        rest::IsolationLevel::None => Some(IsolationLevel::None),
        rest::IsolationLevel::Landlock => Some(IsolationLevel::Landlock),
        rest::IsolationLevel::Bwrap => Some(IsolationLevel::Bwrap),
        rest::IsolationLevel::Namespaces => Some(IsolationLevel::Namespaces),
        _ => None,
    }
}

pub(super) fn isolation_support(received: rest::IsolationSupport) -> IsolationSupport {
    // A daemon from before this field reports only one level.
    let levels = if received.levels.is_empty() {
        vec![received.level]
    } else {
        received.levels
    };
    IsolationSupport {
        level: level(received.level),
        levels: levels.into_iter().filter_map(level).collect(),
        by_default: received.by_default,
        problem: received.problem,
        help: received.help,
        network_problem: received.network_problem,
    }
}

pub(super) fn session_execute(request: SessionExecuteRequest) -> rest::SessionExecuteRequest {
    let (timeout, timeout_millis) = limit(request.timeout);
    rest::SessionExecuteRequest {
        command: request.command,
        run_async: request.run_async.then_some(true),
        deprecated_async: None,
        suppress_input_echo: request.suppress_input_echo.then_some(true),
        command_id: request.command_id,
        cwd: request.cwd,
        envs: variables(request.env),
        user: request.user,
        timeout,
        timeout_millis,
    }
}

pub(super) fn pty_create(request: PtyRequest) -> rest::PtyCreateRequest {
    rest::PtyCreateRequest {
        id: request.id,
        cwd: request.cwd,
        envs: variables(request.env),
        cols: request.size.map(|size| size.cols),
        rows: request.size.map(|size| size.rows),
        lazy_start: request.lazy_start.then_some(true),
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

pub(super) fn context_create(request: ContextRequest) -> rest::CreateContextRequest {
    rest::CreateContextRequest {
        cwd: request.cwd,
        language: request.language,
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

pub(super) fn session_create(request: SessionRequest) -> rest::CreateSessionRequest {
    rest::CreateSessionRequest {
        session_id: request.id,
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

pub(super) fn env_update(request: EnvUpdate) -> rest::UpdateEnvRequest {
    rest::UpdateEnvRequest {
        set: variables(request.set),
        unset: Some(request.unset).filter(|unset| !unset.is_empty()),
        unset_value_prefix: request.unset_value_prefix,
    }
}

pub(super) fn interpret(request: InterpretRequest) -> InterpreterRequest {
    let seconds = |limit: Duration| {
        let seconds = time_limit(limit).as_nanos().div_ceil(1_000_000_000);
        // 0 means no limit.
        i64::try_from(seconds).unwrap_or(0)
    };
    InterpreterRequest {
        code: request.code,
        context_id: request.context_id,
        timeout: request.timeout.map(seconds),
        envs: variables(request.env),
    }
}

pub(super) fn pty_size(PtySize { rows, cols }: PtySize) -> rest::PtyResizeRequest {
    rest::PtyResizeRequest { cols, rows }
}

pub(super) fn signal(signal: Signal) -> rest::SignalSpec {
    rest::SignalSpec::Number(signal.number())
}

/// The fields that all descriptions of a run have in common.
struct Run {
    exit_code: Option<i32>,
    result: String,
    artifacts: Option<rest::Artifacts>,
    stdout: Option<String>,
    stderr: Option<String>,
    termination: Option<rest::Termination>,
    truncation: Option<rest::OutputTruncation>,
    isolation_level: Option<rest::IsolationLevel>,
}

impl From<Run> for Outcome {
    fn from(mut run: Run) -> Self {
        let usage = run.termination.as_ref().and_then(usage);
        let mut termination = termination(run.termination, run.exit_code);
        if let Termination::NotStarted { reason } = &mut termination {
            // The reason is in the place of the output.
            let result = std::mem::take(&mut run.result);
            if reason.is_empty() {
                *reason = result;
            }
        }
        Self {
            output: CommandOutput {
                combined: run.result.into(),
                stdout: run.stdout.map(Bytes::from),
                stderr: run.stderr.map(Bytes::from),
                truncation: run.truncation.map(truncation),
            },
            termination,
            usage,
            charts: run
                .artifacts
                .and_then(|artifacts| artifacts.charts)
                .unwrap_or_default(),
            isolation_level: run.isolation_level.and_then(level),
        }
    }
}

pub(super) fn executed(received: rest::ExecuteResponse) -> Outcome {
    let exec_id = received.exec_id;
    let outcome = Outcome::from(Run {
        exit_code: received.exit_code,
        result: received.result,
        artifacts: None,
        stdout: received.stdout,
        stderr: received.stderr,
        termination: received.termination,
        truncation: received.truncation,
        isolation_level: received.isolation_level,
    });
    match exec_id {
        Some(exec_id) => Outcome {
            termination: Termination::StillRunning { exec_id },
            ..outcome
        },
        None => outcome,
    }
}

pub(super) fn ran(received: rest::CodeRunResponse) -> Outcome {
    Run {
        exit_code: received.exit_code,
        result: received.result,
        artifacts: received.artifacts,
        stdout: received.stdout,
        stderr: received.stderr,
        termination: received.termination,
        truncation: received.truncation,
        isolation_level: received.isolation_level,
    }
    .into()
}

/// Returns the error of a refusal. A time limit that ran out is one; it has the outcome unless the daemon discards the
/// output, in which case an empty outcome would be wrong.
pub(super) fn refusal(status: u16, mut received: rest::ErrorEnvelope) -> Error {
    let is_timeout = received.code.as_deref() == Some(ErrorCode::ProcessExecutionTimeout.name());
    let result = received.result.take().filter(|_| is_timeout);
    let outcome = result.map(|result| {
        let run = Run {
            exit_code: None,
            result,
            artifacts: received.artifacts.take(),
            stdout: received.stdout.take(),
            stderr: received.stderr.take(),
            termination: received.termination.take(),
            truncation: received.truncation.take(),
            isolation_level: received.isolation_level,
        };
        match Outcome::from(run) {
            // The code of the error reports the time limit even if the daemon sends no termination.
            outcome if outcome.termination == Termination::Unknown => Outcome {
                termination: Termination::TimedOut,
                ..outcome
            },
            outcome => outcome,
        }
    });
    answer::refusal(status, received).with_outcome(outcome)
}

/// Returns the termination that the daemon reports, or else the one that the exit code stands for.
pub(super) fn termination(
    received: Option<rest::Termination>,
    exit_code: Option<i32>,
) -> Termination {
    let received = received.map(|received| {
        let reason = received.reason.unwrap_or_default();
        // The limit explains the signal or the exit code that is reported beside it.
        if let Some(limit) = received.limit.and_then(limit_of) {
            return Termination::LimitExceeded { limit };
        }
        match (received.kind, received.exit_code, received.signal) {
            (TerminationKind::Exited, Some(code), _) => Termination::Exited { code },
            (TerminationKind::Signaled, _, Some(signal)) => Termination::Signaled { signal },
            (TerminationKind::TimedOut, ..) => Termination::TimedOut,
            (TerminationKind::SpawnFailed, ..) => Termination::NotStarted { reason },
            (TerminationKind::OutOfMemory, ..) => Termination::OutOfMemory,
            (TerminationKind::Lost, ..) => Termination::Lost { reason },
            _ => Termination::Unknown,
        }
    });
    received
        // A kind of a later version than this one.
        .filter(|received| *received != Termination::Unknown)
        .unwrap_or_else(|| Termination::from_exit_code(exit_code))
}

fn truncation(received: rest::OutputTruncation) -> Truncation {
    Truncation {
        total_bytes: received.total_bytes,
        dropped_bytes: received.dropped_bytes,
    }
}

pub(super) fn session(received: rest::Session) -> SessionInfo {
    SessionInfo {
        session_id: received.session_id,
        commands: received.commands.into_iter().map(command).collect(),
        termination: received
            .termination
            .map(|received| termination(Some(received), None)),
        forgotten_commands: received.forgotten_commands.unwrap_or_default(),
        isolation_level: received.isolation_level.and_then(level),
    }
}

pub(super) fn command(received: rest::SessionCommand) -> CommandInfo {
    let usage = received.termination.as_ref().and_then(usage);
    let termination = termination(received.termination, received.exit_code);
    CommandInfo {
        usage,
        ..CommandInfo::new(received.id, received.command, termination)
    }
}

pub(super) fn session_executed(received: rest::SessionExecuteResponse) -> SessionOutcome {
    SessionOutcome {
        usage: received.termination.as_ref().and_then(usage),
        command_id: received.cmd_id,
        output: received.output.map(|output| CommandOutput {
            combined: output.into(),
            stdout: received.stdout.map(Bytes::from),
            stderr: received.stderr.map(Bytes::from),
            truncation: received.truncation.map(truncation),
        }),
        termination: termination(received.termination, received.exit_code),
        session_ended: received.session_ended == Some(true),
    }
}

pub(super) fn logs(received: rest::SessionCommandLogsResponse) -> CommandOutput {
    CommandOutput {
        combined: received.output.into(),
        stdout: Some(received.stdout.into()),
        stderr: Some(received.stderr.into()),
        truncation: received.truncation.map(truncation),
    }
}

pub(super) fn pty(received: rest::PtySessionInfo) -> PtyInfo {
    PtyInfo {
        id: received.id,
        cwd: received.cwd,
        envs: received.envs,
        cols: received.cols,
        rows: received.rows,
        created_at: time(&received.created_at),
        active: received.active,
        lazy_start: received.lazy_start,
        isolation_level: received.isolation_level.and_then(level),
    }
}

pub(super) fn context(received: rest::InterpreterContext) -> ContextInfo {
    ContextInfo {
        id: received.id,
        cwd: received.cwd,
        created_at: time(&received.created_at),
        active: received.active,
        language: received.language,
        isolation_level: received.isolation_level.and_then(level),
    }
}

pub(super) fn metrics(received: rest::SystemMetrics) -> Metrics {
    let seconds = received
        .timestamp_unix
        .and_then(|at| u64::try_from(at).ok());
    let seconds =
        seconds.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)));
    Metrics {
        cpu_count: received.cpu_count,
        cpu_used_percent: received.cpu_used_pct,
        memory_total: received.mem_total,
        memory_used: received.mem_used,
        memory_cache: received.mem_cache,
        disk_total: received.disk_total,
        disk_used: received.disk_used,
        disk_free: received.disk_free,
        containment: received.containment,
        time: received.timestamp.as_deref().and_then(time).or(seconds),
    }
}

/// Parses a time of RFC 3339, in any zone.
pub(super) fn time(text: &str) -> Option<SystemTime> {
    let zone = text.len().checked_sub("+00:00".len());
    let Some((local, zone)) = zone
        .and_then(|at| text.split_at_checked(at))
        .filter(|(_, zone)| zone.starts_with(['+', '-']))
    else {
        return humantime::parse_rfc3339(text).ok();
    };
    // humantime reads times with `Z` only.
    let (hours, minutes) = zone[1..].split_once(':')?;
    let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
    let offset = Duration::from_secs(minutes * 60);
    let at = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    if zone.starts_with('+') {
        at.checked_sub(offset)
    } else {
        at.checked_add(offset)
    }
}

/// Converts a value whose contents JSON has by media type: text as it is, JSON as such, everything else in base64.
pub(super) fn display(
    text: String,
    data: serde_json::Map<String, Value>,
    omitted: BTreeMap<String, u64>,
) -> Display {
    let content = |(media_type, value): (String, Value)| {
        let content = display::content(&media_type, value).into();
        (media_type, content)
    };
    Display {
        text,
        data: data.into_iter().map(content).collect(),
        omitted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_rounded_up() {
        let check = |given, seconds, millis| {
            assert_eq!(limit(Some(given)), (Some(seconds), Some(millis)));
        };
        check(Duration::from_secs(5), 5, 5000);
        check(Duration::from_millis(1), 1, 1);
        check(Duration::from_millis(1001), 2, 1001);
        check(Duration::ZERO, 1, 1);
        check(Duration::from_nanos(1), 1, 1);
        check(Duration::from_nanos(1_000_001), 1, 2);
        check(Duration::MAX, u32::MAX, u64::MAX);
        assert_eq!(limit(None), (None, None));
        let whole = |timeout| {
            let request = InterpretRequest {
                timeout,
                ..InterpretRequest::default()
            };
            interpret(request).timeout
        };
        assert_eq!(whole(None), None);
        assert_eq!(whole(Some(Duration::ZERO)), Some(1));
        assert_eq!(whole(Some(Duration::from_millis(1001))), Some(2));
        assert_eq!(whole(Some(Duration::MAX)), Some(0));
    }

    #[test]
    fn ends_are_those_that_were_reported_or_the_exit_codes() {
        let received = |kind, exit_code, signal| rest::Termination {
            kind,
            exit_code,
            signal,
            reason: Some("why".to_owned()),
            limit: None,
            usage: None,
        };
        let reason = || "why".to_owned();
        use TerminationKind as Kind;
        for (received, code, expect) in [
            (
                received(Kind::Exited, Some(3), None),
                Some(3),
                Termination::Exited { code: 3 },
            ),
            (
                received(Kind::Signaled, None, Some(9)),
                Some(137),
                Termination::Signaled { signal: 9 },
            ),
            (
                received(Kind::TimedOut, None, None),
                Some(124),
                Termination::TimedOut,
            ),
            (
                received(Kind::OutOfMemory, None, None),
                Some(137),
                Termination::OutOfMemory,
            ),
            (
                received(Kind::SpawnFailed, None, None),
                Some(-1),
                Termination::NotStarted { reason: reason() },
            ),
            (
                received(Kind::Lost, None, None),
                Some(-1),
                Termination::Lost { reason: reason() },
            ),
            // Terminations that report nothing, or something of a later version.
            (
                received(Kind::Unknown, None, None),
                Some(5),
                Termination::Exited { code: 5 },
            ),
            (
                received(Kind::Exited, None, None),
                Some(5),
                Termination::Exited { code: 5 },
            ),
            (
                received(Kind::Unknown, None, None),
                Some(-1),
                Termination::Unknown,
            ),
        ] {
            assert_eq!(termination(Some(received), code), expect);
        }
        assert_eq!(termination(None, Some(0)), Termination::Exited { code: 0 });
        assert_eq!(termination(None, Some(-1)), Termination::Unknown);
        assert_eq!(termination(None, None), Termination::Unknown);
    }

    #[test]
    fn a_time_limit_is_an_outcome_if_its_output_came() {
        let timeout = |result: Option<&str>| rest::ErrorEnvelope {
            message: "late".to_owned(),
            code: Some(ErrorCode::ProcessExecutionTimeout.name().to_owned()),
            result: result.map(str::to_owned),
            ..rest::ErrorEnvelope::default()
        };
        let outcome = refusal(408, timeout(Some("begun"))).into_outcome().unwrap();
        assert_eq!(outcome.output.combined, "begun");
        assert_eq!(outcome.termination, Termination::TimedOut);
        let error = refusal(408, timeout(None)).into_outcome().unwrap_err();
        assert!(error.is_timeout());
        let other = rest::ErrorEnvelope {
            code: Some("CONFLICT".to_owned()),
            ..timeout(Some("begun"))
        };
        let error = refusal(409, other).into_outcome().unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (Some("CONFLICT"), "late")
        );
    }

    #[test]
    fn what_did_not_start_has_a_reason_and_no_output() {
        for reason in [Some("why"), None] {
            let outcome = executed(rest::ExecuteResponse {
                exit_code: Some(-1),
                result: "why".to_owned(),
                termination: Some(rest::Termination {
                    kind: TerminationKind::SpawnFailed,
                    exit_code: None,
                    signal: None,
                    reason: reason.map(str::to_owned),
                    limit: None,
                    usage: None,
                }),
                ..rest::ExecuteResponse::default()
            });
            let reason = "why".to_owned();
            assert_eq!(outcome.termination, Termination::NotStarted { reason });
            assert_eq!(outcome.output, CommandOutput::default());
        }
    }

    #[test]
    fn times_are_read_in_any_zone() {
        let seconds = |text| {
            let since = time(text)?.duration_since(SystemTime::UNIX_EPOCH);
            Some(since.unwrap().as_secs())
        };
        assert_eq!(seconds("1970-01-01T00:00:01.000000005Z"), Some(1));
        assert_eq!(seconds("1970-01-01T02:00:01.5+02:00"), Some(1));
        assert_eq!(seconds("1970-01-01T00:00:01-05:30"), Some(19_801));
        for bad in [
            "",
            "t",
            "-12:00",
            "1970-01-01T00:00:01",
            "1970-01-01T00:00:01+xx:00",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn values_are_the_bytes_that_json_carries() {
        let data = json!({
            "text/plain": "\u{e9}",
            "image/svg+xml": "<svg/>",
            "application/json": {"a": [1, null]},
            "application/vnd.x+json": "text",
            "image/png": "/wCA",
            "image/x-broken": "?",
        });
        let shown = display(
            "\u{e9}".to_owned(),
            data.as_object().unwrap().clone(),
            BTreeMap::new(),
        );
        for (media_type, expect) in [
            ("text/plain", "\u{e9}".as_bytes()),
            ("image/svg+xml", b"<svg/>"),
            ("application/json", br#"{"a":[1,null]}"#),
            ("application/vnd.x+json", br#""text""#),
            ("image/png", b"\xff\x00\x80"),
            ("image/x-broken", b"?"),
        ] {
            assert_eq!(shown.data[media_type], expect, "{media_type}");
        }
    }
}
