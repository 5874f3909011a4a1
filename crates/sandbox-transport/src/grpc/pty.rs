//! Terminals.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_wire::pb;
use sandbox_wire::pb::connect_pty_request::Message;
use sandbox_wire::pb::connect_pty_response::Event;
use sandbox_wire::ws::PtyCloseReason;

use super::call::{self, Call};
use super::duplex::{Incoming, Outgoing, begin, begun};
use super::output::Position;
use super::{GrpcTransport, convert, status};
use crate::exchange::isolates;
use crate::source::{Source, event_stream};
use crate::{
    ApiFuture, Effect, Error, LogEvent, PtyAttachRequest, PtyConnection, PtyControl, PtyEvent,
    PtyRequest,
};

type Screen = Incoming<pb::ConnectPtyRequest, pb::ConnectPtyResponse>;
type Keyboard = Outgoing<pb::ConnectPtyRequest>;

/// Creates a terminal without connecting to it.
pub(super) async fn make(transport: &GrpcTransport, request: PtyRequest) -> Result<String, Error> {
    isolates(transport, request.isolation.as_ref()).await?;
    let lazy_start = request.lazy_start;
    let create = convert::pty_create(request, lazy_start, transport.key());
    let id = create.pty_id.clone();
    // Dropped at once, which ends the call and not the terminal.
    connect(transport, Message::Create(create), Call::keyed()).await?;
    Ok(id)
}

/// Creates a terminal and stays connected to it.
pub(super) async fn open(
    transport: &GrpcTransport,
    request: PtyRequest,
) -> Result<PtyConnection, Error> {
    isolates(transport, request.isolation.as_ref()).await?;
    // Not lazily: this call is the client for which the start would wait.
    let create = convert::pty_create(request, false, transport.key());
    let id = create.pty_id.clone();
    let (opened, screen, keyboard) =
        connect(transport, Message::Create(create), Call::keyed()).await?;
    Ok(connection(id, opened, screen, Some(keyboard)))
}

/// Connects to an existing terminal.
pub(super) async fn attach(
    transport: &GrpcTransport,
    request: PtyAttachRequest,
) -> Result<PtyConnection, Error> {
    let attach = pb::PtyAttach {
        pty_id: request.id.clone(),
        offset: request.offset,
        read_only: request.read_only,
    };
    let (opened, screen, keyboard) =
        connect(transport, Message::Attach(attach), Call::new(Effect::None)).await?;
    // The daemon ends the call of a viewer that types.
    let keyboard = (!request.read_only).then_some(keyboard);
    Ok(connection(request.id, opened, screen, keyboard))
}

/// Opens a call, up to the daemon's message that the terminal exists.
async fn connect(
    transport: &GrpcTransport,
    first: Message,
    call: Call,
) -> Result<(pb::PtyOpened, Screen, Keyboard), Error> {
    let open = |wire| {
        let (sender, requests) = begin(message(first.clone()));
        async move {
            let answers = call::pty(wire).connect_pty(requests).await?;
            let (mut screen, keyboard) = begun(sender, answers.into_inner());
            match screen.next().await?.event {
                Some(Event::Opened(opened)) => Ok((opened, screen, keyboard)),
                _ => Err(status::incomplete("beginning").into()),
            }
        }
    };
    transport.call(call, open).await
}

fn connection(
    id: String,
    opened: pb::PtyOpened,
    screen: Screen,
    keyboard: Option<Keyboard>,
) -> PtyConnection {
    PtyConnection {
        id,
        offset: Some(opened.offset),
        events: event_stream(Events::new(screen, opened.offset)),
        control: Arc::new(Control(keyboard)),
    }
}

pub(super) struct Events {
    screen: Screen,
    position: Position,
    /// The output after a gap that was returned first.
    ready: Option<LogEvent>,
    has_ended: bool,
}

impl Events {
    pub(super) fn new(screen: Screen, offset: u64) -> Self {
        Self {
            screen,
            position: Position::new(offset),
            ready: None,
            has_ended: false,
        }
    }
}

impl Source<PtyEvent> for Events {
    async fn next(&mut self) -> Result<Option<PtyEvent>, Error> {
        loop {
            if let Some(event) = self.ready.take() {
                return Ok(Some(event.into()));
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.screen.next().await?.event {
                Some(Event::Output(chunk)) => {
                    let [gap, output] = self.position.chunk(chunk)?;
                    self.ready = output;
                    if let Some(gap) = gap {
                        return Ok(Some(gap.into()));
                    }
                }
                Some(Event::Gap(gap)) => self.ready = self.position.gap(gap)?,
                Some(Event::Ended(ended)) => {
                    let usage = convert::usage(&ended);
                    let termination = convert::ended(ended)?;
                    let exit_code = termination.exit_code();
                    self.has_ended = true;
                    self.screen.end();
                    // The same wording as over WebSockets.
                    let reason = PtyCloseReason::new(exit_code.unwrap_or(-1)).exit_reason;
                    return Ok(Some(PtyEvent::Exited {
                        exit_code,
                        reason,
                        termination,
                        usage,
                    }));
                }
                Some(Event::Opened(_) | Event::Resized(_)) | None => {}
            }
        }
    }
}

impl From<LogEvent> for PtyEvent {
    fn from(event: LogEvent) -> Self {
        match event {
            LogEvent::Output { bytes, .. } => Self::Output { bytes },
            LogEvent::Gap { length, .. } => Self::Gap { length },
        }
    }
}

/// The control of a terminal. Without a keyboard, input is dropped.
#[derive(Debug)]
struct Control(Option<Keyboard>);

impl PtyControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            let Some(keyboard) = &self.0 else {
                return Ok(());
            };
            let typed = |data| {
                message(Message::Input(pb::Input {
                    data,
                    ..pb::Input::default()
                }))
            };
            keyboard.pieces(bytes, typed).await
        })
    }
}

fn message(message: Message) -> pb::ConnectPtyRequest {
    pb::ConnectPtyRequest {
        message: Some(message),
    }
}
