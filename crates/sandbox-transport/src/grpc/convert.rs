//! Conversions between the domain's types and the messages of protobuf; nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sandbox_wire::pb::exec_start::Program;
use sandbox_wire::pb::{self, termination::Cause};
use serde_json::Value;

use super::resources::{self, limits};
use super::status;
use crate::Error;
use crate::exchange::time_limit;
use crate::model::{
    Access, Bind, CommandInfo, ContextInfo, Display, EnvUpdate, ExecRequest, InterpretRequest,
    Isolation, IsolationLevel, IsolationSupport, Metrics, Network, PtyInfo, PtyRequest, PtySize,
    RunRequest, SessionExecuteRequest, SessionInfo, Signal, Termination, Usage,
};

/// Returns the time limit of a request; a limit that no message can hold becomes no limit.
fn limit(limit: Option<Duration>) -> Option<prost_types::Duration> {
    limit.map(time_limit)?.try_into().ok()
}

fn output_mode(is_split: bool) -> i32 {
    let mode = if is_split {
        pb::OutputMode::Split
    } else {
        pb::OutputMode::Combined
    };
    mode.into()
}

/// Converts a request. Unless it is to be killed, the command runs on even if the call ends, as over HTTP.
pub(super) fn exec(
    request: ExecRequest,
    is_split: bool,
    has_input: bool,
    kill_on_drop: bool,
    idempotency_key: String,
) -> pb::ExecStart {
    pb::ExecStart {
        program: Some(Program::Command(request.command)),
        options: Some(pb::RunOptions {
            cwd: request.cwd.unwrap_or_default(),
            envs: request.env,
            timeout: limit(request.timeout),
            detach: !kill_on_drop,
            idempotency_key,
            limits: limits(request.limits),
            isolation: request.isolation.map(isolation),
        }),
        output_mode: output_mode(is_split),
        empty_input: !has_input,
        terminal: request.tty.map(size),
        soft_timeout: limit(request.soft_timeout),
        ..pb::ExecStart::default()
    }
}

pub(super) fn run(request: RunRequest, idempotency_key: String) -> pb::RunCodeRequest {
    pb::RunCodeRequest {
        code: request.code,
        language: request.language,
        argv: request.argv,
        options: Some(pb::RunOptions {
            envs: request.env,
            timeout: limit(request.timeout),
            idempotency_key,
            limits: limits(request.limits),
            isolation: request.isolation.map(isolation),
            ..pb::RunOptions::default()
        }),
        output_mode: output_mode(request.split_output),
    }
}

pub(super) fn isolation(isolation: Isolation) -> pb::Isolation {
    let bind = |bind: Bind| pb::isolation::Bind {
        path: bind.path,
        source: bind.source,
        writable: bind.access == Access::Write,
    };
    let network = match isolation.network {
        Network::None => pb::IsolationNetwork::None,
        Network::User => pb::IsolationNetwork::User,
        Network::Host => pb::IsolationNetwork::Host,
    };
    let level = isolation.level.map(|level| match level {
        IsolationLevel::None => pb::IsolationLevel::None,
        IsolationLevel::Landlock => pb::IsolationLevel::Landlock,
        IsolationLevel::Bwrap => pb::IsolationLevel::Bwrap,
        IsolationLevel::Namespaces => pb::IsolationLevel::Namespaces,
    });
    pb::Isolation {
        level: level.unwrap_or_default().into(),
        network: network.into(),
        binds: isolation.binds.into_iter().map(bind).collect(),
        hidden: isolation.hidden,
        scratch: isolation.scratch,
        scratch_bytes: isolation.scratch_bytes.unwrap_or_default(),
    }
}

/// Returns the level, unless the daemon does not report one that this version knows.
pub(super) fn level(received: pb::IsolationLevel) -> Option<IsolationLevel> {
    match received {
        pb::IsolationLevel::None => Some(IsolationLevel::None),
        pb::IsolationLevel::Landlock => Some(IsolationLevel::Landlock),
        pb::IsolationLevel::Bwrap => Some(IsolationLevel::Bwrap),
        pb::IsolationLevel::Namespaces => Some(IsolationLevel::Namespaces),
        pb::IsolationLevel::Unspecified => None,
    }
}

pub(super) fn isolation_support(received: pb::IsolationSupport) -> IsolationSupport {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    IsolationSupport {
        level: level(received.level()),
        levels: received.levels().filter_map(level).collect(),
        by_default: received.by_default,
        problem: text(received.problem),
        help: text(received.help),
        network_problem: text(received.network_problem),
    }
}

pub(super) fn command_start(
    session_id: &str,
    request: SessionExecuteRequest,
    idempotency_key: String,
) -> pb::StartCommandRequest {
    pb::StartCommandRequest {
        session_id: session_id.to_owned(),
        command: request.command,
        timeout: limit(request.timeout),
        suppress_input_echo: request.suppress_input_echo,
        idempotency_key,
        command_id: request.command_id.unwrap_or_default(),
        cwd: request.cwd.unwrap_or_default(),
        envs: request.env,
        user: request.user.unwrap_or_default(),
    }
}

