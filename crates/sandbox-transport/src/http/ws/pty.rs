//! Terminals.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use sandbox_wire::rest::Termination;
use sandbox_wire::ws::subprotocol::{PTY_ENVS_PREFIX, PTY_EXIT_CONTROL};
use sandbox_wire::ws::{PtyCloseReason, PtyControl as Message, PtyControlStatus, close_code};

use super::handshake::Opened;
use super::socket::{End, Frame, Incoming, Outgoing};
use crate::http::call::is_missing;
use crate::http::path::{add_query, path};
use crate::http::{HttpTransport, convert, resources};
use crate::limits::STREAM_BUFFER_BYTES;
use crate::source::{Source, event_stream};
use crate::{
    ApiFuture, Delivery, Effect, Error, ErrorKind, ProcessApi, PtyAttachRequest, PtyConnection,
    PtyControl, PtyEvent, PtyRequest,
};

/// Creates a terminal and connects to it.
pub(crate) async fn open(
    transport: &HttpTransport,
    request: PtyRequest,
) -> Result<PtyConnection, Error> {
    if request.isolation.is_some() {
        // The request of a WebSocket has no body for it.
        return open_in_two(transport, request).await;
    }
    let mut path = "/process/pty/create-connect".to_owned();
    add_query(&mut path, "id", &request.id);
    let size = request.size.unwrap_or_default();
    add_query(&mut path, "cols", &size.cols.to_string());
    add_query(&mut path, "rows", &size.rows.to_string());
    if let Some(cwd) = &request.cwd {
        add_query(&mut path, "cwd", cwd);
    }
    let variables = variables(&request)?;
    let protocols: Vec<_> = [Some(PTY_EXIT_CONTROL), variables.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    // This request creates a terminal, so that it is not repeated if its outcome is unknown.
    match transport.open(path, Effect::Once, &protocols).await {
        // The terminal is new, so that its output begins at 0.
        Ok(opened) => attach(transport, request.id, opened, Some(0)).await,
        // Without the route nothing was created, and creating the terminal in another way is safe.
        Err(error) if is_missing(&error) => open_in_two(transport, request).await,
        Err(error) => Err(error),
    }
}

/// Creates a terminal in two requests, as daemons up to v0.190 need it: its shell starts when the client connects, so nothing is
/// missed.
async fn open_in_two(
    transport: &HttpTransport,
    mut request: PtyRequest,
) -> Result<PtyConnection, Error> {
    request.lazy_start = true;
    let id = transport.create_pty(request).await?;
    let connected = connect(transport, PtyAttachRequest::new(&id)).await;
    match connected {
        Ok(connection) => Ok(PtyConnection {
            offset: Some(0),
            ..connection
        }),
        Err(error) => {
            // The terminal may have been deleted already; the other error is the one to report.
            let _ = transport.delete_pty(&id).await;
            Err(error)
        }
    }
}

/// Connects to an existing terminal.
pub(crate) async fn connect(
    transport: &HttpTransport,
    request: PtyAttachRequest,
) -> Result<PtyConnection, Error> {
    let mut path = path(&["process", "pty", &request.id, "connect"])?;
    // Other daemons would ignore both parameters.
    let asks_for_more = request.offset.is_some() || request.read_only;
    if asks_for_more && !transport.capabilities().await?.extensions {
        let message = "the daemon has terminals that are watched from now on and typed into only";
        return Err(Error::new(
            ErrorKind::Unsupported,
            Delivery::NotSent,
            message,
        ));
    }
    if let Some(offset) = request.offset {
        add_query(&mut path, "since", &offset.to_string());
    }
    if request.read_only {
        add_query(&mut path, "mode", "viewer");
    }
    let opened = transport
        .open(path, Effect::None, &[PTY_EXIT_CONTROL])
        .await?;
    attach(transport, request.id, opened, request.offset).await
}

/// Returns the variables as a subprotocol, since the request of a WebSocket has no body for them.
fn variables(request: &PtyRequest) -> Result<Option<String>, Error> {
    if request.env.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_vec(&request.env).map_err(|error| {
        let message = "the variables cannot be written as JSON";
        Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
    })?;
    // A subprotocol is a token of HTTP, which has neither `=` nor `/`.
    let encoded = BASE64_URL_SAFE_NO_PAD.encode(json);
    Ok(Some(format!("{PTY_ENVS_PREFIX}{encoded}")))
}

async fn attach(
    transport: &HttpTransport,
    id: String,
    opened: Opened,
    offset: Option<u64>,
) -> Result<PtyConnection, Error> {
    let mut events = Events::new(opened.socket.incoming);
    transport.within(events.connected()).await?;
    Ok(PtyConnection {
        id,
        offset,
        events: event_stream(events),
        control: Arc::new(Control(opened.socket.outgoing)),
    })
}

pub(crate) struct Events {
    incoming: Incoming,
    /// Output that came before the daemon reported that the client is connected.
    early: VecDeque<Bytes>,
    has_ended: bool,
}

impl Events {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            early: VecDeque::new(),
            has_ended: false,
        }
    }

    pub(crate) async fn connected(&mut self) -> Result<(), Error> {
        let mut early = 0;
        // Bounded: the output of a terminal whose daemon never reports the connection must not fill
        // the memory.
        while early <= STREAM_BUFFER_BYTES {
            let text = match self.incoming.next().await {
                Ok(Frame::Text(text)) => text,
                Ok(Frame::Binary(bytes)) => {
                    early += bytes.len();
                    self.early.push_back(bytes);
                    continue;
                }
                Err(end) => return Err(end.into_error()),
            };
            early += text.len();
            match serde_json::from_str(&text) {
                Ok(Message {
                    status: PtyControlStatus::Connected,
                    ..
                }) => return Ok(()),
                Ok(Message {
                    status: PtyControlStatus::Error,
                    error,
                    ..
                }) => {
                    let error = error.filter(|error| !error.is_empty());
                    let message = error.unwrap_or_else(|| "there is no such terminal".to_owned());
                    let kind = ErrorKind::NotFound;
                    return Err(Error::new(kind, Delivery::Rejected, message));
                }
                Ok(_) => {}
                Err(_) => self.early.push_back(text.into()),
            }
        }
        let message = "the daemon does not say that the client is connected";
        Err(Error::new(
            ErrorKind::Protocol,
            Delivery::Uncertain,
            message,
        ))
    }
}

