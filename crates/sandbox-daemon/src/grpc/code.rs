//! Programs, each in a fresh process.

use std::pin::Pin;

use futures_util::{Stream, stream};
use sandbox_charts::Chart;
use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{Captured, Engine, Outcome, RunError};
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use sandbox_wire::pb::code_service_server::CodeService;
use sandbox_wire::pb::run_code_response::Event;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::convert;
use crate::api::ApiError;
use crate::api::error::chain;
use crate::limits::GRPC_CHUNK_BYTES;

#[derive(Debug)]
pub(super) struct Code {
    engine: Engine,
}

impl Code {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Runs a program to its end; the end of one that was not started.
    async fn run(
        &self,
        request: pb::RunCodeRequest,
    ) -> Result<Result<Outcome, pb::Termination>, ApiError> {
        for (field, value) in [("code", &request.code), ("language", &request.language)] {
            if value.is_empty() {
                let message = format!("invalid request body: {field} is required");
                return Err(ApiError::new(ErrorCode::InvalidRequestBody, message));
            }
        }
        let language = Language::from_name(&request.language)
            .ok_or_else(|| convert::bad(&format!("unsupported language: {}", request.language)))?;
        let mode = request.output_mode();
        let options = convert::run_options(request.options, mode)?;
        let program = Program {
            language,
            code: request.code,
            argv: request.argv,
        };
        match self.engine.run_code(program, options).await {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(error @ CodeError::Variable(_)) => Err(convert::bad(&chain(&error))),
            Err(
                CodeError::Runtime(RuntimeError::Run(RunError::Spawn(error)))
                | CodeError::Run(RunError::Spawn(error)),
            ) => convert::not_started(&error).map(Err),
            Err(CodeError::Runtime(
                error @ (RuntimeError::Missing { .. } | RuntimeError::Broken { .. }),
            )) => Err(ApiError::new(ErrorCode::UnprocessableEntity, chain(&error))),
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

#[tonic::async_trait]
impl CodeService for Code {
    type RunCodeStream = Pin<Box<dyn Stream<Item = Result<pb::RunCodeResponse, Status>> + Send>>;

    /// What the program writes comes when it has ended.
    async fn run_code(
        &self,
        request: Request<pb::RunCodeRequest>,
    ) -> Result<Response<Self::RunCodeStream>, Status> {
        let context = Context::of(&request)?;
        let request = request.into_inner();
        let options = request.options.as_ref();
        if options.is_some_and(|options| !options.idempotency_key.is_empty()) {
            return Err(Status::unimplemented(
                "runs of code have no idempotency keys here",
            ));
        }
        let outcome = context.within(self.run(request)).await??;
        let events = match outcome {
            Ok(outcome) => events(outcome),
            Err(termination) => vec![ended(termination, 0, 0)],
        };
        let events = events
            .into_iter()
            .map(|event| Ok(pb::RunCodeResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(stream::iter(events))))
    }
}

/// A run that is over, as if it had been followed.
fn events(outcome: Outcome) -> Vec<Event> {
    let mut events = vec![Event::Started(pb::ExecStarted::default())];
    let mut offset = 0;
    match outcome.output.split {
        Some([stdout, stderr]) => {
            output(stdout, pb::Channel::Stdout, &mut offset, &mut events);
            output(stderr, pb::Channel::Stderr, &mut offset, &mut events);
        }
        None => output(
            outcome.output.merged,
            pb::Channel::Combined,
            &mut offset,
            &mut events,
        ),
    }
    for (index, record) in (0..).zip(&outcome.artifacts) {
        let json = Chart::from_slice(record).to_json();
        let kind = json.get("type").and_then(|kind| kind.as_str());
        events.push(Event::Chart(pb::Chart {
            r#type: kind.unwrap_or("unknown").to_owned(),
            json: json.to_string().into(),
            index,
            offset,
        }));
    }
    let dropped = u32::try_from(outcome.artifacts_dropped).unwrap_or(u32::MAX);
    events.push(ended(
        convert::termination(&outcome.termination),
        offset,
        dropped,
    ));
    events
}

fn output(captured: Captured, channel: pb::Channel, offset: &mut u64, events: &mut Vec<Event>) {
    let length = captured.dropped;
    for (bytes, follows_gap) in [(captured.head, false), (captured.tail, length > 0)] {
        if follows_gap {
            let offset_of_gap = *offset;
            *offset += length;
            events.push(Event::Gap(pb::Gap {
                offset: offset_of_gap,
                length,
            }));
        }
        for data in bytes.chunks(GRPC_CHUNK_BYTES) {
            let data = bytes.slice_ref(data);
            let begin = *offset;
            *offset += data.len() as u64;
            events.push(Event::Output(pb::OutputChunk {
                channel: channel.into(),
                offset: begin,
                data,
            }));
        }
    }
}

fn ended(termination: pb::Termination, end_offset: u64, dropped_charts: u32) -> Event {
    Event::Ended(pb::Ended {
        termination: Some(termination),
        end_offset,
        dropped_charts,
        ..pb::Ended::default()
    })
}
