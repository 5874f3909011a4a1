//! A command that is followed, fed and signaled while it runs.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sandbox_wire::ErrorCode;
use sandbox_wire::ws::subprotocol::EXEC_STREAM;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage, close_code};

use super::log::Frames;
use super::socket::{End, Frame, Incoming, Outgoing};
use crate::http::call::unsupported;
use crate::http::{HttpTransport, convert};
use crate::source::{Source, event_stream};
use crate::{
    ApiFuture, Delivery, Effect, Error, ErrorKind, ExecConnection, ExecControl, ExecEvent,
    ExecStreamRequest, LogEvent, Signal,
};

pub(crate) async fn start(
    transport: &HttpTransport,
    request: ExecStreamRequest,
) -> Result<ExecConnection, Error> {
    let path = "/process/execute/connect".to_owned();
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
    control
        .tell(&ExecClientMessage::Start {
            request: convert::exec(request.request),
            input: request.input,
            kill_on_drop: request.kill_on_drop,
        })
        .await?;
    let pid = transport.within(started(&mut incoming)).await?;
    Ok(ExecConnection {
        events: event_stream(Events::new(incoming)),
        control: Arc::new(control),
        pid,
    })
}

/// Waits until the command runs, and returns its process id.
pub(crate) async fn started(incoming: &mut Incoming) -> Result<Option<u32>, Error> {
    match incoming.next().await {
        Ok(Frame::Text(text)) => match read(&text)? {
            ExecServerMessage::Started { pid } => Ok(pid),
            ExecServerMessage::Error { code, message } => Err(refusal(code, message)),
            ExecServerMessage::Ended { .. } => Err(bad("the command ended before it began")),
        },
        Ok(Frame::Binary(_)) => Err(bad("there is output of a command that did not begin")),
        Err(End::Closed {
            code: Some(close_code::MESSAGE_TOO_BIG),
            ..
        }) => {
            let message = "the command is longer than the daemon takes for a stream";
            Err(Error::new(ErrorKind::TooLarge, Delivery::Rejected, message))
        }
        Err(end) => Err(end.into_error()),
    }
}

/// Why a command did not begin, as if it had been answered by HTTP.
fn refusal(code: String, message: String) -> Error {
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
            if self.has_ended {
                return Ok(None);
            }
            match self.incoming.next().await {
                Ok(Frame::Binary(bytes)) => {
                    let (offset, ready) = (&mut self.offset, &mut self.ready);
                    self.frames.push(&bytes, offset, ready)?;
                }
                Ok(Frame::Text(text)) => match read(&text)? {
                    ExecServerMessage::Started { .. } => {}
                    ExecServerMessage::Error { code, message } => {
                        return Ok(Some(ExecEvent::Refused { code, message }));
                    }
                    ExecServerMessage::Ended {
                        exit_code,
                        termination,
                    } => {
                        self.frames.finish()?;
                        self.has_ended = true;
                        let termination = convert::termination(Some(termination), exit_code);
                        return Ok(Some(ExecEvent::Ended { termination }));
                    }
                },
                Err(end) => return Err(end.into_error()),
            }
        }
    }
}

#[derive(Debug)]
struct Control(Outgoing);

impl Control {
    async fn tell(&self, message: &ExecClientMessage) -> Result<(), Error> {
        let message = serde_json::to_string(message).map_err(|error| {
            let message = "the request cannot be written as JSON";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        })?;
        self.0.text(message).await
    }
}

impl ExecControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        Box::pin(self.0.binary(bytes))
    }

    fn close_input(&self) -> ApiFuture<'_, ()> {
        Box::pin(self.tell(&ExecClientMessage::Eof))
    }

    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()> {
        let signal = convert::signal(signal);
        Box::pin(async move { self.tell(&ExecClientMessage::Signal { signal }).await })
    }
}

fn read(text: &str) -> Result<ExecServerMessage, Error> {
    serde_json::from_str(text)
        .map_err(|error| bad("the daemon's message cannot be read").with_source(error))
}

fn bad(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}
