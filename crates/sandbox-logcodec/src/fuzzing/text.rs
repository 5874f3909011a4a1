//! Reading channels as text.

use super::Source;
use crate::{Channel, TextDecoder};

/// Chunks of both channels, cut anywhere, give the text of the whole.
///
/// # Panics
///
/// Where that does not hold.
pub fn log_text(input: &[u8]) {
    let mut source = Source(input);
    let mut decoder = TextDecoder::new();
    let mut bytes = [Vec::new(), Vec::new()];
    let mut texts = [String::new(), String::new()];
    while !source.is_empty() {
        let channel = source.channel();
        let most = source.byte() % 8;
        let chunk = source.bytes(most);
        bytes[channel.index()].extend_from_slice(chunk);
        texts[channel.index()].push_str(&decoder.decode(channel, chunk));
    }
    for channel in [Channel::Stdout, Channel::Stderr] {
        texts[channel.index()].push_str(decoder.finish(channel));
        assert_eq!(
            texts[channel.index()],
            String::from_utf8_lossy(&bytes[channel.index()])
        );
    }
}
