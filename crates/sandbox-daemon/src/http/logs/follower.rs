//! Reads a record as messages.

use std::collections::VecDeque;

use bytes::Bytes;
use sandbox_engine::record::{Cursor, Piece};
use sandbox_logcodec::Channel;
use tokio_tungstenite::tungstenite::Message;

use super::Rendering;
use crate::http::ws::{Close, Source};
use crate::limits::LOG_PIECE_BYTES;

/// Follows a record at the pace at which its messages are taken.
///
/// Holds one piece of the record, which is shared, and a few messages made of it.
#[derive(Debug)]
pub(in crate::http) struct Follower {
    cursor: Cursor,
    rendering: Rendering,
    /// Output that was read and not rendered yet.
    rest: Option<(Channel, Bytes)>,
    /// Messages that are rendered and not taken yet.
    full: VecDeque<Bytes>,
}

impl Follower {
    pub(in crate::http) fn new(cursor: Cursor, rendering: Rendering) -> Self {
        Self {
            cursor,
            rendering,
            rest: None,
            full: VecDeque::new(),
        }
    }

    /// Reads the first piece if it is there, and returns how many bytes are missing before it.
    pub(in crate::http) fn begin(&mut self) -> u64 {
        let piece = self.cursor.try_next();
        let gone = match &piece {
            Some(Piece::Gap { length, .. }) => *length,
            _ => 0,
        };
        if let Some(piece) = piece {
            self.take(piece);
        }
        gone
    }

    /// Returns how many bytes of the log are missing that the form itself cannot report.
    pub(in crate::http) fn unreported_gap(&self) -> u64 {
        self.rendering.unreported_gap()
    }

    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Data { channel, bytes, .. } => self.rest = Some((channel, bytes)),
            Piece::Gap { length, .. } => self.rendering.skip(length, &mut self.full),
        }
    }
}

impl Source for Follower {
    type Message = Bytes;

    fn ready(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.full.pop_front() {
                return Some(message);
            }
            if let Some((channel, mut bytes)) = self.rest.take() {
                // In parts: a rendering is a copy, and of a whole piece it would be one that waits
                // for the client.
                let some = bytes.split_to(bytes.len().min(LOG_PIECE_BYTES));
                self.rendering.push(channel, &some, &mut self.full);
                self.rest = Some((channel, bytes)).filter(|(_, bytes)| !bytes.is_empty());
                continue;
            }
            match self.cursor.try_next() {
                Some(piece) => self.take(piece),
                // At the end the rendering also sends what it holds back for more output.
                None if self.cursor.at_end() => return self.rendering.finish(),
                None => return self.rendering.flush(),
            }
        }
    }

    async fn wait(&mut self) -> bool {
        match self.cursor.next().await {
            Some(piece) => {
                self.take(piece);
                true
            }
            None => false,
        }
    }

    async fn finish(&mut self) -> (Vec<Message>, Close) {
        let close = Close::normal().unless_missing(self.unreported_gap(), "the log");
        (Vec::new(), close)
    }
}
