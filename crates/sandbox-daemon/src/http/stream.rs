//! *Extension*: `GET /process/execute/connect`, a command with streams in both directions, on pipes or a terminal.

use sandbox_engine::{Command, InputMode, OutputMode};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::PtyResizeRequest;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage, close_code, subprotocol};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::logs::{Follower, Rendering};
use super::termination::with_usage;
use super::ws::{Close, Duplex, Receive, Source, Upgrade, json, offered};
use super::{Call, Responded, body, convert};
use crate::limits::REQUEST_BODY_BYTES;
use crate::service::command::{REFUSALS, resize, signal_of};
use crate::service::exec::{self, Program, Start};
use crate::service::pty::size;
use crate::service::{Error, InputWindow, Leash, State, chain};

/// Responds to the upgrade. When the connection ends, the input of the command ends and the command runs on, unless it
/// is to be killed then.
pub(super) async fn connect(call: Call) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?.message_bytes(REQUEST_BODY_BYTES);
    if !offered(&call.parts.headers).any(|offer| offer == subprotocol::EXEC_STREAM) {
        let message = format!(
            "the subprotocol {} must be offered",
            subprotocol::EXEC_STREAM
        );
        return Err(Error::bad(message).into());
    }
    let (state, key) = (call.state.clone(), call.key().to_owned());
    Ok(
        upgrade.accept(Some(subprotocol::EXEC_STREAM), call.link, move |duplex| {
            serve(duplex, state, key)
        }),
    )
}

async fn serve(mut duplex: Duplex, state: State, key: String) {
    let first = match duplex.first("").await {
        Ok(first) => first,
        Err(close) => return duplex.close(close).await,
    };
    // The leash is dropped with the connection, however that ends.
    let (run, input, _leash) = match start(first, &state, &key).await {
        Ok(started) => started,
        Err(error) => {
            // As a message, since a close has room for 123 bytes of a reason and none for a code.
            if duplex.send(refusal(&error)).await.is_ok() {
                let close = Close::new(close_code::POLICY_VIOLATION, "");
                duplex.close(close).await;
            }
            return;
        }
    };
    duplex.run(run, input).await;
}

/// Starts the command of the first message, or returns the one that a request with the same key has started.
async fn start(
    first: Message,
    state: &State,
    key: &str,
) -> Result<(Run, Input, Option<Leash>), Error> {
    let Message::Text(request) = first else {
        return Err(Error::bad("input before the command"));
    };
    let ExecClientMessage::Start {
        request,
        input,
        kill_on_drop,
        tty,
        input_window,
    } = body::parse_apart(request.into(), ErrorCode::BadRequest).await?
    else {
        return Err(Error::bad("the first message is not 'start'"));
    };
    if convert::soft_limit(&request).is_some() {
        let message = "a command that is followed has no soft limit";
        return Err(Error::bad(message));
    }
    let is_merged = request.split_output == Some(false);
    let (command, mut options) = convert::execute_request(request)?;
    if !is_merged {
        options.output = OutputMode::Split;
    }
    if input {
        options.input = InputMode::Silent;
    }
    options.terminal = tty.map(|tty| size(tty.cols, tty.rows)).transpose()?;
    let asked = Start {
        program: Program::Command(command),
        options,
        detached: !kill_on_drop,
        soft_timeout: None,
    };
    let started = exec::start(state, key, asked).await?;
    let found = started.map_err(|error| match exec::not_started(error) {
        Ok(error) => Error::new(ErrorCode::UnprocessableEntity, chain(&error)),
        Err(error) => error,
    })?;
    let command = found.result.command.clone();
    // A request that is repeated does not own the command that the first one started.
    let leash = (kill_on_drop && !found.resumed).then(|| Leash::new(&command));
    // A record always contains its beginning.
    let cursor = command.record().follow(0)?;
    let window = input_window.then(|| InputWindow::new(&command));
    let (refuse, refusals) = mpsc::channel(REFUSALS);
    let started = ExecServerMessage::Started {
        pid: command.pid(),
        input_window: window.as_ref().map(InputWindow::bytes),
        isolation_level: Some(convert::level(command.level())),
    };
    let run = Run {
        command: command.clone(),
        output: Follower::new(cursor, Rendering::frames(0)),
        next: Some(json(&started)),
        window,
        refusals,
    };
    Ok((run, Input { command, refuse }, leash))
}

/// The client's messages: input, signals and sizes. Dropping it closes the input of the command.
struct Input {
    command: Command,
    refuse: mpsc::Sender<Error>,
}

impl Receive for Input {
    async fn receive(&mut self, message: Message) {
        let command = &self.command;
        match message {
            Message::Text(text) => {
                if let Err(error) = obey(text, command).await {
                    // The command may have ended.
                    let _ = self.refuse.send(error).await;
                }
            }
            message => {
                let bytes = message.into_data();
                // Until then nothing more is read, so that a client that is faster than the command waits. A client that respects
                // its window never waits here.
                command.input_room(bytes.len()).await;
                if let Err(error) = command.write_input(bytes) {
                    // If the client does not read its refusals, the first ones are enough.
                    let _ = self.refuse.try_send(conflict(error));
                }
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // No other client can write input; an input that is closed already is not an error.
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
        ExecClientMessage::Resize {
            size: PtyResizeRequest { cols, rows },
        } => {
            let resized = resize(command, size(cols, rows)?).await;
            resized.map_err(|error| conflict(error.message()))
        }
        ExecClientMessage::Start { .. } => Err(Error::bad("the command has been started")),
    }
}

/// The output of a command, followed by its end.
struct Run {
    command: Command,
    output: Follower,
    /// A message that is sent before more of the output.
    next: Option<Message>,
    /// `None` if the client does not respect it.
    window: Option<InputWindow>,
    refusals: mpsc::Receiver<Error>,
}

impl Source for Run {
    type Message = Message;

    fn ready(&mut self) -> Option<Message> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        // Before output, of which there may always be more.
        if let Some(bytes) = self.window.as_mut().and_then(InputWindow::ready) {
            return Some(json(&ExecServerMessage::InputTaken { bytes }));
        }
        self.output.ready().map(Message::Binary)
    }

    async fn wait(&mut self) -> bool {
        tokio::select! {
            more = self.output.wait() => more,
            // `ready` builds the message, with the room of that moment.
            () = room(&self.window) => true,
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
            termination: with_usage(&ended, self.command.usage()),
        };
        (vec![json(&ended)], Close::normal())
    }
}

/// Resolves when more room for input is to be reported to the client.
async fn room(window: &Option<InputWindow>) {
    match window {
        Some(window) => window.wait().await,
        None => std::future::pending().await,
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
