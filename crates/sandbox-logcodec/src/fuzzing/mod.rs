//! The bodies of the fuzz targets: what must hold for every input.
//!
//! Each takes the bytes that a fuzzer made up and panics where a promise is broken. Tests run them on the stable compiler.

mod decode;
mod encode;
mod frame;
mod stock;
mod text;

pub use decode::log_decode;
pub use encode::{Step, check_encoder, log_encode};
pub use frame::log_frame;
pub use stock::StockClient;
pub use text::log_text;

use crate::channel::Channel;

/// What a reader found: the bytes of each channel.
pub type Outputs = (Vec<u8>, Vec<u8>);

fn output(outputs: &mut Outputs, channel: Channel) -> &mut Vec<u8> {
    match channel {
        Channel::Stdout => &mut outputs.0,
        Channel::Stderr => &mut outputs.1,
    }
}

/// Takes decisions, and bytes that are mostly the interesting ones, off a fuzzer's input.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// The next byte; zeros at the end.
    fn byte(&mut self) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first)
    }

    fn channel(&mut self) -> Channel {
        match self.byte() % 2 {
            0 => Channel::Stdout,
            _ => Channel::Stderr,
        }
    }

    /// Up to `most` of the next bytes.
    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        first
    }

    /// Up to `most` bytes of payload, of which three in four are `01` or `02`.
    fn payload(&mut self, most: usize) -> Vec<u8> {
        let dense = |&byte: &u8| match byte % 8 {
            0..=2 => 0x01,
            3..=5 => 0x02,
            _ => byte,
        };
        self.bytes(most).iter().map(dense).collect()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
