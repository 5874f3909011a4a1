//! Programs, each in a fresh process.

use sandbox_logcodec::Channel;
use sandbox_wire::pb::run_code_response::Event;
use sandbox_wire::pb::{self, termination::Cause};
use sandbox_wire::rest::{Artifacts, CodeRunRequest, CodeRunResponse, ErrorEnvelope};
use serde_json::Value;
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::collected::Collected;
use super::exec::{limit_of, termination_of, timed_out};
use super::{GrpcTransport, convert, status};
use crate::client::answer_within;
use crate::{Effect, Error};

/// Runs a program to its end.
pub(super) async fn run(
    transport: &GrpcTransport,
    request: CodeRunRequest,
) -> Result<CodeRunResponse, Error> {
    let deadline = answer_within(request.timeout, request.timeout_millis);
    let is_split = request.split_output == Some(true);
    let mode = match is_split {
        true => pb::OutputMode::Split,
        false => pb::OutputMode::Combined,
    };
    let request = pb::RunCodeRequest {
        code: request.code,
        language: request.language,
        argv: request.argv.unwrap_or_default(),
        options: Some(pb::RunOptions {
            envs: convert::variables(request.envs),
            timeout: convert::time_limit(request.timeout, request.timeout_millis),
            ..pb::RunOptions::default()
        }),
        output_mode: mode.into(),
    };
    let run = |wire| {
        let request = request.clone();
        async move {
            let answers = call::code(wire).run_code(request).await?;
            collect(answers.into_inner(), is_split).await
        }
    };
    let call = Call::new(Effect::Once).deadline(deadline);
    transport.call(call, run).await
}

/// Reads what a program did, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::RunCodeResponse>,
    is_split: bool,
) -> Result<CodeRunResponse, Failed> {
    let mut output = Collected::new();
    let mut charts = Vec::new();
    loop {
        let answer = answers.message().await?.ok_or_else(status::cut)?;
        match answer.event {
            Some(Event::Output(chunk)) => output.chunk(chunk)?,
            Some(Event::Gap(gap)) => output.gap(gap)?,
            Some(Event::Chart(shown)) => charts.extend(chart(&shown)),
            Some(Event::Ended(ended)) => return outcome(&ended, &output, charts, is_split),
            Some(Event::Started(_)) | None => {}
        }
    }
}

/// A chart. One that is no JSON was forged by the program, which harms only itself.
pub(super) fn chart(chart: &pb::Chart) -> Option<Value> {
    serde_json::from_slice(&chart.json).ok()
}

/// What a program did; or the error that a time limit is.
fn outcome(
    ended: &pb::Ended,
    output: &Collected,
    charts: Vec<Value>,
    is_split: bool,
) -> Result<CodeRunResponse, Failed> {
    let told = termination_of(ended)?;
    let termination = convert::termination(told);
    let of = |channel| is_split.then(|| output.told(Some(channel)));
    let response = CodeRunResponse {
        exit_code: convert::exit_code(&termination),
        result: match &told.cause {
            Some(Cause::SpawnFailed(failed)) => failed.message.clone(),
            _ => output.told(None),
        },
        artifacts: (!charts.is_empty()).then_some(Artifacts {
            charts: Some(charts),
        }),
        stdout: of(Channel::Stdout),
        stderr: of(Channel::Stderr),
        termination: Some(termination),
        truncation: output.truncation(),
    };
    match limit_of(told) {
        None => Ok(response),
        Some(limit) => Err(Failed::Error(timed_out(
            limit,
            ErrorEnvelope {
                result: Some(response.result),
                stdout: response.stdout,
                stderr: response.stderr,
                artifacts: response.artifacts,
                termination: response.termination,
                truncation: response.truncation,
                ..ErrorEnvelope::default()
            },
        ))),
    }
}
