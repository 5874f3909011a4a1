//! Runs in interpreters.

use std::collections::VecDeque;

use futures_util::stream;
use sandbox_logcodec::Channel;
use sandbox_wire::pb;
use sandbox_wire::pb::code_ended::Outcome;
use sandbox_wire::pb::execute_code_response::Event;
use tonic::Streaming;

use super::call::{self, Call};
use super::output::Position;
use super::{GrpcTransport, convert, resources, status};
use crate::source::{Source, event_stream};
use crate::{
    Delivery, Effect, Error, ErrorKind, EventStream, InterpretRequest, InterpreterEvent,
    InterpreterOutcome, InterpreterStream, LogEvent,
};

/// Runs code. The daemon's refusal is the stream's first item, as over a WebSocket.
pub(super) async fn execute(
    transport: &GrpcTransport,
    request: InterpretRequest,
) -> Result<InterpreterStream, Error> {
    // In the message, an empty text means the default context; over a WebSocket it is an unknown
    // one.
    if request.context_id.as_deref() == Some("") {
        let message = "context not found: ";
        return Ok(refused(Error::new(
            ErrorKind::NotFound,
            Delivery::NotSent,
            message,
        )));
    }
    let request = convert::interpret(request);
    let run = |wire| {
        let request = request.clone();
        async move { Ok(call::interpreter(wire).execute_code(request).await?) }
    };
    // Without a key: the request has no field for one, and code that ran twice could change its
    // context twice.
    let answers = match transport.call(Call::new(Effect::Once), run).await {
        Ok(answers) => answers.into_inner(),
        Err(error) if matches!(error.status(), Some(400 | 404)) => return Ok(refused(error)),
        Err(error) => return Err(error),
    };
    Ok(event_stream(Events::new(answers)))
}

fn refused(error: Error) -> InterpreterStream {
    EventStream::new(stream::iter([Err(error)]))
}

pub(super) struct Events {
    answers: Streaming<pb::ExecuteCodeResponse>,
    position: Position,
    ready: VecDeque<InterpreterEvent>,
    has_ended: bool,
}

impl Source<InterpreterEvent> for Events {
    async fn next(&mut self) -> Result<Option<InterpreterEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.has_ended {
                return Ok(None);
            }
            let answer = self.answers.message().await.map_err(status::error)?;
            match answer.ok_or_else(status::cut)?.event {
                Some(Event::Output(chunk)) => {
                    let events = self.position.chunk(chunk)?.into_iter().flatten();
                    self.ready.extend(events.map(written));
                }
                Some(Event::Gap(gap)) => {
                    self.ready.extend(self.position.gap(gap)?.map(written));
                }
                Some(Event::Started(_)) | None => {}
                Some(other) => self.tell(other),
            }
        }
    }
}

impl Events {
    pub(super) fn new(answers: Streaming<pb::ExecuteCodeResponse>) -> Self {
        Self {
            answers,
            position: Position::new(0),
            ready: VecDeque::new(),
            has_ended: false,
        }
    }

    /// Adds an event that comes after the output.
    fn tell(&mut self, event: Event) {
        match event {
            Event::Chart(chart) => {
                let chart = convert::chart(&chart);
                self.ready
                    .extend(chart.map(|chart| InterpreterEvent::Chart { chart }));
            }
            Event::Display(shown) => {
                let shown = convert::display(shown);
                self.ready.push_back(InterpreterEvent::Display(shown));
            }
            Event::Error(pb::CodeError {
                name,
                value,
                traceback,
            }) => self.ready.push_back(InterpreterEvent::Error {
                name,
                value,
                traceback,
            }),
            Event::Ended(ended) => {
                self.has_ended = true;
                let usage = ended.termination.as_ref().and_then(resources::usage);
                let termination = ended.termination.clone().map(convert::termination);
                self.ready.push_back(InterpreterEvent::Ended {
                    outcome: outcome(ended),
                    termination,
                    usage,
                });
            }
            Event::Started(_) | Event::Output(_) | Event::Gap(_) => {}
        }
    }
}

fn written(event: LogEvent) -> InterpreterEvent {
    match event {
        LogEvent::Output { channel, bytes, .. } => InterpreterEvent::Output { channel, bytes },
        // The contract has no event for this; a WebSocket sends the same text.
        LogEvent::Gap { length, .. } => InterpreterEvent::Output {
            channel: Channel::Stderr,
            bytes: format!("\n[{length} bytes of output were discarded]\n").into(),
        },
    }
}

fn outcome(ended: pb::CodeEnded) -> InterpreterOutcome {
    match ended.outcome() {
        Outcome::Completed => InterpreterOutcome::Completed,
        Outcome::Interrupted => InterpreterOutcome::Interrupted,
        Outcome::TimedOut => InterpreterOutcome::TimedOut,
        // An unknown outcome is not a success.
        Outcome::WorkerEnded | Outcome::ContextDeleted | Outcome::Unspecified => {
            InterpreterOutcome::WorkerEnded {
                reason: ended.reason,
            }
        }
    }
}
