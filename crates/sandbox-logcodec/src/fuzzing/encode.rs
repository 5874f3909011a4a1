//! Encoding output, read by every kind of client.

use bytes::Bytes;

use super::{Outputs, Source, StockClient, output};
use crate::{Channel, Decoder, Encoder, demux_log};

/// Something that a server does with its encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is output.
    Write(Channel, Vec<u8>),
    /// There is no more for now.
    Flush,
}

/// Any output, written and flushed in any way, reaches every client, but for the one corner.
///
/// # Panics
///
/// Where that does not hold.
pub fn log_encode(input: &[u8]) {
    let mut source = Source(input);
    let limit = 64 + source.byte();
    let mut steps = Vec::new();
    while !source.is_empty() {
        let channel = source.channel();
        // Short writes are where the corners are.
        let length = match source.byte() {
            short @ 0..192 => short % 4,
            long => long,
        };
        steps.push(Step::Write(channel, source.payload(length)));
        if source.byte() % 2 == 0 {
            steps.push(Step::Flush);
        }
    }
    check_encoder(limit, &steps);
}

/// Encodes `steps` in messages of at most `limit` bytes, and has all kinds of clients read them.
///
/// Returns false if the clients before their repair get something else than was written, which they may in the one corner.
///
/// # Panics
///
/// Where something else does not hold.
pub fn check_encoder(limit: usize, steps: &[Step]) -> bool {
    let mut encoder = Encoder::with_message_limit(limit);
    let mut messages = Vec::new();
    let mut written = Outputs::default();
    let mut last_write: &[u8] = &[];
    for step in steps {
        match step {
            Step::Write(channel, payload) => {
                output(&mut written, *channel).extend_from_slice(payload);
                let mut rest = payload.as_slice();
                messages.extend(std::iter::from_fn(|| encoder.encode(*channel, &mut rest)));
                assert!(rest.is_empty());
                if !payload.is_empty() {
                    last_write = payload;
                }
            }
            Step::Flush => match encoder.flush() {
                Some(message) => {
                    messages.push(message);
                    assert_eq!(demux_log(&messages.concat()), written, "a byte waits");
                }
                None => check_waiting(&demux_log(&messages.concat()), &written),
            },
        }
    }
    let sent_before = demux_log(&messages.concat());
    messages.extend(encoder.finish());
    assert_eq!(encoder.finish(), None);

    for message in &messages {
        assert!(!message.is_empty() && message.len() <= limit);
    }
    let log = messages.concat();
    assert!(log.len() <= 7 * (written.0.len() + written.1.len()));
    assert_eq!(demux_log(&log), written, "the whole");
    assert_eq!(decode(&messages), written, "our decoder");
    let repaired = follow(StockClient::repaired(), &messages);
    assert_eq!(repaired, written, "a repaired client");
    let is_exact = follow(StockClient::original(), &messages) == written;
    if !is_exact {
        assert!(
            matches!(last_write, [0x01 | 0x02]),
            "a client before its repair"
        );
        assert!(messages.last().is_some_and(ends_alone));
        check_waiting(&sent_before, &written);
    }
    is_exact
}

/// Only bytes that came alone may not be on their way.
fn check_waiting(sent: &Outputs, written: &Outputs) {
    for (sent, written) in [(&sent.0, &written.0), (&sent.1, &written.1)] {
        assert!(matches!(written[sent.len()..], [] | [0x01 | 0x02]));
    }
}

/// Whether a message ends in a marker and a single byte `01` or `02`.
fn ends_alone(message: &Bytes) -> bool {
    let end = message.last_chunk();
    end.is_some_and(|&[a, b, c, last]| a == b && b == c && matches!((a, last), (1 | 2, 1 | 2)))
}

fn decode(messages: &[Bytes]) -> Outputs {
    let mut decoder = Decoder::new();
    let mut found = Outputs::default();
    for message in messages {
        let mut rest = message.clone();
        while let Some((channel, chunk)) = decoder.decode(&mut rest) {
            output(&mut found, channel).extend_from_slice(&chunk);
        }
    }
    if let Some((channel, chunk)) = decoder.finish() {
        output(&mut found, channel).extend_from_slice(&chunk);
    }
    found
}

fn follow(mut client: StockClient, messages: &[Bytes]) -> Outputs {
    for message in messages {
        client.receive(message);
    }
    client.finish()
}
