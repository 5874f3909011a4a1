//! A terminal's client.

use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sandbox_engine::record::Piece;
use sandbox_engine::{Pty, PtyInput, PtyOutput};
use sandbox_wire::ws::{PtyCloseReason, PtyControl, close_code};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::convert;
use crate::limits::{CLOSE_HANDSHAKE, CLOSE_SILENCE, PTY_PIECE_BYTES};
use crate::link::Link;
use crate::ws::{Socket, close_code_of, close_frame, closed, pings};

type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// What a client is attached to, and how.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) pty: Pty,
    pub(super) output: PtyOutput,
    /// `None` for one that only watches.
    pub(super) input: Option<PtyInput>,
    pub(super) control: Control,
}

/// Which control messages a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// That it is connected.
    Least,
    /// That, and how the shell ended.
    Exit,
    /// Also where its output begins, and what is missing of it.
    All,
}

/// Serves a client until the terminal's shell ends or the client goes away, which changes nothing for the shell.
pub(super) async fn serve(socket: Socket, mut link: Link, attached: Attached) {
    let Attached {
        pty,
        output,
        input,
        control,
    } = attached;
    let (mut sink, mut stream) = socket.split();
    let close = {
        let mut read = pin!(read(&mut stream, input));
        let mut write = pin!(write(&mut sink, &pty, output, control));
        tokio::select! {
            ended = &mut write => match ended {
                Ok(reason) => {
                    let code = reason.close_code();
                    let reason = Utf8Bytes::from(text(&reason));
                    (Message::Close(Some(CloseFrame { code: code.into(), reason })), CLOSE_SILENCE)
                }
                Err(error) => {
                    tracing::debug!(%error, "a terminal's client was lost");
                    return;
                }
            },
            code = &mut read => match code {
                Some(code) => (close_frame(code), CLOSE_HANDSHAKE),
                None => return,
            },
            () = link.shutdown_begun() => (close_frame(close_code::GOING_AWAY), CLOSE_HANDSHAKE),
        }
    };
    let (frame, patience) = close;
    // The client closes, too, so that nothing that was sent is lost by a reset.
    if sink.send(frame).await.is_ok() {
        tokio::select! {
            () = closed(&mut stream, patience) => {}
            () = link.shutdown_begun() => {}
        }
    }
}

/// Types what the client sends, and tells the code to close with when there is no more, if there is somebody to tell it to.
///
/// While the client has as much on its way as it may, nothing is read from it.
async fn read(stream: &mut Stream, input: Option<PtyInput>) -> Option<u16> {
    loop {
        let typed = match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Text(text))) => text.into(),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return close_code_of(&error),
            None => return None,
        };
        if let Some(input) = &input {
            // It has ended, which the client is told behind what it still has to be shown.
            let _ = input.write(typed).await;
        }
    }
}

/// Sends what the terminal shows, and how its shell ended behind all of it.
async fn write(
    sink: &mut Sink,
    pty: &Pty,
    output: PtyOutput,
    control: Control,
) -> Result<PtyCloseReason, Error> {
    let mut ping = pings();
    let connected = match control {
        Control::All => PtyControl::connected_at(output.position()),
        Control::Least | Control::Exit => PtyControl::connected(),
    };
    sink.send(message(&connected)).await?;
    let mut screen = Screen {
        output,
        control,
        next: None,
    };
    loop {
        let mut sent = false;
        while let Some(message) = screen.ready() {
            sink.feed(message).await?;
            sent = true;
        }
        if sent {
            sink.flush().await?;
            ping.reset();
        }
        tokio::select! {
            more = screen.wait() => if !more {
                break;
            },
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
    let reason = convert::close_reason(&pty.ended().await);
    if control != Control::Least {
        sink.send(message(&PtyControl::exited(reason.clone())))
            .await?;
    }
    Ok(reason)
}

/// What a terminal shows, as messages.
struct Screen {
    output: PtyOutput,
    control: Control,
    /// What was read and not sent yet.
    next: Option<Piece>,
}

impl Screen {
    /// The next message, if it is there without waiting.
    fn ready(&mut self) -> Option<Message> {
        let next = self.next.take().or_else(|| self.output.try_next())?;
        Some(match next {
            Piece::Data {
                offset,
                channel,
                mut bytes,
            } => {
                let some = bytes.split_to(bytes.len().min(PTY_PIECE_BYTES));
                if !bytes.is_empty() {
                    self.next = Some(Piece::Data {
                        offset: offset + some.len() as u64,
                        channel,
                        bytes,
                    });
                }
                Message::Binary(some)
            }
            Piece::Gap { offset, length } if self.control == Control::All => {
                message(&PtyControl::gap(offset, length))
            }
            // Among what is shown, since the client has no other place for it. CAN ends a sequence that was cut.
            Piece::Gap { length, .. } => Message::Binary(
                format!("\x18\x1b[m\r\n[{length} bytes of output were not kept]\r\n").into(),
            ),
        })
    }

    /// Waits until there is a message; false if there will be none any more. Cancel safe.
    async fn wait(&mut self) -> bool {
        self.next = self.output.next().await;
        self.next.is_some()
    }
}

fn message(control: &PtyControl) -> Message {
    Message::Text(text(control).into())
}

fn text(message: &impl serde::Serialize) -> String {
    // These are maps with string keys, which always can be written.
    serde_json::to_string(message).unwrap_or_default()
}
