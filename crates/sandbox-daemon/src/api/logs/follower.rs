//! A reader of a record, as messages.

use std::collections::VecDeque;

use bytes::Bytes;
use sandbox_engine::record::{Cursor, Piece};

use super::Rendering;
use crate::ws::Source;

/// Follows a record at the pace at which its messages are taken.
#[derive(Debug)]
pub(super) struct Follower {
    cursor: Cursor,
    rendering: Rendering,
    /// Full messages of the last piece.
    full: VecDeque<Bytes>,
}

impl Follower {
    pub(super) fn new(cursor: Cursor, rendering: Rendering) -> Self {
        Self {
            cursor,
            rendering,
            full: VecDeque::new(),
        }
    }

    /// Reads the first piece if it is there, and returns how many bytes are missing before it.
    pub(super) fn begin(&mut self) -> u64 {
        match self.cursor.try_next() {
            Some(Piece::Gap { length, .. }) => length,
            Some(piece) => {
                self.rendering.push(piece, &mut self.full);
                0
            }
            None => 0,
        }
    }
}

impl Source for Follower {
    fn ready(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.full.pop_front() {
                return Some(message);
            }
            match self.cursor.try_next() {
                Some(piece) => self.rendering.push(piece, &mut self.full),
                None if self.cursor.at_end() => return self.rendering.finish(),
                None => return self.rendering.flush(),
            }
        }
    }

    async fn wait(&mut self) -> bool {
        match self.cursor.next().await {
            Some(piece) => {
                self.rendering.push(piece, &mut self.full);
                true
            }
            None => false,
        }
    }
}