/// Converts a request. The command runs on even if the call ends, as over HTTP.
pub(super) fn command_run(
    session_id: &str,
    request: SessionExecuteRequest,
    idempotency_key: String,
) -> pb::ExecuteCommandRequest {
    pb::ExecuteCommandRequest {
        session_id: session_id.to_owned(),
        command: request.command,
        timeout: limit(request.timeout),
        detach: true,
        idempotency_key,
        offset: 0,
        command_id: request.command_id.unwrap_or_default(),
        cwd: request.cwd.unwrap_or_default(),
        envs: request.env,
        user: request.user.unwrap_or_default(),
    }
}

/// Converts a request. A side of 0 is what clients send that do not know the size.
pub(super) fn pty_create(
    request: PtyRequest,
    lazy_start: bool,
    idempotency_key: String,
) -> pb::PtyCreate {
    let default = PtySize::default();
    let given = request.size.unwrap_or_default();
    let side = |given, default| if given > 0 { given } else { default };
    pb::PtyCreate {
        pty_id: request.id,
        cwd: request.cwd.unwrap_or_default(),
        envs: request.env,
        size: Some(size(PtySize {
            rows: side(given.rows, default.rows),
            cols: side(given.cols, default.cols),
        })),
        lazy_start,
        idempotency_key,
        limits: limits(request.limits),
        isolation: request.isolation.map(isolation),
    }
}

pub(super) fn size(PtySize { rows, cols }: PtySize) -> pb::TerminalSize {
    pb::TerminalSize {
        cols: cols.into(),
        rows: rows.into(),
    }
}

pub(super) fn interpret(request: InterpretRequest) -> pb::ExecuteCodeRequest {
    // A limit that no message can hold is sent as 0 (no limit); leaving it out would mean the daemon's default.
    let limit = |given| limit(Some(given)).unwrap_or_default();
    pb::ExecuteCodeRequest {
        code: request.code,
        context_id: request.context_id.unwrap_or_default(),
        envs: request.env,
        timeout: request.timeout.map(limit),
        shows_value: true,
    }
}

pub(super) fn env_update(request: EnvUpdate) -> pb::UpdateEnvironmentRequest {
    pb::UpdateEnvironmentRequest {
        set: request.set,
        unset: request.unset,
        unset_value_prefix: request.unset_value_prefix.unwrap_or_default(),
    }
}

pub(super) fn signal(signal: Signal) -> pb::Signal {
    pb::Signal {
        number: signal.number(),
        ..pb::Signal::default()
    }
}

/// Returns the termination of a process that has ended.
pub(super) fn ended(ended: pb::Ended) -> Result<Termination, Error> {
    let received = ended.termination;
    received
        .map(termination)
        .ok_or_else(|| status::incomplete("termination"))
}

/// Returns what a process that has ended has used.
pub(super) fn usage(ended: &pb::Ended) -> Option<Usage> {
    ended.termination.as_ref().and_then(resources::usage)
}

pub(super) fn termination(received: pb::Termination) -> Termination {
    if let Some(limit) = resources::limit(&received) {
        return Termination::LimitExceeded { limit };
    }
    match received.cause {
        Some(Cause::Exited(exited)) => Termination::Exited { code: exited.code },
        Some(Cause::Signaled(signaled)) => Termination::Signaled {
            signal: signaled.signal,
        },
        Some(Cause::TimedOut(_)) => Termination::TimedOut,
        Some(Cause::OutOfMemory(_)) => Termination::OutOfMemory,
        Some(Cause::SpawnFailed(failed)) => Termination::NotStarted {
            reason: failed.message,
        },
        Some(Cause::Lost(lost)) => Termination::Lost {
            reason: lost.message,
        },
        None => Termination::Unknown,
    }
}

pub(super) fn session(session: pb::Session) -> SessionInfo {
    let isolation_level = level(session.isolation_level());
    SessionInfo {
        session_id: session.session_id,
        commands: session.commands.into_iter().map(command).collect(),
        termination: session.termination.map(termination),
        isolation_level,
        forgotten_commands: session.forgotten_commands,
    }
}

pub(super) fn command(command: pb::Command) -> CommandInfo {
    let usage = command.termination.as_ref().and_then(resources::usage);
    let termination = command.termination.map(termination).unwrap_or_default();
    CommandInfo {
        usage,
        ..CommandInfo::new(command.command_id, command.command, termination)
    }
}

pub(super) fn exec_info(exec: pb::ExecInfo) -> CommandInfo {
    let usage = exec.termination.as_ref().and_then(resources::usage);
    let termination = exec.termination.map(termination).unwrap_or_default();
    CommandInfo {
        usage,
        ..CommandInfo::new(exec.exec_id, exec.description, termination)
    }
}

