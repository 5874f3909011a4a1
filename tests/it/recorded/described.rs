//! What was recorded and what the client makes of it, in the same words. The left one of a pair reads the client's types, the
//! right one the body that was sent, so that neither can hide what the other lost.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sandbox_transport::{
    CommandInfo, CommandOutput, ContextInfo, ExecRequest, Outcome, PtyInfo, PtyRequest, PtySize,
    RunRequest, SessionExecuteRequest, SessionInfo, SessionOutcome,
};
use sandbox_wire::rest;
use serde_json::{Value, json};

use super::TIME;

type Variables = Option<BTreeMap<String, Option<String>>>;

fn variables(envs: Variables) -> BTreeMap<String, String> {
    let envs = envs.unwrap_or_default().into_iter();
    envs.map(|(name, value)| (name, value.unwrap_or_default()))
        .collect()
}

fn limit(seconds: Option<u32>) -> Option<Duration> {
    let seconds = seconds.filter(|seconds| *seconds > 0);
    seconds.map(|seconds| Duration::from_secs(seconds.into()))
}

pub(super) fn exec(request: rest::ExecuteRequest) -> ExecRequest {
    ExecRequest {
        command: request.command,
        cwd: request.cwd,
        env: variables(request.envs),
        timeout: limit(request.timeout),
        split_output: request.split_output,
        ..ExecRequest::default()
    }
}

pub(super) fn run(request: rest::CodeRunRequest) -> RunRequest {
    RunRequest {
        code: request.code,
        language: request.language,
        argv: request.argv.unwrap_or_default(),
        env: variables(request.envs),
        timeout: limit(request.timeout),
        split_output: request.split_output == Some(true),
        ..RunRequest::default()
    }
}

pub(super) fn session_execute(request: rest::SessionExecuteRequest) -> SessionExecuteRequest {
    SessionExecuteRequest {
        run_async: request.run_async == Some(true) || request.deprecated_async == Some(true),
        suppress_input_echo: request.suppress_input_echo == Some(true),
        ..SessionExecuteRequest::new(request.command)
    }
}

pub(super) fn pty_create(request: rest::PtyCreateRequest) -> PtyRequest {
    let default = PtySize::default();
    PtyRequest {
        id: request.id,
        cwd: request.cwd,
        env: variables(request.envs),
        size: Some(PtySize {
            rows: request.rows.unwrap_or(default.rows),
            cols: request.cols.unwrap_or(default.cols),
        }),
        lazy_start: request.lazy_start == Some(true),
        ..PtyRequest::default()
    }
}

fn text(bytes: Option<&[u8]>) -> Value {
    bytes.map(String::from_utf8_lossy).into()
}

/// -1 stands for the lack of one.
fn code(code: Option<i32>) -> Value {
    code.filter(|code| *code >= 0).into()
}

pub(super) fn outcome(outcome: Outcome) -> Value {
    json!({
        "exitCode": outcome.termination.exit_code(),
        "result": outcome.output.text(),
        "charts": outcome.charts,
        "apart": [text(outcome.output.stdout.as_deref()), text(outcome.output.stderr.as_deref())],
    })
}

pub(super) fn executed(told: rest::ExecuteResponse) -> Value {
    json!({
        "exitCode": code(told.exit_code),
        "result": told.result,
        "charts": [],
        "apart": [told.stdout, told.stderr],
    })
}

pub(super) fn ran(told: rest::CodeRunResponse) -> Value {
    let charts = told.artifacts.and_then(|artifacts| artifacts.charts);
    json!({
        "exitCode": code(told.exit_code),
        "result": told.result,
        "charts": charts.unwrap_or_default(),
        "apart": [told.stdout, told.stderr],
    })
}

pub(super) fn session_outcome(outcome: SessionOutcome) -> Value {
    let exit_code = outcome.termination.session_exit_code();
    json!([outcome.command_id, exit_code, outcome.output.map(output)])
}

pub(super) fn session_executed(told: rest::SessionExecuteResponse) -> Value {
    let apart = [told.stdout, told.stderr];
    let output = told.output.map(|output| json!([output, apart]));
    json!([told.cmd_id, code(told.exit_code), output])
}

pub(super) fn output(output: CommandOutput) -> Value {
    let apart = [&output.stdout, &output.stderr].map(|bytes| text(bytes.as_deref()));
    json!([output.text(), apart])
}

pub(super) fn logs(told: rest::SessionCommandLogsResponse) -> Value {
    json!([told.output, [told.stdout, told.stderr]])
}

pub(super) fn session(session: SessionInfo) -> Value {
    let commands: Value = session.commands.into_iter().map(command).collect();
    json!([session.session_id, commands])
}

pub(super) fn rest_session(told: rest::Session) -> Value {
    let commands: Value = told.commands.into_iter().map(rest_command).collect();
    json!([told.session_id, commands])
}

pub(super) fn command(command: CommandInfo) -> Value {
    json!([command.id, command.command, command.exit_code])
}

pub(super) fn rest_command(told: rest::SessionCommand) -> Value {
    json!([told.id, told.command, code(told.exit_code)])
}

/// Whether it is the time of the recordings.
fn is_time(at: Option<SystemTime>) -> bool {
    let recorded = Duration::new(1_756_463_696, 789_012_345);
    at == Some(SystemTime::UNIX_EPOCH + recorded)
}

pub(super) fn pty(info: PtyInfo) -> Value {
    let made = (info.cols, info.rows, is_time(info.created_at));
    json!([
        info.id,
        info.cwd,
        info.envs,
        made,
        info.active,
        info.lazy_start
    ])
}

pub(super) fn rest_pty(told: rest::PtySessionInfo) -> Value {
    let made = (told.cols, told.rows, told.created_at == TIME);
    json!([
        told.id,
        told.cwd,
        told.envs,
        made,
        told.active,
        told.lazy_start
    ])
}

pub(super) fn context(context: ContextInfo) -> Value {
    let is_made = is_time(context.created_at);
    json!([
        context.id,
        context.cwd,
        is_made,
        context.active,
        context.language
    ])
}

pub(super) fn rest_context(told: rest::InterpreterContext) -> Value {
    let is_made = told.created_at == TIME;
    json!([told.id, told.cwd, is_made, told.active, told.language])
}
