//! *Extension*: `GET /process/execute/connect`, a command that is followed and fed while it runs.

use std::ops::ControlFlow;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sandbox_engine::{Command, Engine, InputMode, OutputMode};
use sandbox_wire::ErrorCode;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage, close_code, subprotocol};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::error::chain;
use super::logs::{Follower, Rendering};
use super::session::read_signal;
use super::{Answer, ApiError, Call, body, convert};
use crate::leash::Leash;
use crate::limits::{CLOSE_HANDSHAKE, CLOSE_SILENCE, EXEC_START, REQUEST_BODY_BYTES};
use crate::link::Link;
use crate::ws::{
    Socket, Source, Upgrade, close_code_of, close_frame, closed, offered, pings, send_ready,
};

type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// Answers the upgrade. When the connection ends the command finds the end of its input and runs on, unless it is to be
/// killed then.
pub(super) fn connect(call: Call) -> Answer {
    Box::pin(async move {
        let upgrade = Upgrade::check(&call.parts)?.message_bytes(REQUEST_BODY_BYTES);
        if !offered(&call.parts.headers).any(|offer| offer == subprotocol::EXEC_STREAM) {
            let message = format!(
                "the subprotocol {} must be offered",
                subprotocol::EXEC_STREAM
            );
            return Err(ApiError::new(ErrorCode::BadRequest, message));
        }
        let engine = call.state.engine.clone();
        Ok(upgrade.accept(
            Some(subprotocol::EXEC_STREAM),
            call.link,
            move |socket, link| serve(socket, link, engine),
        ))
    })
}

/// A command, and what ends it with its connection.
type Started = (Command, Option<Leash>);

/// Why a message was not carried out.
struct Refusal {
    code: ErrorCode,
    message: String,
}

async fn serve(socket: Socket, mut link: Link, engine: Engine) {
    let (mut sink, mut stream) = socket.split();
    let started = tokio::select! {
        started = timeout(EXEC_START, start(&mut stream, &engine)) => started,
        () = link.shutdown_begun() => {
            return close(sink, stream, close_code::GOING_AWAY).await;
        }
    };
    // The leash is dropped with the connection, however that ends.
    let (command, _leash) = match started {
        Ok(ControlFlow::Continue(Ok(started))) => started,
        Ok(ControlFlow::Continue(Err(refusal))) => {
            if sink.send(refusal.into_message()).await.is_ok() {
                close(sink, stream, close_code::POLICY_VIOLATION).await;
            }
            return;
        }
        Ok(ControlFlow::Break(())) => return,
        Err(_) => return close(sink, stream, close_code::POLICY_VIOLATION).await,
    };
    let code = {
        let (answers, mut refusals) = tokio::sync::mpsc::channel(1);
        let mut read = pin!(read(&mut stream, &command, answers));
        let mut write = pin!(write(&mut sink, &command, &mut refusals));
        tokio::select! {
            written = &mut write => match written {
                Ok(()) => Some(close_code::NORMAL),
                Err(error) => {
                    tracing::debug!(%error, "the client of a command was lost");
                    None
                }
            },
            code = &mut read => code,
            () = link.shutdown_begun() => Some(close_code::GOING_AWAY),
        }
    };
    // There is nobody left who could give it more; closed already is as good.
    let _ = command.close_input();
    if let Some(code) = code {
        close(sink, stream, code).await;
    }
}

/// Takes the first message, and starts what it asks for. `Break` if the client has gone.
async fn start(stream: &mut Stream, engine: &Engine) -> ControlFlow<(), Result<Started, Refusal>> {
    let text = loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Binary(_))) => {
                return ControlFlow::Continue(Err(Refusal::bad("input before the command")));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return ControlFlow::Break(()),
        }
    };
    let (request, input, kill_on_drop) = match parse(text).await {
        Ok(ExecClientMessage::Start {
            request,
            input,
            kill_on_drop,
        }) => (request, input, kill_on_drop),
        Ok(_) => {
            return ControlFlow::Continue(Err(Refusal::bad("the first message is not 'start'")));
        }
        Err(refusal) => return ControlFlow::Continue(Err(refusal)),
    };
    let is_merged = request.split_output == Some(false);
    let (command, mut options) = convert::execute_request(request);
    if !is_merged {
        options.output = OutputMode::Split;
    }
    if input {
        options.input = InputMode::Silent;
    }
    ControlFlow::Continue(
        engine
            .start(&command, options)
            .await
            .map(|command| {
                let leash = kill_on_drop.then(|| Leash::new(&command));
                (command, leash)
            })
            .map_err(|error| Refusal {
                code: match &error {
                    sandbox_engine::ExecError::Run(_) => ErrorCode::UnprocessableEntity,
                    _ => ErrorCode::BadRequest,
                },
                message: chain(&error),
            }),
    )
}

