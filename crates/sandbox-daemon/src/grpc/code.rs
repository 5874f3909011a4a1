//! Programs, each run in a fresh process.

use std::iter::Enumerate;
use std::vec;

use bytes::Bytes;
use sandbox_engine::{OutputMode, Recorded};
use sandbox_wire::pb;
use sandbox_wire::pb::code_service_server::CodeService;
use sandbox_wire::pb::run_code_response::Event;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::convert;
use super::output::Chunks;
use super::resources::with_usage;
use super::stream::{Events, Source, respond, respond_once};
use crate::chart;
use crate::service::output::Parts;
use crate::service::{Error, Found, State, code};

#[derive(Debug)]
pub(super) struct Code(pub(super) State);

#[tonic::async_trait]
impl CodeService for Code {
    type RunCodeStream = Events<pb::RunCodeResponse>;

    /// Runs a program to its end, and then sends the output from its record as fast as the client takes it.
    async fn run_code(
        &self,
        request: Request<pb::RunCodeRequest>,
    ) -> Result<Response<Self::RunCodeStream>, Status> {
        let context = Context::of(&request)?;
        let request = request.into_inner();
        let key = request.options.as_ref();
        let key = key.map_or_else(String::new, |options| options.idempotency_key.clone());
        let mode = request.output_mode();
        let request = code::Request {
            code: request.code,
            language: request.language,
            argv: request.argv,
            options: convert::run_options(request.options, mode)?,
        };
        // The description of a run is large.
        let run = Box::pin(code::run(&self.0, &key, request));
        match context.within(run).await?? {
            Ok(run) => Ok(respond(Replay::new(run, context).await?)),
            Err(error) => Ok(respond_once(ended(convert::not_started(&error), 0, 0))),
        }
    }
}

/// A run that has ended, as the events of a call that follows it.
struct Replay {
    /// The event that is sent first.
    started: Option<pb::ExecStarted>,
    output: Chunks<Parts>,
    artifacts: Enumerate<vec::IntoIter<Bytes>>,
    dropped_charts: u32,
    termination: pb::Termination,
    context: Context,
}

impl Replay {
    async fn new(run: Found<Recorded>, context: Context) -> Result<Self, Error> {
        let Found {
            result: run,
            resumed,
        } = run;
        let parts = Parts::of(&run.record).await.map_err(Error::internal)?;
        let is_combined = run.output == OutputMode::Merged;
        Ok(Self {
            started: Some(pb::ExecStarted {
                resumed,
                isolation_level: convert::level(run.level),
                ..pb::ExecStarted::default()
            }),
            output: Chunks::new(parts, is_combined),
            artifacts: run.artifacts.into_iter().enumerate(),
            dropped_charts: u32::try_from(run.artifacts_dropped).unwrap_or(u32::MAX),
            termination: with_usage(convert::termination(&run.termination), run.usage),
            context,
        })
    }
}

impl Source for Replay {
    type Event = Event;

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        if let Some(started) = self.started.take() {
            return Ok(Some(Event::Started(started)));
        }
        let chunk = self.context.unless_over(self.output.next()).await?;
        if let Some(chunk) = chunk {
            return Ok(Some(chunk.into()));
        }
        let end = self.output.position();
        Ok(Some(match self.artifacts.next() {
            Some((index, record)) => {
                let chart = chart::write(record).await.map_err(Error::internal)?;
                Event::Chart(pb::Chart {
                    r#type: chart.kind,
                    json: chart.json,
                    index: u32::try_from(index).unwrap_or(u32::MAX),
                    offset: end,
                })
            }
            None => ended(self.termination.clone(), end, self.dropped_charts),
        }))
    }
}

fn ended(termination: pb::Termination, end_offset: u64, dropped_charts: u32) -> Event {
    Event::Ended(pb::Ended {
        dropped_charts,
        ..convert::ended(termination, end_offset)
    })
}