pub(super) fn pty(info: pb::PtyInfo) -> PtyInfo {
    let isolation_level = level(info.isolation_level());
    let size = info.size.unwrap_or_default();
    // Daemons have no larger terminals.
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    PtyInfo {
        id: info.pty_id,
        cwd: info.cwd,
        envs: info.envs,
        cols: side(size.cols),
        rows: side(size.rows),
        created_at: info.created_at.and_then(time),
        active: info.active,
        lazy_start: info.lazy_start,
        isolation_level,
    }
}

pub(super) fn context(context: pb::InterpreterContext) -> ContextInfo {
    let isolation_level = level(context.isolation_level());
    ContextInfo {
        id: context.context_id,
        cwd: context.cwd,
        created_at: context.created_at.and_then(time),
        active: context.active,
        language: context.language,
        isolation_level,
    }
}

pub(super) fn metrics(metrics: pb::GetMetricsResponse) -> Metrics {
    Metrics {
        cpu_count: metrics.cpu_count,
        cpu_used_percent: metrics.cpu_used_percent,
        memory_total: metrics.memory_total,
        memory_used: metrics.memory_used,
        memory_cache: metrics.memory_cache,
        disk_total: metrics.disk_total,
        disk_used: metrics.disk_used,
        disk_free: metrics.disk_free,
        containment: Some(metrics.containment).filter(|name| !name.is_empty()),
        time: metrics.time.and_then(time),
    }
}

/// Converts a time that this system can represent.
pub(super) fn time(at: prost_types::Timestamp) -> Option<SystemTime> {
    at.try_into().ok()
}

/// Parses a chart. One that is not JSON was forged by the program, which harms only itself.
pub(super) fn chart(chart: &pb::Chart) -> Option<Value> {
    serde_json::from_slice(&chart.json).ok()
}

pub(super) fn display(shown: pb::Display) -> Display {
    let (mut data, mut omitted) = (BTreeMap::new(), BTreeMap::new());
    let mut text = String::new();
    for form in shown.forms {
        if let Some(length) = form.omitted_bytes {
            omitted.insert(form.media_type, length);
            continue;
        }
        if form.media_type == "text/plain" {
            text = String::from_utf8_lossy(&form.content).into_owned();
        }
        data.insert(form.media_type, form.content);
    }
    Display {
        text,
        data,
        omitted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_reported() {
        let reason = || "why".to_owned();
        let timed_out = pb::termination::TimedOut::default();
        let failed = pb::termination::SpawnFailed {
            message: reason(),
            ..pb::termination::SpawnFailed::default()
        };
        let lost = pb::termination::Lost { message: reason() };
        let signaled = pb::termination::Signaled {
            signal: 15,
            core_dumped: false,
        };
        let memory = pb::termination::OutOfMemory::default();
        for (cause, expect) in [
            (
                Some(Cause::Exited(pb::termination::Exited { code: 7 })),
                Termination::Exited { code: 7 },
            ),
            (
                Some(Cause::Signaled(signaled)),
                Termination::Signaled { signal: 15 },
            ),
            (Some(Cause::TimedOut(timed_out)), Termination::TimedOut),
            (Some(Cause::OutOfMemory(memory)), Termination::OutOfMemory),
            (
                Some(Cause::SpawnFailed(failed)),
                Termination::NotStarted { reason: reason() },
            ),
            (
                Some(Cause::Lost(lost)),
                Termination::Lost { reason: reason() },
            ),
            (None, Termination::Unknown),
        ] {
            let received = pb::Termination {
                cause,
                ..pb::Termination::default()
            };
            assert_eq!(termination(received), expect);
        }
        // More precise than the cause.
        let limited = pb::Termination {
            cause: Some(Cause::OutOfMemory(memory)),
            limit: pb::ResourceLimit::Memory.into(),
            ..pb::Termination::default()
        };
        let limit = crate::Limit::Memory;
        assert_eq!(termination(limited), Termination::LimitExceeded { limit });
    }

    #[test]
    fn limits_are_exact() {
        let sent = |given| limit(given).map(|sent| (sent.seconds, sent.nanos));
        assert_eq!(sent(None), None);
        assert_eq!(
            sent(Some(Duration::from_micros(1_500_001))),
            Some((1, 500_001_000))
        );
        // A limit of 0 would mean no limit.
        assert_eq!(sent(Some(Duration::ZERO)), Some((0, 1_000_000)));
        assert_eq!(sent(Some(Duration::MAX)), None);
        let interpreted = |timeout| {
            let request = InterpretRequest {
                timeout,
                ..InterpretRequest::default()
            };
            interpret(request)
                .timeout
                .map(|sent| (sent.seconds, sent.nanos))
        };
        assert_eq!(interpreted(None), None);
        assert_eq!(interpreted(Some(Duration::MAX)), Some((0, 0)));
    }
}
