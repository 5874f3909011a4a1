//! A terminal's client.

use sandbox_engine::record::Piece;
use sandbox_engine::{Pty, PtyInput, PtyOutput};
use sandbox_wire::ws::PtyControl;
use tokio_tungstenite::tungstenite::Message;

use super::convert;
use crate::http::ws::{Close, Duplex, Receive, Source, json};
use crate::limits::PTY_PIECE_BYTES;
use crate::service::pty::Attached;

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

/// Serves a client until the terminal's shell ends or the client leaves, which changes nothing for the shell.
pub(super) async fn serve(duplex: Duplex, attached: Attached, control: Control) {
    let Attached { pty, output, input } = attached;
    let connected = match control {
        Control::All => PtyControl::connected_at(output.position()),
        Control::Least | Control::Exit => PtyControl::connected(),
    };
    let screen = Screen {
        pty,
        output,
        control,
        connected: Some(json(&connected)),
        next: None,
    };
    duplex.run(screen, Keyboard(input)).await;
}

/// Types what the client sends; nothing of one that only watches.
struct Keyboard(Option<PtyInput>);

impl Receive for Keyboard {
    async fn receive(&mut self, message: Message) {
        if let Some(input) = &self.0 {
            // If the terminal has ended, the client is sent its end after what it still has to be shown.
            let _ = input.write(message.into_data()).await;
        }
    }
}

/// What a terminal shows, as messages, and how its shell ended after all of it.
struct Screen {
    pty: Pty,
    output: PtyOutput,
    control: Control,
    /// To be sent first.
    connected: Option<Message>,
    /// What was read and not sent yet.
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
            // Among what is shown, since the client has no other place for it. CAN ends a sequence that was cut.
            Piece::Gap { length, .. } => Message::Binary(
                format!("\x18\x1b[m\r\n[{length} bytes of output were not kept]\r\n").into(),
            ),
        })
    }

    async fn wait(&mut self) -> bool {
        self.next = self.output.next().await;
        self.next.is_some()
    }

    async fn finish(&mut self) -> (Vec<Message>, Close) {
        let reason = convert::close_reason(&self.pty.ended().await);
        let text = serde_json::to_string(&reason).unwrap_or_default();
        let close = Close::new(reason.close_code(), text);
        let exited = json(&PtyControl::exited(reason));
        let is_told = self.control != Control::Least;
        (is_told.then_some(exited).into_iter().collect(), close)
    }
}
