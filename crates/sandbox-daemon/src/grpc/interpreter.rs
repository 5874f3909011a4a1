//! Stateful interpreter contexts.

use std::collections::VecDeque;

use bytes::Bytes;
use sandbox_engine::interpreter::{
    Context as Worker, ContextOptions, Ending, ExecuteOptions, Execution, Form,
};
use sandbox_engine::record::Cursor;
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use sandbox_wire::pb::code_ended::Outcome;
use sandbox_wire::pb::execute_code_response::Event;
use sandbox_wire::pb::interpreter_service_server::InterpreterService;
use sandbox_wire::rest::DEFAULT_CONTEXT;
use serde::Deserialize;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::convert;
use super::output::Chunks;
use super::resources::{self, with_usage};
use super::stream::{Events, Source, respond};
use crate::chart;
use crate::limits::INTERPRETER_TIME;
use crate::service::{Error, State, interpreter};

#[derive(Debug)]
pub(super) struct Interpreter(pub(super) State);

impl Interpreter {
    fn execute(&self, request: pb::ExecuteCodeRequest) -> Result<(Execution, Cursor), Error> {
        let timeout = match request.timeout {
            // As over the WebSocket. Code without any limit has to be asked for, by a limit of zero.
            None => Some(INTERPRETER_TIME),
            limit => convert::time_limit(limit)?,
        };
        let options = ExecuteOptions {
            env: request.envs.into_iter().collect(),
            timeout,
            shows_value: request.shows_value,
        };
        let id = or_default(&request.context_id);
        interpreter::execute(&self.0.engine, id, &request.code, options)
    }
}

#[tonic::async_trait]
impl InterpreterService for Interpreter {
    type ExecuteCodeStream = Events<pb::ExecuteCodeResponse>;

    async fn create_context(
        &self,
        request: Request<pb::CreateContextRequest>,
    ) -> Result<Response<pb::CreateContextResponse>, Status> {
        let request = request.into_inner();
        let language = Some(&*request.language).filter(|language| !language.is_empty());
        let options = ContextOptions {
            cwd: convert::directory(request.cwd),
            limits: resources::limits(request.limits),
            isolation: convert::isolation(request.isolation)?,
        };
        let key = &request.idempotency_key;
        let created = interpreter::create(&self.0, key, language, options).await?;
        let context = Some(describe(&created));
        Ok(Response::new(pb::CreateContextResponse { context }))
    }

    async fn list_contexts(
        &self,
        _: Request<pb::ListContextsRequest>,
    ) -> Result<Response<pb::ListContextsResponse>, Status> {
        let contexts = self
            .0
            .engine
            .contexts()
            .list()
            .iter()
            .map(describe)
            .collect();
        Ok(Response::new(pb::ListContextsResponse { contexts }))
    }

    async fn delete_context(
        &self,
        request: Request<pb::DeleteContextRequest>,
    ) -> Result<Response<pb::DeleteContextResponse>, Status> {
        interpreter::delete(&self.0.engine, &request.get_ref().context_id).await?;
        Ok(Response::new(pb::DeleteContextResponse {}))
    }

    async fn execute_code(
        &self,
        request: Request<pb::ExecuteCodeRequest>,
    ) -> Result<Response<Self::ExecuteCodeStream>, Status> {
        let context = Context::of(&request)?;
        let (execution, cursor) = self.execute(request.into_inner())?;
        Ok(respond(Running {
            chunks: Chunks::new(cursor, false),
            execution,
            last: None,
            context,
        }))
    }

    async fn interrupt(
        &self,
        request: Request<pb::InterruptRequest>,
    ) -> Result<Response<pb::InterruptResponse>, Status> {
        let id = or_default(&request.get_ref().context_id);
        interpreter::find(&self.0.engine, id)?.interrupt().await;
        Ok(Response::new(pb::InterruptResponse {}))
    }

    async fn restart_context(
        &self,
        request: Request<pb::RestartContextRequest>,
    ) -> Result<Response<pb::RestartContextResponse>, Status> {
        let id = or_default(&request.get_ref().context_id);
        interpreter::restart(&self.0.engine, id).await?;
        Ok(Response::new(pb::RestartContextResponse {}))
    }
}

/// A call that follows an execution.
struct Running {
    execution: Execution,
    chunks: Chunks,
    /// The events after the output; `None` before the end of it.
    last: Option<VecDeque<Event>>,
    context: Context,
}

