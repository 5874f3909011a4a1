//! Programs, each in a fresh process.

use sandbox_wire::pb;
use sandbox_wire::pb::run_code_response::Event;
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::output::Gathered;
use super::{GrpcTransport, convert, status};
use crate::Error;
use crate::exchange::{isolates, respond_within};
use crate::model::{Outcome, RunRequest};

/// Runs a program to its end.
pub(super) async fn run(transport: &GrpcTransport, request: RunRequest) -> Result<Outcome, Error> {
    isolates(transport, request.isolation.as_ref()).await?;
    let deadline = respond_within(request.timeout);
    let is_split = request.split_output;
    let request = convert::run(request, transport.key());
    let run = |wire| {
        let request = request.clone();
        async move {
            let answers = call::code(wire).run_code(request).await?;
            collect(answers.into_inner(), is_split).await
        }
    };
    let call = Call::keyed().deadline(deadline);
    transport.call(call, run).await
}

/// Reads the outcome of a program, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::RunCodeResponse>,
    is_split: bool,
) -> Result<Outcome, Failed> {
    let mut output = Gathered::new();
    let mut charts = Vec::new();
    let mut isolation_level = None;
    loop {
        let answer = answers.message().await?.ok_or_else(status::cut)?;
        match answer.event {
            Some(Event::Output(chunk)) => output.chunk(chunk)?,
            Some(Event::Gap(gap)) => output.gap(gap)?,
            Some(Event::Chart(shown)) => charts.extend(convert::chart(&shown)),
            Some(Event::Ended(ended)) => {
                return Ok(Outcome {
                    output: output.output(is_split),
                    usage: convert::usage(&ended),
                    termination: convert::ended(ended)?,
                    charts,
                    isolation_level,
                });
            }
            Some(Event::Started(started)) => {
                isolation_level = convert::level(started.isolation_level());
            }
            None => {}
        }
    }
}
