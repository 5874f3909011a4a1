//! The codec of the two-channel log.

use std::hint::black_box;
use std::time::Instant;

use sandbox_logcodec::{Channel, Decoder, Encoder, mux_log};

use super::FEW;
use crate::measure::{Goal, Row, Samples, Unit, rate};

const BYTES: usize = 16 << 20;

/// Records of a length, and the part of the limit that is to be reached.
const RECORDS: [(&str, usize, f64); 2] = [("64 KiB", 64 << 10, 0.5), ("16 byte", 16, 0.2)];

pub(crate) fn rows() -> Vec<Row> {
    let line = b"   Compiling sandbox-logcodec v0.1.0 (crates/sandbox-logcodec)\n";
    let text: Vec<u8> = line.iter().copied().cycle().take(BYTES).collect();
    let mut rows = Vec::new();
    for (what, record, goal) in RECORDS {
        let channels = [Channel::Stdout, Channel::Stderr].into_iter().cycle();
        let log = mux_log(channels.clone().zip(text.chunks(record)));
        let (decoded, searched) = in_turns(
            || {
                let (mut decoder, mut rest) = (Decoder::new(), log.as_slice());
                while let Some(chunk) = decoder.decode_slice(&mut rest) {
                    black_box(chunk);
                }
            },
            || {
                for record in black_box(&text).chunks(record) {
                    black_box(memchr::memchr(0x01, record));
                }
            },
        );
        let (encoded, copied) = in_turns(
            || {
                let mut encoder = Encoder::new();
                for (channel, mut payload) in channels.clone().zip(text.chunks(record)) {
                    while let Some(message) = encoder.encode(channel, &mut payload) {
                        black_box(message);
                    }
                }
            },
            || {
                let mut out = Vec::with_capacity(64 << 10);
                for record in black_box(&text).chunks(record) {
                    out.clear();
                    out.extend_from_slice(black_box(record));
                    black_box(&out);
                }
            },
        );
        for (verb, ours, limit, other) in [
            ("decode", decoded, "memchr", searched),
            ("encode", encoded, "memcpy", copied),
        ] {
            let row = Row::new(format!("{verb} {what} records"), Unit::Rate, ours);
            rows.push(row.limit(limit, other).goal(Goal::Ratio(goal)));
        }
    }
    rows
}

fn in_turns(one: impl Fn(), other: impl Fn()) -> (Samples, Samples) {
    let (mut ones, mut others) = (Samples::default(), Samples::default());
    for _ in 0..4 * FEW {
        for (samples, work) in [(&mut ones, &one as &dyn Fn()), (&mut others, &other)] {
            let started = Instant::now();
            work();
            samples.add(rate(BYTES, started));
        }
    }
    (ones, others)
}
