//! A model of the stock streaming clients, as they behave.

use super::{Outputs, output};
use crate::channel::Channel;
use crate::marker;

/// What a stock client makes of the messages of a follower.
///
/// It collects bytes. Of these it holds back the last two where they are `01` or `02`, or the last one where only that is,
/// and two in any case while there are less than three; of three bytes that end in `01` or `02` it holds back two. When
/// the rest is not empty, it looks for the leftmost marker: before the repair in the rest only, after it in everything. The
/// bytes before a marker are output, or without one the rest is. At the end what was held back is output.
#[derive(Debug)]
pub struct StockClient {
    is_repaired: bool,
    buffer: Vec<u8>,
    channel: Option<Channel>,
    outputs: Outputs,
}

impl StockClient {
    /// A client of Python up to 0.190 or TypeScript up to 0.218.
    pub fn original() -> Self {
        Self {
            is_repaired: false,
            buffer: Vec::new(),
            channel: None,
            outputs: Outputs::default(),
        }
    }

    /// A client of Python from 0.226 on.
    pub fn repaired() -> Self {
        Self {
            is_repaired: true,
            ..Self::original()
        }
    }

    /// Takes a message.
    pub fn receive(&mut self, message: &[u8]) {
        self.buffer.extend_from_slice(message);
        loop {
            let safe = self.buffer.len().saturating_sub(self.held_back());
            if safe == 0 {
                return;
            }
            let searched = if self.is_repaired {
                self.buffer.len()
            } else {
                safe
            };
            let Some((at, next)) = marker::find(&self.buffer[..searched]) else {
                return self.emit(safe);
            };
            self.emit(at);
            self.buffer.drain(..marker::LENGTH);
            self.channel = Some(next);
        }
    }

    /// Ends the stream and returns what was output.
    pub fn finish(mut self) -> Outputs {
        self.emit(self.buffer.len());
        self.outputs
    }

    fn held_back(&self) -> usize {
        let may_begin_marker = |byte: u8| Channel::from_byte(byte).is_some();
        match self.buffer[..] {
            [_, _, .., last] if !may_begin_marker(last) => 0,
            [_, _, .., last_but_one, _] if !may_begin_marker(last_but_one) => 1,
            _ => 2,
        }
    }

    fn emit(&mut self, length: usize) {
        let payload = self.buffer.drain(..length);
        if let Some(channel) = self.channel {
            output(&mut self.outputs, channel).extend(payload);
        }
    }
}
