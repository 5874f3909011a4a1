//! The messages on the socket of an execution.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use sandbox_engine::interpreter::{Ended, Ending, Form};
use sandbox_engine::record::{Cursor, Piece};
use sandbox_logcodec::{Channel, TextDecoder};
use sandbox_wire::display;
use sandbox_wire::ws::{
    CONTROL_COMPLETED, CONTROL_ENDED, CONTROL_INTERRUPTED, InterpreterMessage,
    InterpreterMessageKind, close_code,
};
use serde_json::Value;

use crate::http::termination::with_usage;
use crate::http::ws::Close;
use crate::limits::LOG_PIECE_BYTES;
use crate::service::interpreter::{failure, reason};

/// The output of code as messages, at the pace at which they are taken.
pub(super) struct OutputMessages {
    cursor: Cursor,
    text: TextDecoder,
    /// The number of output bytes that are not retained.
    missing: u64,
    /// The notice of a gap, which is sent before the rest.
    gap: Option<InterpreterMessage>,
    /// Output that was read and not sent yet.
    rest: Option<(Channel, Bytes)>,
}

impl OutputMessages {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            text: TextDecoder::new(),
            missing: 0,
            gap: None,
            rest: None,
        }
    }

    /// Returns the next message, if it is available without waiting: as much output of one channel as there is, up to a limit. A
    /// client that received every line by itself could not keep up with a program that prints many.
    pub(super) fn ready(&mut self) -> Option<InterpreterMessage> {
        let mut text = String::new();
        let mut of = None;
        let mut room = LOG_PIECE_BYTES;
        while room > 0 {
            let Some((channel, mut bytes)) = self.next_rest() else {
                break;
            };
            // A message has one channel, and the order of both is that of the program.
            if !text.is_empty() && of != Some(channel) {
                self.rest = Some((channel, bytes));
                break;
            }
            of = Some(channel);
            let some = bytes.split_to(bytes.len().min(room));
            room -= some.len();
            // A character may be cut by `room` or by the program's writes: the decoder holds its
            // first bytes back for each channel.
            text.push_str(&self.text.decode(channel, &some));
            self.rest = Some((channel, bytes)).filter(|(_, bytes)| !bytes.is_empty());
        }
        match of {
            Some(channel) if !text.is_empty() => Some(output(channel, text.into())),
            // Nothing, or only the first bytes of a character.
            _ => self.gap.take(),
        }
    }

    /// Returns output that is not sent yet, or can be read now. Output after a gap waits until that has been reported.
    fn next_rest(&mut self) -> Option<(Channel, Bytes)> {
        if self.rest.is_none()
            && self.gap.is_none()
            && let Some(piece) = self.cursor.try_next()
        {
            self.take(piece);
        }
        self.rest.take()
    }

    /// Waits until there may be a message; false at the end. Cancel safe.
    pub(super) async fn wait(&mut self) -> bool {
        match self.cursor.next().await {
            Some(piece) => {
                self.take(piece);
                true
            }
            None => false,
        }
    }

    /// Returns the incomplete characters at the end.
    pub(super) fn finish(&mut self) -> impl Iterator<Item = InterpreterMessage> {
        [Channel::Stdout, Channel::Stderr]
            .into_iter()
            .filter_map(|channel| {
                let text = self.text.finish(channel);
                (!text.is_empty()).then(|| output(channel, text.into()))
            })
    }

    /// Returns the close that follows the output: `close`, unless that would mean that all of the output was sent although a part
    /// is missing. Only the close reports a gap to a program, since the line in its place is text like any other.
    pub(super) fn close(&self, close: Close) -> Close {
        close.unless_missing(self.missing, "the output")
    }

    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Data { channel, bytes, .. } => self.rest = Some((channel, bytes)),
            Piece::Gap { length, .. } => {
                self.missing += length;
                let text = format!("\n[{length} bytes of output were discarded]\n");
                self.gap = Some(output(Channel::Stderr, text.into()));
            }
        }
    }
}

fn output(channel: Channel, text: Cow<'_, str>) -> InterpreterMessage {
    let kind = match channel {
        Channel::Stdout => InterpreterMessageKind::Stdout,
        Channel::Stderr => InterpreterMessageKind::Stderr,
    };
    InterpreterMessage::text(kind, text)
}

/// Returns the messages after the output, and the close. `is_rich` is whether the client supports charts and values.
///
/// To clients that do not, a time limit is reported by its close code alone: official clients that see `interrupted` first
/// consider it a success.
pub(super) fn last(ended: &Ended, is_rich: bool) -> (Vec<InterpreterMessage>, Close) {
    let mut messages = Vec::new();
    if is_rich {
        messages.extend(ended.charts.iter().filter_map(chart));
        messages.extend(value(&ended.value));
    }
    messages.extend(failure(ended).map(|failure| {
        InterpreterMessage::error(&failure.name, &failure.value, &failure.traceback)
    }));
    let text = match &ended.ending {
        Ending::Completed => Some(CONTROL_COMPLETED),
        Ending::Interrupted => Some(CONTROL_INTERRUPTED),
        _ => is_rich.then_some(CONTROL_ENDED),
    };
    messages.extend(text.map(|text| InterpreterMessage {
        termination: is_rich.then(|| with_usage(&ended.termination(), ended.usage)),
        ..InterpreterMessage::text(InterpreterMessageKind::Control, text)
    }));
    let code = match &ended.ending {
        Ending::Completed | Ending::Interrupted => close_code::NORMAL,
        Ending::TimedOut { .. } => close_code::TIMED_OUT,
        Ending::WorkerEnded { .. } | Ending::Restarted | Ending::NotStarted { .. } => {
            close_code::INTERNAL_ERROR
        }
        _ => close_code::GOING_AWAY,
    };
    (messages, Close::new(code, reason(&ended.ending)))
}

/// Returns the message of a chart. One that is not JSON was forged by the program, which affects only its own output.
fn chart(chart: &Bytes) -> Option<InterpreterMessage> {
    Some(InterpreterMessage {
        data: Some(serde_json::from_slice(chart).ok()?),
        ..InterpreterMessage::text(InterpreterMessageKind::Chart, "")
    })
}

/// Returns a value by media type: text as it is, JSON as such, everything else in base64; contents that were too large by length.
fn value(forms: &[Form]) -> Option<InterpreterMessage> {
    if forms.is_empty() {
        return None;
    }
    let mut data = serde_json::Map::new();
    let mut omitted = BTreeMap::new();
    let mut text = String::new();
    for form in forms {
        match &form.content {
            Ok(content) => {
                let content = display::value(&form.media_type, content);
                if let ("text/plain", Value::String(plain)) = (&*form.media_type, &content) {
                    text.clone_from(plain);
                }
                data.insert(form.media_type.clone(), content);
            }
            Err(length) => drop(omitted.insert(form.media_type.clone(), *length)),
        }
    }
    Some(InterpreterMessage {
        data: Some(data.into()),
        omitted,
        ..InterpreterMessage::text(InterpreterMessageKind::Display, text)
    })
}
