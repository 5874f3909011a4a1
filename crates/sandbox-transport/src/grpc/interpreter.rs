//! Runs in interpreters.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream;
use sandbox_logcodec::{Channel, TextDecoder};
use sandbox_wire::pb::code_ended::Outcome;
use sandbox_wire::pb::execute_code_response::Event;
use sandbox_wire::pb::{self};
use sandbox_wire::ws::InterpreterRequest;
use serde_json::Value;
use tonic::Streaming;

use super::call::{self, Call};
use super::output::Position;
use super::{GrpcTransport, code, convert, status};
use crate::source::{Source, event_stream};
use crate::{
    Delivery, Effect, Error, ErrorKind, EventStream, InterpreterEvent, InterpreterOutcome,
    InterpreterStream, LogEvent,
};

/// Runs code. What the daemon refuses is the stream's first item, as over a WebSocket.
pub(super) async fn execute(
    transport: &GrpcTransport,
    request: InterpreterRequest,
) -> Result<InterpreterStream, Error> {
    if request.context_id.as_deref() == Some("") {
        let message = "context not found: ";
        return Ok(refused(Error::new(
            ErrorKind::NotFound,
            Delivery::NotSent,
            message,
        )));
    }
    let request = pb::ExecuteCodeRequest {
        code: request.code,
        context_id: request.context_id.unwrap_or_default(),
        envs: convert::variables(request.envs),
        timeout: request
            .timeout
            .map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        shows_value: true,
    };
    let run = |wire| {
        let request = request.clone();
        async move { Ok(call::interpreter(wire).execute_code(request).await?) }
    };
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
    text: TextDecoder,
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
                    let events = self.position.chunk(chunk)?;
                    events
                        .into_iter()
                        .flatten()
                        .for_each(|event| self.write(event));
                }
                Some(Event::Gap(gap)) => {
                    if let Some(gap) = self.position.gap(gap)? {
                        self.write(gap);
                    }
                }
                Some(Event::Started(_)) | None => {}
                Some(other) => {
                    self.finish_text();
                    self.tell(other);
                }
            }
        }
    }
}

impl Events {
    pub(super) fn new(answers: Streaming<pb::ExecuteCodeResponse>) -> Self {
        Self {
            answers,
            position: Position::new(0),
            text: TextDecoder::new(),
            ready: VecDeque::new(),
            has_ended: false,
        }
    }

    fn write(&mut self, event: LogEvent) {
        let (channel, text) = match event {
            LogEvent::Output { channel, bytes, .. } => {
                (channel, self.text.decode(channel, &bytes).into_owned())
            }
            // The contract has no word for it; a WebSocket tells it so.
            LogEvent::Gap { length, .. } => {
                let text = format!("\n[{length} bytes of output are not kept]\n");
                (Channel::Stderr, text)
            }
        };
        if !text.is_empty() {
            let event = InterpreterEvent::Output { channel, text };
            self.ready.push_back(event);
        }
    }

    /// Gives what is left of characters that were not finished.
    fn finish_text(&mut self) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            let text = self.text.finish(channel).to_owned();
            if !text.is_empty() {
                let event = InterpreterEvent::Output { channel, text };
                self.ready.push_back(event);
            }
        }
    }

    /// What comes behind the output.
    fn tell(&mut self, event: Event) {
        match event {
            Event::Chart(chart) => {
                let chart = code::chart(&chart);
                self.ready
                    .extend(chart.map(|chart| InterpreterEvent::Chart { chart }));
            }
            Event::Display(shown) => self.ready.push_back(display(shown)),
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
                let outcome = outcome(ended);
                self.ready.push_back(InterpreterEvent::Ended { outcome });
            }
            Event::Started(_) | Event::Output(_) | Event::Gap(_) => {}
        }
    }
}

/// A value by media type: text as it is, JSON as such, everything else in base64; what was too large by its length.
fn display(shown: pb::Display) -> InterpreterEvent {
    let mut data = serde_json::Map::new();
    let mut omitted = BTreeMap::new();
    let mut text = String::new();
    for form in shown.forms {
        if let Some(length) = form.omitted_bytes {
            omitted.insert(form.media_type, length);
            continue;
        }
        let content = rendered(&form.media_type, &form.content);
        if let ("text/plain", Value::String(plain)) = (form.media_type.as_str(), &content) {
            text.clone_from(plain);
        }
        data.insert(form.media_type, content);
    }
    InterpreterEvent::Display {
        text,
        data,
        omitted,
    }
}

fn rendered(media_type: &str, content: &[u8]) -> Value {
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    if is_json && let Ok(value) = serde_json::from_slice(content) {
        return value;
    }
    let is_text = media_type.starts_with("text/")
        || is_json
        || ["application/javascript", "image/svg+xml"].contains(&media_type);
    match is_text {
        true => String::from_utf8_lossy(content).into(),
        false => BASE64_STANDARD.encode(content).into(),
    }
}

fn outcome(ended: pb::CodeEnded) -> InterpreterOutcome {
    match ended.outcome() {
        Outcome::Completed => InterpreterOutcome::Completed,
        Outcome::Interrupted => InterpreterOutcome::Interrupted,
        Outcome::TimedOut => InterpreterOutcome::TimedOut,
        // One that is not known is no success.
        Outcome::WorkerEnded | Outcome::ContextDeleted | Outcome::Unspecified => {
            InterpreterOutcome::WorkerEnded {
                reason: ended.reason,
            }
        }
    }
}