impl Source<PtyEvent> for Events {
    async fn next(&mut self) -> Result<Option<PtyEvent>, Error> {
        loop {
            if self.has_ended {
                return Ok(None);
            }
            let bytes = match self.early.pop_front() {
                Some(bytes) => bytes,
                None => match self.incoming.next().await {
                    Ok(Frame::Binary(bytes)) => bytes,
                    Ok(Frame::Text(text)) => match serde_json::from_str::<Message>(&text) {
                        Ok(message) if message.status == PtyControlStatus::Exited => {
                            self.has_ended = true;
                            let (code, reason) = (message.exit_code, message.exit_reason);
                            return Ok(Some(exited(code, reason, message.termination)));
                        }
                        Ok(_) => continue,
                        // A program may show text that looks like JSON; only control messages are interpreted.
                        Err(_) => text.into(),
                    },
                    Err(end) => {
                        self.has_ended = true;
                        return closed(end).map(Some);
                    }
                },
            };
            if !bytes.is_empty() {
                return Ok(Some(PtyEvent::Output { bytes }));
            }
        }
    }
}

/// Returns the event or error that a close stands for.
pub(crate) fn closed(end: End) -> Result<PtyEvent, Error> {
    let End::Closed { code, reason } = &end else {
        return Err(end.into_error());
    };
    // Daemons without the message about the exit report it in the reason of the close. A reason has
    // room for 123 bytes: if it cannot be read, the code is used.
    if let Ok(received) = serde_json::from_str::<PtyCloseReason>(reason) {
        let (code, reason) = (Some(received.exit_code), received.exit_reason);
        return Ok(exited(code, reason, None));
    }
    match *code {
        Some(close_code::NORMAL) => Ok(exited(Some(0), None, None)),
        Some(close_code::INTERNAL_ERROR) => {
            let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
            Ok(exited(None, reason, None))
        }
        _ => Err(end.into_error()),
    }
}

/// Returns the event of an exit. Stock daemons send -1 if the exit code is not known.
fn exited(exit_code: Option<i32>, reason: Option<String>, ended: Option<Termination>) -> PtyEvent {
    let exit_code = exit_code.filter(|code| *code >= 0);
    PtyEvent::Exited {
        exit_code,
        reason,
        usage: ended.as_ref().and_then(resources::usage),
        termination: convert::termination(ended, exit_code),
    }
}

#[derive(Debug)]
struct Control(Outgoing);

impl PtyControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        Box::pin(self.0.binary(bytes))
    }
}