/// Takes the client's messages for as long as there are any, and tells the code to close with, if there is somebody to
/// tell it to.
async fn read(
    stream: &mut Stream,
    command: &Command,
    refusals: tokio::sync::mpsc::Sender<Refusal>,
) -> Option<u16> {
    loop {
        let result = match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                // Until then nothing more is read, so that a client that is faster than the command waits.
                command.input_room(bytes.len()).await;
                command.write_input(bytes).map_err(|error| Refusal {
                    code: ErrorCode::Conflict,
                    message: error.to_string(),
                })
            }
            Some(Ok(Message::Text(text))) => obey(text, command).await,
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => return close_code_of(&error),
            None => return None,
        };
        if let Err(refusal) = result
            && refusals.send(refusal).await.is_err()
        {
            return None;
        }
    }
}

async fn parse(text: Utf8Bytes) -> Result<ExecClientMessage, Refusal> {
    let parsed = body::parse_apart(text.into(), ErrorCode::BadRequest).await;
    parsed.map_err(|error| Refusal {
        code: error.code(),
        message: error.message().to_owned(),
    })
}

async fn obey(text: Utf8Bytes, command: &Command) -> Result<(), Refusal> {
    let conflict = |error: &dyn std::error::Error| Refusal {
        code: ErrorCode::Conflict,
        message: error.to_string(),
    };
    match parse(text).await? {
        ExecClientMessage::Eof => command.close_input().map_err(|error| conflict(&error)),
        ExecClientMessage::Signal { signal } => {
            let signal = read_signal(&signal).ok_or_else(|| Refusal::bad("no such signal"))?;
            command
                .signal(signal)
                .await
                .map_err(|error| conflict(&error))
        }
        ExecClientMessage::Start { .. } => Err(Refusal::bad("the command has been started")),
    }
}

/// Sends what the command writes, and how it ended behind all of it.
async fn write(
    sink: &mut Sink,
    command: &Command,
    refusals: &mut tokio::sync::mpsc::Receiver<Refusal>,
) -> Result<(), Error> {
    let mut ping = pings();
    let pid = command.pid();
    sink.send(text(&ExecServerMessage::Started { pid })).await?;
    let Ok(cursor) = command.record().follow(0) else {
        return Ok(());
    };
    let mut source = Follower::new(cursor, Rendering::frames(0));
    loop {
        if send_ready(sink, &mut source).await? {
            ping.reset();
        }
        tokio::select! {
            more = source.wait() => if !more {
                break;
            },
            Some(refusal) = refusals.recv() => sink.send(refusal.into_message()).await?,
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
    send_ready(sink, &mut source).await?;
    let termination = command.ended().await;
    let ended = ExecServerMessage::Ended {
        exit_code: termination.exit_code(),
        termination: convert::termination(&termination),
    };
    sink.send(text(&ended)).await
}

/// Closes, and waits for the client to do so too, so that nothing that was sent is lost by a reset.
async fn close(mut sink: Sink, mut stream: Stream, code: u16) {
    let patience = match code {
        close_code::NORMAL => CLOSE_SILENCE,
        _ => CLOSE_HANDSHAKE,
    };
    if sink.send(close_frame(code)).await.is_ok() {
        closed(&mut stream, patience).await;
    }
}

impl Refusal {
    fn bad(reason: impl std::fmt::Display) -> Self {
        Self {
            code: ErrorCode::BadRequest,
            message: reason.to_string(),
        }
    }

    fn into_message(self) -> Message {
        text(&ExecServerMessage::Error {
            code: self.code.name().to_owned(),
            message: self.message,
        })
    }
}

fn text(message: &ExecServerMessage) -> Message {
    // These are maps with string keys, which always can be written.
    let json = serde_json::to_string(message).unwrap_or_default();
    Message::Text(Utf8Bytes::from(json))
}
