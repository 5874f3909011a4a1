//! Runs in interpreters.

use sandbox_logcodec::Channel;
use sandbox_wire::rest::Termination;
use sandbox_wire::ws::subprotocol::INTERPRETER_RICH;
use sandbox_wire::ws::{
    CONTROL_COMPLETED, CONTROL_INTERRUPTED, InterpreterMessage, InterpreterMessageKind, close_code,
};
use serde_json::Value;

use super::socket::{End, Frame, Incoming};
use crate::http::{HttpTransport, convert, resources};
use crate::source::{Source, event_stream};
use crate::{
    Delivery, Effect, Error, ErrorKind, InterpretRequest, InterpreterEvent, InterpreterOutcome,
    InterpreterStream,
};

pub(crate) async fn execute(
    transport: &HttpTransport,
    request: InterpretRequest,
) -> Result<InterpreterStream, Error> {
    let request = serde_json::to_string(&convert::interpret(request)).map_err(|error| {
        let message = "the request cannot be written as JSON";
        Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
    })?;
    let path = "/process/interpreter/execute".to_owned();
    let socket = transport
        // Nothing runs before the request is sent, so that opening may be repeated.
        .open(path, Effect::None, &[INTERPRETER_RICH])
        .await?
        .socket;
    socket.outgoing.text(request).await?;
    Ok(event_stream(Events::new(socket.incoming)))
}

pub(crate) struct Events {
    incoming: Incoming,
    progress: Progress,
    /// How the code ended, if the daemon has reported that.
    ended: Option<Termination>,
}

/// What the daemon has reported so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    Began,
    Completed,
    Interrupted,
    /// The last event was returned.
    Told,
}

impl Source<InterpreterEvent> for Events {
    async fn next(&mut self) -> Result<Option<InterpreterEvent>, Error> {
        if self.progress == Progress::Told {
            return Ok(None);
        }
        loop {
            let message = match self.incoming.next().await {
                Ok(Frame::Text(text)) => serde_json::from_str(&text),
                Ok(Frame::Binary(bytes)) => serde_json::from_slice(&bytes),
                Err(end) => {
                    let outcome = outcome(end, self.progress)?;
                    self.progress = Progress::Told;
                    let ended = self.ended.take();
                    return Ok(Some(InterpreterEvent::Ended {
                        outcome,
                        usage: ended.as_ref().and_then(resources::usage),
                        termination: ended.map(|ended| {
                            let code = ended.exit_code;
                            convert::termination(Some(ended), code)
                        }),
                    }));
                }
            };
            let message = message.map_err(|error| {
                let message = "the daemon's message cannot be read";
                Error::new(ErrorKind::Protocol, Delivery::Uncertain, message).with_source(error)
            })?;
            if let Some(event) = self.take(message) {
                return Ok(Some(event));
            }
        }
    }
}

impl Events {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            progress: Progress::Nothing,
            ended: None,
        }
    }

    fn take(&mut self, message: InterpreterMessage) -> Option<InterpreterEvent> {
        if self.progress == Progress::Nothing {
            self.progress = Progress::Began;
        }
        let output = |channel, text: String| {
            (!text.is_empty()).then(|| InterpreterEvent::Output {
                channel,
                bytes: text.into(),
            })
        };
        match message.kind {
            InterpreterMessageKind::Stdout => output(Channel::Stdout, message.text),
            InterpreterMessageKind::Stderr => output(Channel::Stderr, message.text),
            InterpreterMessageKind::Error => Some(InterpreterEvent::Error {
                name: message.name,
                value: message.value,
                traceback: message.traceback,
            }),
            InterpreterMessageKind::Control => {
                self.ended = message.termination;
                match message.text.as_str() {
                    CONTROL_COMPLETED => self.progress = Progress::Completed,
                    CONTROL_INTERRUPTED => self.progress = Progress::Interrupted,
                    _ => {}
                }
                None
            }
            InterpreterMessageKind::Chart => {
                message.data.map(|chart| InterpreterEvent::Chart { chart })
            }
            InterpreterMessageKind::Display => match message.data {
                Some(Value::Object(data)) => {
                    let shown = convert::display(message.text, data, message.omitted);
                    Some(InterpreterEvent::Display(shown))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Returns the outcome of a run from the end of its connection.
fn outcome(end: End, progress: Progress) -> Result<InterpreterOutcome, Error> {
    let End::Closed { code, reason } = end else {
        return Err(end.into_error());
    };
    let said = match reason.as_str() {
        "" => {
            let reason = String::new();
            End::Closed { code, reason }.into_error().to_string()
        }
        reason => reason.to_owned(),
    };
    let refused = |kind| Err(Error::new(kind, Delivery::Rejected, said.as_str()));
    match (code, progress) {
        (Some(close_code::TIMED_OUT), _) => Ok(InterpreterOutcome::TimedOut),
        (Some(close_code::NORMAL), Progress::Completed) => Ok(InterpreterOutcome::Completed),
        (Some(close_code::NORMAL), Progress::Interrupted) => Ok(InterpreterOutcome::Interrupted),
        // Stock daemons close this way on a run that never began because its context was deleted.
        (Some(close_code::NORMAL), _) => {
            let message = "the daemon closed the connection without saying that the run is over";
            Err(Error::new(ErrorKind::Closed, Delivery::Uncertain, message))
        }
        // A daemon that shuts down closes with this code, too, but without a reason.
        (Some(close_code::GOING_AWAY), _) if !reason.is_empty() => {
            Ok(InterpreterOutcome::WorkerEnded { reason })
        }
        (Some(close_code::INTERNAL_ERROR), _) if reason == WORKER_ENDED => {
            Ok(InterpreterOutcome::WorkerEnded { reason })
        }
        // Before the first message, both codes refuse the request. After it, they end code that has
        // begun to run.
        (Some(close_code::PROTOCOL_ERROR), Progress::Nothing) => refused(ErrorKind::InvalidInput),
        (Some(close_code::POLICY_VIOLATION), Progress::Nothing) if reason != SLOW_CONSUMER => {
            // All refusals have the same code: an unknown context is recognized by the words alone.
            if reason.starts_with("context not found") {
                refused(ErrorKind::NotFound)
            } else {
                refused(ErrorKind::InvalidInput)
            }
        }
        (Some(close_code::INTERNAL_ERROR), _) => {
            Err(Error::new(ErrorKind::Server, Delivery::Uncertain, said))
        }
        (code, _) => Err(End::Closed { code, reason }.into_error()),
    }
}

/// The reason of a close after a run lost its worker: with 1001 from a stock daemon, with 1011 from this project's,
/// which official clients do not take for success.
const WORKER_ENDED: &str = "worker process ended";

/// The reason of a close after a client read its messages too slowly.
const SLOW_CONSUMER: &str = "slow consumer";
