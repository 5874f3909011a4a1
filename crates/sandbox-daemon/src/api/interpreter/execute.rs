//! `GET /process/interpreter/execute`: the socket on which one piece of code is run.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sandbox_engine::Engine;
use sandbox_engine::interpreter::{ExecuteOptions, Execution};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::DEFAULT_CONTEXT;
use sandbox_wire::ws::{InterpreterMessage, InterpreterRequest, close_code, subprotocol};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::super::error::chain;
use super::super::{Answer, Call, body};
use super::messages::{OutputMessages, last};
use crate::limits::{
    CLOSE_HANDSHAKE, CLOSE_SILENCE, EXEC_START, INTERPRETER_MESSAGE_BYTES, INTERPRETER_TIME,
};
use crate::link::Link;
use crate::ws::{Close, Socket, Upgrade, close_code_of, closed, offered, pings};

type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// Answers the upgrade. The code runs on when its client goes away.
pub(in crate::api) fn execute(call: Call) -> Answer {
    Box::pin(async move {
        let upgrade = Upgrade::check(&call.parts)?.message_bytes(INTERPRETER_MESSAGE_BYTES);
        let headers = &call.parts.headers;
        let offered = |found: fn(&str) -> bool| offered(headers).find(|offered| found(offered));
        let rich = offered(|offered| offered == subprotocol::INTERPRETER_RICH);
        // Some clients give up when they offered the version and it was not selected.
        let version = offered(|offered| offered.starts_with(subprotocol::SDK_VERSION_PREFIX));
        let is_rich = rich.is_some();
        let engine = call.state.engine.clone();
        Ok(
            upgrade.accept(rich.or(version), call.link, move |socket, link| {
                serve(socket, link, engine, is_rich)
            }),
        )
    })
}

async fn serve(socket: Socket, mut link: Link, engine: Engine, is_rich: bool) {
    let (mut sink, mut stream) = socket.split();
    let close = tokio::select! {
        close = run(&mut sink, &mut stream, &engine, is_rich) => close,
        () = link.shutdown_begun() => Some(Close::new(close_code::GOING_AWAY, "")),
    };
    let Some(close) = close else { return };
    let patience = match close.code {
        close_code::NORMAL => CLOSE_SILENCE,
        _ => CLOSE_HANDSHAKE,
    };
    if sink.send(close.frame()).await.is_ok() {
        tokio::select! {
            () = closed(&mut stream, patience) => {}
            () = link.shutdown_begun() => {}
        }
    }
}

/// Sees one socket to its close; `None` if the client has gone.
async fn run(
    sink: &mut Sink,
    stream: &mut Stream,
    engine: &Engine,
    is_rich: bool,
) -> Option<Close> {
    let request = match timeout(EXEC_START, first_message(stream)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(close)) => return close,
        Err(_) => return Some(Close::new(close_code::POLICY_VIOLATION, "no code came")),
    };
    let execution = match begin(request, engine, is_rich).await {
        Ok(execution) => execution,
        Err(close) => return Some(close),
    };
    let mut read = pin!(read(stream));
    let mut write = pin!(write(sink, &execution, is_rich));
    tokio::select! {
        written = &mut write => match written {
            Ok(close) => Some(close),
            Err(error) => {
                tracing::debug!(%error, "the client of an execution was lost");
                None
            }
        },
        close = &mut read => close,
    }
}

async fn first_message(stream: &mut Stream) -> Result<Bytes, Option<Close>> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.into()),
            Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(close_code_of(&error).map(|code| Close::new(code, ""))),
            None => return Err(None),
        }
    }
}

/// Gives the code to its context.
async fn begin(message: Bytes, engine: &Engine, is_rich: bool) -> Result<Execution, Close> {
    let unreadable = || Close::new(close_code::PROTOCOL_ERROR, "invalid JSON payload");
    let refused = |reason: String| Close::new(close_code::POLICY_VIOLATION, reason);
    let request = match message.trim_ascii() == b"null" {
        true => InterpreterRequest::default(),
        false => {
            let read = body::parse_apart(message, ErrorCode::BadRequest).await;
            read.map_err(|_| unreadable())?
        }
    };
    if request.code.is_empty() {
        return Err(refused("code is required".to_owned()));
    }
    let timeout = time_limit(request.timeout).ok_or_else(|| {
        let reason = "timeout must be greater than or equal to 0";
        refused(reason.to_owned())
    })?;
    let context = match request.context_id.as_deref() {
        None | Some(DEFAULT_CONTEXT) => engine.default_context(),
        Some(id) => engine
            .context(id)
            .ok_or_else(|| refused(format!("context not found: {id}")))?,
    };
    let env = request.envs.unwrap_or_default().into_iter();
    let options = ExecuteOptions {
        env: env
            .map(|(name, value)| (name, value.unwrap_or_default()))
            .collect(),
        timeout,
        shows_value: is_rich,
    };
    context
        .execute(&request.code, options)
        .map_err(|error| refused(chain(&error)))
}

/// How long code may run when this many seconds are asked for; `None` if that makes no sense.
fn time_limit(asked: Option<i64>) -> Option<Option<Duration>> {
    Some(match asked {
        None => Some(INTERPRETER_TIME),
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).ok()?)),
    })
}

/// Takes what the client still sends, for nothing but the pings in between; tells the close of a client that must be told,
/// `None` of one that has gone.
async fn read(stream: &mut Stream) -> Option<Close> {
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return close_code_of(&error).map(|code| Close::new(code, "")),
            None => return None,
        }
    }
}

/// Sends what the code writes, and behind all of it what else there is to tell. A slow client makes nobody wait: what it has
/// not read is in the execution's record.
async fn write(sink: &mut Sink, execution: &Execution, is_rich: bool) -> Result<Close, Error> {
    let mut ping = pings();
    let mut output = execution.record().follow(0).ok().map(OutputMessages::new);
    if let Some(output) = &mut output {
        loop {
            let mut sent = false;
            while let Some(message) = output.ready() {
                sink.feed(text(&message)).await?;
                sent = true;
            }
            if sent {
                sink.flush().await?;
                ping.reset();
            }
            tokio::select! {
                more = output.wait() => if !more {
                    break;
                },
                _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
            }
        }
        for message in output.finish() {
            sink.feed(text(&message)).await?;
        }
    }
    let (messages, close) = last(&*execution.ended().await, is_rich);
    for message in messages {
        sink.feed(text(&message)).await?;
    }
    Ok(match output {
        Some(output) => output.close(close),
        None => close,
    })
}

fn text(message: &InterpreterMessage) -> Message {
    // These are maps with string keys, which always can be written.
    let json = serde_json::to_string(message).unwrap_or_default();
    Message::Text(Utf8Bytes::from(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_names_no_limit_has_one() {
        assert_eq!(time_limit(None), Some(Some(Duration::from_secs(600))));
        assert_eq!(time_limit(Some(0)), Some(None));
        assert_eq!(time_limit(Some(3)), Some(Some(Duration::from_secs(3))));
        assert_eq!(time_limit(Some(-1)), None);
    }
}
