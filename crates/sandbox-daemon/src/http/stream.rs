//! *Extension*: `GET /process/execute/connect`, a command that is followed and fed while it runs.

use sandbox_engine::{Command, Engine, ExecError, InputMode, OutputMode};
use sandbox_wire::ErrorCode;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage, close_code, subprotocol};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::logs::{Follower, Rendering};
use super::termination::termination;
use super::ws::{Close, Duplex, Receive, Source, Upgrade, json, offered};
use super::{Call, Responded, body, convert};
use crate::limits::REQUEST_BODY_BYTES;
use crate::service::command::signal_of;
use crate::service::{Error, Leash, chain};

/// Answers the upgrade. When the connection ends the command finds the end of its input and runs on, unless it is to be
/// killed then.
pub(super) async fn connect(call: Call) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?.message_bytes(REQUEST_BODY_BYTES);
    if !offered(&call.parts.headers).any(|offer| offer == subprotocol::EXEC_STREAM) {
        let message = format!(
            "the subprotocol {} must be offered",
            subprotocol::EXEC_STREAM
        );
        return Err(Error::bad(message).into());
    }
    let engine = call.state.engine.clone();
    Ok(
        upgrade.accept(Some(subprotocol::EXEC_STREAM), call.link, move |duplex| {
            serve(duplex, engine)
        }),
    )
}

async fn serve(mut duplex: Duplex, engine: Engine) {
    let first = match duplex.first("").await {
        Ok(first) => first,
        Err(close) => return duplex.close(close).await,
    };
    // The leash is dropped with the connection, however that ends.
    let (run, input, _leash) = match start(first, &engine).await {
        Ok(started) => started,
        Err(error) => {
            if duplex.send(refusal(&error)).await.is_ok() {
                let close = Close::new(close_code::POLICY_VIOLATION, "");
                duplex.close(close).await;
            }
            return;
        }
    };
    duplex.run(run, input).await;
}

/// Starts what the first message asks for.
async fn start(first: Message, engine: &Engine) -> Result<(Run, Input, Option<Leash>), Error> {
    let Message::Text(request) = first else {
        return Err(Error::bad("input before the command"));
    };
    let ExecClientMessage::Start {
        request,
        input,
        kill_on_drop,
    } = body::parse_apart(request.into(), ErrorCode::BadRequest).await?
    else {
        return Err(Error::bad("the first message is not 'start'"));
    };
    let is_merged = request.split_output == Some(false);
    let (command, mut options) = convert::execute_request(request);
    if !is_merged {
        options.output = OutputMode::Split;
    }
    if input {
        options.input = InputMode::Silent;
    }
    let started = engine.start(&command, options).await;
    let command = started.map_err(|error| {
        let code = match &error {
            ExecError::Run(_) => ErrorCode::UnprocessableEntity,
            _ => ErrorCode::BadRequest,
        };
        Error::new(code, chain(&error))
    })?;
    let leash = kill_on_drop.then(|| Leash::new(&command));
    // A record reaches its beginning.
    let cursor = command.record().follow(0)?;
    let (refuse, refusals) = mpsc::channel(1);
    let pid = command.pid();
    let run = Run {
        command: command.clone(),
        output: Follower::new(cursor, Rendering::frames(0)),
        next: Some(json(&ExecServerMessage::Started { pid })),
        refusals,
    };
    Ok((run, Input { command, refuse }, leash))
}

/// What a client sends: input and signals. Dropped, it closes the input of the command.
struct Input {
    command: Command,
    refuse: mpsc::Sender<Error>,
}

impl Receive for Input {
    async fn receive(&mut self, message: Message) {
        let command = &self.command;
        let result = match message {
            Message::Text(text) => obey(text, command).await,
            message => {
                let bytes = message.into_data();
                // Until then nothing more is read, so that a client that is faster than the command waits.
                command.input_room(bytes.len()).await;
                command.write_input(bytes).map_err(conflict)
            }
        };
        if let Err(error) = result {
            // The command may have ended.
            let _ = self.refuse.send(error).await;
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // There is nobody left who could give it more; closed already is as good.
        let _ = self.command.close_input();
    }
}

async fn obey(text: Utf8Bytes, command: &Command) -> Result<(), Error> {
    match body::parse_apart(text.into(), ErrorCode::BadRequest).await? {
        ExecClientMessage::Eof => command.close_input().map_err(conflict),
        ExecClientMessage::Signal { signal } => {
            let signal = signal_of(signal.number())?;
            command.signal(signal).await.map_err(conflict)
        }
        ExecClientMessage::Start { .. } => Err(Error::bad("the command has been started")),
    }
}

/// What a command writes, and how it ended after all of it.
struct Run {
    command: Command,
    output: Follower,
    /// To be sent before more of the output.
    next: Option<Message>,
    refusals: mpsc::Receiver<Error>,
}

impl Source for Run {
    type Message = Message;

    fn ready(&mut self) -> Option<Message> {
        let next = self.next.take();
        next.or_else(|| self.output.ready().map(Message::Binary))
    }

    async fn wait(&mut self) -> bool {
        tokio::select! {
            more = self.output.wait() => more,
            Some(error) = self.refusals.recv() => {
                self.next = Some(refusal(&error));
                true
            }
        }
    }

    async fn finish(&mut self) -> (Vec<Message>, Close) {
        let ended = self.command.ended().await;
        let ended = ExecServerMessage::Ended {
            exit_code: ended.exit_code(),
            termination: termination(&ended),
        };
        (vec![json(&ended)], Close::normal())
    }
}

fn conflict(error: impl ToString) -> Error {
    Error::new(ErrorCode::Conflict, error.to_string())
}

fn refusal(error: &Error) -> Message {
    json(&ExecServerMessage::Error {
        code: error.code().name().to_owned(),
        message: error.message().to_owned(),
    })
}
