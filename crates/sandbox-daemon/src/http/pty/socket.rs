//! The WebSocket of a terminal's client.

use sandbox_engine::record::Piece;
use sandbox_engine::{Pty, PtyInput, PtyOutput};
use sandbox_wire::ws::PtyControl;
use tokio_tungstenite::tungstenite::Message;

use super::convert;
use crate::http::termination::with_usage;
use crate::http::ws::{Close, Duplex, Receive, Source, json};
use crate::limits::PTY_PIECE_BYTES;
use crate::service::pty::Attached;

/// The control messages that a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// The message that it is connected.
    Least,
    /// The message that it is connected, and the one with the end of the shell.
    Exit,
    /// All messages: also those with the beginning of its output, and with gaps.
    All,
}

/// Serves a client until the terminal's shell ends or the client leaves, which does not affect the shell.
pub(super) async fn serve(duplex: Duplex, attached: Attached, control: Control, is_extended: bool) {
    let Attached { pty, output, input } = attached;
    let connected = match control {
        Control::All => PtyControl::connected_at(output.position()),
        Control::Least | Control::Exit => PtyControl::connected(),
    };
    let screen = Screen {
        pty,
        output,
        control,
        is_extended,
        connected: Some(json(&connected)),
        next: None,
    };
    duplex.run(screen, Keyboard(input)).await;
}

/// Writes the client's messages to the terminal; `None` for a viewer, whose messages are ignored.
struct Keyboard(Option<PtyInput>);

impl Receive for Keyboard {
    async fn receive(&mut self, message: Message) {
        if let Some(input) = &self.0 {
            // If the terminal has ended, the client receives its end after the rest of the output.
            let _ = input.write(message.into_data()).await;
        }
    }
}

/// The output of a terminal as messages, followed by the end of its shell.
struct Screen {
    pty: Pty,
    output: PtyOutput,
    control: Control,
    /// Whether the client takes fields that the reference does not have.
    is_extended: bool,
    /// The message that is sent first.
    connected: Option<Message>,
    /// A piece that was read and not sent yet.
    next: Option<Piece>,
}

impl Source for Screen {
    type Message = Message;

    fn ready(&mut self) -> Option<Message> {
        if let Some(connected) = self.connected.take() {
            return Some(connected);
        }
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
                json(&PtyControl::gap(offset, length))
            }
            // In the output, since the client has no other place for it. CAN ends a sequence that was cut.
            Piece::Gap { length, .. } => Message::Binary(
                format!("\x18\x1b[m\r\n[{length} bytes of output were discarded]\r\n").into(),
            ),
        })
    }

    async fn wait(&mut self) -> bool {
        self.next = self.output.next().await;
        self.next.is_some()
    }

    async fn finish(&mut self) -> (Vec<Message>, Close) {
        let ended = self.pty.ended().await;
        let reason = convert::close_reason(&ended);
        // A client without the message about the end knows it only from the reason, as JSON.
        let text = serde_json::to_string(&reason).unwrap_or_default();
        let close = Close::new(reason.close_code(), text);
        let exited = json(&if self.is_extended {
            PtyControl::ended(reason, with_usage(&ended, self.pty.usage()))
        } else {
            PtyControl::exited(reason)
        });
        let is_told = self.control != Control::Least;
        (is_told.then_some(exited).into_iter().collect(), close)
    }
}
