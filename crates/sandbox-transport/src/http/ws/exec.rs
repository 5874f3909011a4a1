//! A command that is followed, given input and signaled while it runs.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sandbox_wire::ErrorCode;
use sandbox_wire::ws::subprotocol::EXEC_STREAM;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage, close_code};

use super::log::Frames;
use super::socket::{End, Frame, Incoming, Outgoing};
use crate::exchange::isolates;
use crate::http::call::unsupported;
use crate::http::resources;
use crate::http::{HttpTransport, convert};
use crate::source::{Source, event_stream};
use crate::{
    ApiFuture, Delivery, Effect, Error, ErrorKind, ExecConnection, ExecControl, ExecEvent,
    ExecStreamRequest, IsolationLevel, LogEvent, PtySize, Signal,
};

pub(crate) async fn start(
    transport: &HttpTransport,
    request: ExecStreamRequest,
) -> Result<ExecConnection, Error> {
    request.request.check_has_no_soft_limit()?;
    isolates(transport, request.request.isolation.as_ref()).await?;
    let path = "/process/execute/connect".to_owned();
    // Opening the socket changes nothing, so that it may be repeated: the command is sent after
    // that.
    let opened = transport.open(path, Effect::None, &[EXEC_STREAM]).await;
    let opened = opened.map_err(unsupported)?;
    if !opened.speaks(EXEC_STREAM) {
        let message = "the daemon does not stream commands";
        return Err(Error::new(
            ErrorKind::Unsupported,
            Delivery::NotSent,
            message,
        ));
    }
    let mut incoming = opened.socket.incoming;
    let control = Control(opened.socket.outgoing);
    let tty = request.request.tty.map(convert::pty_size);
    let start = message(&ExecClientMessage::Start {
        request: convert::exec(request.request),
        input: request.input,
        kill_on_drop: request.kill_on_drop,
        tty,
        input_window: true,
    })?;
    control.0.text(start).await?;
    let Started {
        pid,
        input_window,
        isolation_level,
    } = transport.within(started(&mut incoming)).await?;
    match input_window {
        // Before the caller has the control, so that no input is sent without the limit.
        Some(bytes) => control.0.limit(bytes, taken),
        // The daemon is too old to support terminals.
        None if tty.is_some() => {
            let message = "the daemon runs commands on pipes only";
            let kind = ErrorKind::Unsupported;
            return Err(Error::new(kind, Delivery::Uncertain, message));
        }
        None => {}
    }
    Ok(ExecConnection {
        events: event_stream(Events::new(incoming)),
        control: Arc::new(control),
        pid,
        isolation_level,
    })
}

/// The daemon's first message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) pid: Option<u32>,
    /// How much input may be unacknowledged, if the daemon reports that.
    pub(crate) input_window: Option<u64>,
    pub(crate) isolation_level: Option<IsolationLevel>,
}

/// Waits until the command runs.
pub(crate) async fn started(incoming: &mut Incoming) -> Result<Started, Error> {
    match incoming.next().await {
        Ok(Frame::Text(text)) => match read(&text)? {
            ExecServerMessage::Started {
                pid,
                input_window,
                isolation_level,
            } => Ok(Started {
                pid,
                input_window,
                isolation_level: isolation_level.and_then(convert::level),
            }),
            ExecServerMessage::Error { code, message } => Err(refusal(code, message)),
            ExecServerMessage::Ended { .. } | ExecServerMessage::InputTaken { .. } => {
                Err(bad("the command ended or took input before it began"))
            }
        },
        Ok(Frame::Binary(_)) => Err(bad("there is output of a command that did not begin")),
        Err(End::Closed {
            code: Some(close_code::MESSAGE_TOO_BIG),
            ..
        }) => {
            // Closed before the daemon has read the command, so that nothing was started.
            let message = "the command is longer than the daemon takes for a stream";
            Err(Error::new(ErrorKind::TooLarge, Delivery::Rejected, message))
        }
        Err(end) => Err(end.into_error()),
    }
}

/// Returns the error of a command that was not started, as over HTTP.
fn refusal(code: String, message: String) -> Error {
    // A newer daemon may have codes that this client does not know; each is a refusal.
    let status = ErrorCode::from_name(&code).map_or(400, ErrorCode::http_status);
    Error::answered(status, Some(code), &message)
}

pub(crate) struct Events {
    incoming: Incoming,
    frames: Frames,
    offset: u64,
    ready: VecDeque<LogEvent>,
    has_ended: bool,
}

impl Events {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            frames: Frames::new(),
            offset: 0,
            ready: VecDeque::new(),
            has_ended: false,
        }
    }
}

impl Source<ExecEvent> for Events {
    async fn next(&mut self) -> Result<Option<ExecEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event.into()));
            }
            // The daemon closes after its last message; that close is no event, and a loss after it
            // no error.
            if self.has_ended {
                return Ok(None);
            }
            match self.incoming.next().await {
                Ok(Frame::Binary(bytes)) => {
                    let (offset, ready) = (&mut self.offset, &mut self.ready);
                    self.frames.push(&bytes, offset, ready)?;
                }
                Ok(Frame::Text(text)) => match read(&text)? {
                    // The socket has handled this already, if it matters.
                    ExecServerMessage::Started { .. } | ExecServerMessage::InputTaken { .. } => {}
                    // Not the end: the command runs on after a signal or a size that was refused.
                    ExecServerMessage::Error { code, message } => {
                        return Ok(Some(ExecEvent::Refused { code, message }));
                    }
                    ExecServerMessage::Ended {
                        exit_code,
                        termination,
                    } => {
                        // Output that ends within a frame was damaged, whatever the daemon reports
                        // about the command.
                        self.frames.finish()?;
                        self.has_ended = true;
                        let usage = resources::usage(&termination);
                        let termination = convert::termination(Some(termination), exit_code);
                        return Ok(Some(ExecEvent::Ended { termination, usage }));
                    }
                },
                Err(end) => return Err(end.into_error()),
            }
        }
    }
}

#[derive(Debug)]
struct Control(Outgoing);

impl ExecControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        Box::pin(self.0.binary(bytes))
    }

    fn close_input(&self) -> ApiFuture<'_, ()> {
        // In order, unlike a signal: the end must not overtake the input before it.
        Box::pin(async move { self.0.text(message(&ExecClientMessage::Eof)?).await })
    }

    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()> {
        let signal = convert::signal(signal);
        Box::pin(async move {
            // Ahead of the input that waits, which the program may never read.
            let signal = message(&ExecClientMessage::Signal { signal })?;
            self.0.urgent(signal).await
        })
    }

    fn resize(&self, size: PtySize) -> ApiFuture<'_, ()> {
        let size = convert::pty_size(size);
        Box::pin(async move {
            let resize = message(&ExecClientMessage::Resize { size })?;
            self.0.urgent(resize).await
        })
    }
}

fn message(message: &ExecClientMessage) -> Result<String, Error> {
    serde_json::to_string(message).map_err(|error| {
        let message = "the request cannot be written as JSON";
        Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
    })
}

/// Returns how much input was taken, if a message reports that.
fn taken(text: &str) -> Option<u64> {
    match serde_json::from_str(text) {
        Ok(ExecServerMessage::InputTaken { bytes }) => Some(bytes),
        _ => None,
    }
}

fn read(text: &str) -> Result<ExecServerMessage, Error> {
    serde_json::from_str(text)
        .map_err(|error| bad("the daemon's message cannot be read").with_source(error))
}

fn bad(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}
