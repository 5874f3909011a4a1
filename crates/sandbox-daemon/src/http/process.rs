//! `POST /process/execute` and `POST /process/code-run`.

use http::StatusCode;
use sandbox_engine::record::Record;
use sandbox_engine::{OutputMode, Recorded, SpawnError, Termination};
use sandbox_logcodec::Channel;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{CodeRunRequest, CodeRunResponse, ExecuteRequest, ExecuteResponse};

use super::error::Partial;
use super::peer::Peer;
use super::termination::{exit_code, termination, with_usage};
use super::texts::{Content, Notices, Object, Part, Text, truncation};
use super::{ApiError, Call, Responded, convert, resources};
use crate::service::exec::{self, Ran, Started};
use crate::service::output::{Form, Stretch};
use crate::service::{Error, chain, code};

pub(super) async fn execute(mut call: Call) -> Responded {
    let request: ExecuteRequest = call.read_body(ErrorCode::BadRequest).await?;
    let soft_timeout = convert::soft_limit(&request);
    let (command, options) = convert::execute_request(request)?;
    let run = exec::run(&call.state, call.key(), command, options, soft_timeout).await?;
    match run {
        Ok(Ran::Ended(run)) => respond(Ok(run), &call.peer()).await,
        Ok(Ran::StillRunning(started)) => still_running(&started).await,
        Err(error) => respond(Err(error), &call.peer()).await,
    }
}

/// Responds with what a command has written until its soft limit, and with its id. Only a client that knows this extension
/// asks for it.
async fn still_running(started: &Started) -> Responded {
    let (record, mut parts) = (started.command.record(), Vec::new());
    let (result, stretch) = output(record, None).await?;
    parts.push(("result", Part::Text(result)));
    if started.output == OutputMode::Split {
        parts.extend(channels(record).await?);
    }
    let response = ExecuteResponse {
        exec_id: Some(started.command.id().to_owned()),
        truncation: truncation(&stretch),
        isolation_level: Some(convert::level(started.command.level())),
        ..ExecuteResponse::default()
    };
    Ok(Object::new(&response, parts)?.into_response(StatusCode::OK))
}

pub(super) async fn code_run(mut call: Call) -> Responded {
    let request: CodeRunRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    let mut options = convert::options(
        request.envs,
        request.timeout,
        request.timeout_millis,
        request.split_output,
    );
    options.limits = resources::limits(request.limits);
    options.isolation = convert::isolation(request.isolation)?;
    let request = code::Request {
        options,
        code: request.code,
        language: request.language,
        argv: request.argv.unwrap_or_default(),
    };
    let run = code::run(&call.state, call.key(), request).await?;
    respond(run.map(|run| run.result), &call.peer()).await
}

/// Responds with the result of a run, or with the error that official clients expect for a time limit. A process that never
/// ran is a result to them.
async fn respond(run: Result<Recorded, SpawnError>, peer: &Peer) -> Responded {
    // It has the fields of an `ExecuteResponse`, and one that is left out for a command.
    let mut response = CodeRunResponse::default();
    let mut parts = Vec::new();
    match run {
        Ok(run) => {
            let (result, stretch) = output(&run.record, None).await?;
            parts.push(("result", Part::Text(result)));
            if run.output == OutputMode::Split && peer.takes_extensions() {
                parts.extend(channels(&run.record).await?);
            }
            if !run.artifacts.is_empty() {
                parts.push(("artifacts", Part::Charts(run.artifacts)));
            }
            response.truncation = truncation(&stretch);
            response.exit_code = run.termination.exit_code();
            response.termination = Some(with_usage(&run.termination, run.usage));
            response.isolation_level = Some(convert::level(run.level));
            if let Termination::TimedOut { limit } = run.termination {
                let limit = humantime::format_duration(limit);
                let message = format!("the time limit of {limit} ran out");
                let error = ApiError::new(ErrorCode::ProcessExecutionTimeout, message);
                return Err(error.partial(Partial {
                    termination: response.termination,
                    truncation: response.truncation,
                    isolation_level: response.isolation_level,
                    parts,
                    errors: None,
                }));
            }
        }
        Err(error) => {
            let reason = chain(&error);
            response.result.clone_from(&reason);
            let ended = Termination::NotStarted { reason };
            response.exit_code = Some(exit_code(&ended));
            response.termination = Some(termination(&ended));
        }
    }
    if !peer.takes_extensions() {
        // Go SDKs before 0.188 fail on fields that they do not know.
        (response.termination, response.truncation) = (None, None);
        response.isolation_level = None;
    }
    Ok(Object::new(&response, parts)?.into_response(StatusCode::OK))
}

/// Returns both channels of an output, each as a text of its own.
async fn channels(record: &Record) -> Result<[(&'static str, Part); 2], Error> {
    let stdout = output(record, Some(Channel::Stdout)).await?.0;
    let stderr = output(record, Some(Channel::Stderr)).await?.0;
    Ok([("stdout", stdout.into()), ("stderr", stderr.into())])
}

/// Returns an output as text: both channels, or one with a beginning and an end of its own.
async fn output(record: &Record, only: Option<Channel>) -> Result<(Text, Stretch), Error> {
    let form = Form {
        is_json: true,
        is_marked: false,
        only,
    };
    let stretch = Stretch::of_the_command(record, form).await;
    let stretch = stretch.map_err(Error::internal)?;
    let (content, notices) = match only {
        None => (Content::Both, Notices::Lines),
        Some(channel) if stretch.missing() == 0 => (Content::Only(channel), Notices::None),
        Some(channel) => {
            // The channel of the missing bytes follows from the sums.
            let missing = record.channel_length(channel) - stretch.held();
            (Content::Only(channel), Notices::Sum(missing))
        }
    };
    Ok((Text::new(record, stretch, content, notices), stretch))
}