impl Source for Running {
    type Event = Event;

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        loop {
            if let Some(event) = self.last.as_mut().and_then(VecDeque::pop_front) {
                return Ok(Some(event));
            }
            let chunk = self.context.unless_over(self.chunks.next()).await?;
            match chunk {
                Some(chunk) => return Ok(Some(chunk.into())),
                None => self.last = Some(self.end().await?),
            }
        }
    }
}

impl Running {
    /// Returns the events after the output.
    async fn end(&self) -> Result<VecDeque<Event>, Error> {
        let ended = self.execution.ended().await;
        let reason = interpreter::reason(&ended.ending).into_owned();
        let end_offset = self.chunks.position();
        let mut events = VecDeque::new();
        let charts = ended.charts.clone();
        let kinds = move || charts.iter().map(kind).collect::<Vec<_>>();
        let bytes = ended.charts.iter().map(Bytes::len).sum();
        let kinds = chart::apart(bytes, kinds).await.map_err(Error::internal)?;
        for ((index, json), kind) in (0..).zip(&ended.charts).zip(kinds) {
            // A chart that is not JSON was forged by the program.
            if let Some(r#type) = kind {
                events.push_back(Event::Chart(pb::Chart {
                    r#type,
                    json: json.clone(),
                    index,
                    offset: end_offset,
                }));
            }
        }
        if !ended.value.is_empty() {
            let forms = ended.value.iter().map(form).collect();
            events.push_back(Event::Display(pb::Display { forms }));
        }
        events.extend(interpreter::failure(&ended).map(|failure| {
            Event::Error(pb::CodeError {
                name: failure.name,
                value: failure.value,
                traceback: failure.traceback,
            })
        }));
        let (outcome, worker) = match &ended.ending {
            Ending::Completed => (Outcome::Completed, None),
            Ending::Interrupted => (Outcome::Interrupted, None),
            Ending::TimedOut { .. } => (Outcome::TimedOut, None),
            Ending::WorkerEnded { termination } => (
                Outcome::WorkerEnded,
                Some(convert::termination(termination)),
            ),
            Ending::Restarted => (Outcome::WorkerEnded, None),
            Ending::NotStarted { .. } => {
                return Err(Error::new(ErrorCode::InternalServerError, reason));
            }
            _ => (Outcome::ContextDeleted, None),
        };
        events.push_back(Event::Ended(pb::CodeEnded {
            outcome: outcome.into(),
            worker,
            end_offset,
            dropped_charts: u32::try_from(ended.charts_dropped).unwrap_or(u32::MAX),
            reason,
            termination: Some(with_usage(
                convert::termination(&ended.termination()),
                ended.usage,
            )),
        }));
        Ok(events)
    }
}

/// Returns the type of a chart, which is `unknown` if it names none; `None` if it is not JSON. Stores nothing else of it.
fn kind(chart: &Bytes) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: Option<String>,
    }
    let typed: Typed = serde_json::from_slice(chart).ok()?;
    Some(typed.r#type.unwrap_or_else(|| "unknown".to_owned()))
}

fn form(form: &Form) -> pb::display::Form {
    let (content, omitted_bytes) = match &form.content {
        Ok(content) => (content.clone(), None),
        Err(length) => (Bytes::new(), Some(*length)),
    };
    pb::display::Form {
        media_type: form.media_type.clone(),
        content,
        omitted_bytes,
    }
}

fn or_default(id: &str) -> &str {
    match id {
        "" => DEFAULT_CONTEXT,
        id => id,
    }
}

fn describe(context: &Worker) -> pb::InterpreterContext {
    pb::InterpreterContext {
        context_id: context.id().to_owned(),
        cwd: context.cwd().to_string_lossy().into_owned(),
        language: context.language().name().to_owned(),
        created_at: convert::timestamp(context.created_at()),
        active: true,
        isolation_level: convert::level(context.level()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_the_type_that_it_names() {
        let kind = |text: &str| kind(&Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(kind("{\"a\":[{}],\"type\":\"pie\"}"), Some("pie".into()));
        assert_eq!(kind("{\"title\":\"pie\"}"), Some("unknown".into()));
        for forged in ["", "pie", "7", "{\"type\":\"pie\"", "{\"type\":7}"] {
            assert_eq!(kind(forged), None, "{forged}");
        }
    }
}
