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
use crate::ws::{Socket, Source, close_code_of, close_frame, closed, pings, send_ready};

type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// What a client is attached to, and how.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) pty: Pty,
    pub(super) output: PtyOutput,
    /// `None` for one that only watches.
    pub(super) input: Option<PtyInput>,
    /// Whether it reads the control message that tells the end.
    pub(super) reads_exit: bool,
}

/// Serves a client until the terminal's shell ends or the client goes away, which changes nothing for the shell.
pub(super) async fn serve(socket: Socket, mut link: Link, attached: Attached) {
    let Attached {
        pty,
        output,
        input,
        reads_exit,
    } = attached;
    let (mut sink, mut stream) = socket.split();
    let close = {
        let mut read = pin!(read(&mut stream, input));
        let mut write = pin!(write(&mut sink, &pty, output, reads_exit));
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
    reads_exit: bool,
) -> Result<PtyCloseReason, Error> {
    let mut ping = pings();
    sink.send(control(&PtyControl::connected())).await?;
    let mut screen = Screen {
        output,
        rest: Bytes::new(),
    };
    loop {
        if send_ready(sink, &mut screen).await? {
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
    if reads_exit {
        sink.send(control(&PtyControl::exited(reason.clone())))
            .await?;
    }
    Ok(reason)
}

/// What a terminal shows, as messages.
struct Screen {
    output: PtyOutput,
    /// What was read and not sent yet.
    rest: Bytes,
}

impl Screen {
    fn take(&mut self, piece: Piece) {
        self.rest = match piece {
            Piece::Data { bytes, .. } => bytes,
            // Among what is shown, since the clients have no other place for it. CAN ends a sequence that was cut.
            Piece::Gap { length, .. } => {
                format!("\x18\x1b[m\r\n[{length} bytes of output were not kept]\r\n").into()
            }
        };
    }
}

impl Source for Screen {
    fn ready(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            let piece = self.output.try_next()?;
            self.take(piece);
        }
        Some(self.rest.split_to(self.rest.len().min(PTY_PIECE_BYTES)))
    }

    async fn wait(&mut self) -> bool {
        match self.output.next().await {
            Some(piece) => {
                self.take(piece);
                true
            }
            None => false,
        }
    }
}

fn control(message: &PtyControl) -> Message {
    Message::Text(text(message).into())
}

fn text(message: &impl serde::Serialize) -> String {
    // These are maps with string keys, which always can be written.
    serde_json::to_string(message).unwrap_or_default()
}
