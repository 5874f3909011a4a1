//! How fast payload goes through, in bytes of payload per second, beside what the machine can do with the same bytes.
//!
//! `cargo bench -p sandbox-logcodec`. Each bench handles 1 MiB of text that changes its channel after every `record` bytes;
//! the columns of allocations show that they do not grow with the number of records.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use sandbox_logcodec::frame::{Reader, Writer};
use sandbox_logcodec::{Channel, Decoder, Encoder, TextDecoder, demux_log, mux_log};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const PAYLOAD: usize = 1024 * 1024;
const RECORDS: [usize; 2] = [64 * 1024, 16];

fn main() {
    divan::main();
}

/// Payload, as a compiler might print it.
fn text() -> Vec<u8> {
    let line = b"   Compiling sandbox-logcodec v0.1.0 (crates/sandbox-logcodec)\n";
    line.iter().copied().cycle().take(PAYLOAD).collect()
}

fn records(text: &[u8], record: usize) -> impl Iterator<Item = (Channel, &[u8])> {
    let channels = [Channel::Stdout, Channel::Stderr].into_iter().cycle();
    channels.zip(text.chunks(record))
}

fn frames(record: usize) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new();
    for (channel, payload) in records(&text(), record) {
        writer.encode(channel, payload, &mut out);
    }
    out
}

/// What it costs to copy the payload, record by record.
#[divan::bench(args = RECORDS)]
fn baseline_memcpy(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let mut out = Vec::with_capacity(PAYLOAD);
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        out.clear();
        for record in black_box(&text).chunks(record) {
            out.extend_from_slice(record);
        }
        black_box(out.len())
    });
}

/// What it costs to look for a byte, record by record.
#[divan::bench(args = RECORDS)]
fn baseline_memchr(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        let found = |record| memchr::memchr(0x01, record).is_some();
        black_box(&text)
            .chunks(record)
            .filter(|record| found(record))
            .count()
    });
}

/// What it costs to slice `Bytes` record by record and to drop the slices, without looking at them.
#[divan::bench(args = [16])]
fn baseline_slice(bencher: Bencher<'_, '_>, record: usize) {
    let text = Bytes::from(text());
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        let mut rest = text.clone();
        while !rest.is_empty() {
            black_box(rest.split_to(record));
        }
    });
}

#[divan::bench(args = RECORDS)]
fn decode(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let log = Bytes::from(mux_log(records(&text, record)));
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        let mut decoder = Decoder::new();
        let mut rest = log.clone();
        while let Some(chunk) = decoder.decode(&mut rest) {
            black_box(chunk);
        }
    });
}

#[divan::bench(args = RECORDS)]
fn decode_slice(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let log = mux_log(records(&text, record));
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        let mut decoder = Decoder::new();
        let mut rest = log.as_slice();
        while let Some(chunk) = decoder.decode_slice(&mut rest) {
            black_box(chunk);
        }
    });
}

#[divan::bench(args = RECORDS)]
fn decode_text(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let log = mux_log(records(&text, record));
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        let mut decoder = Decoder::new();
        let mut text = TextDecoder::new();
        let mut rest = log.as_slice();
        while let Some((channel, chunk)) = decoder.decode_slice(&mut rest) {
            black_box(text.decode(channel, chunk));
        }
    });
}

#[divan::bench(args = RECORDS)]
fn demux(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let log = mux_log(records(&text, record));
    bencher
        .counter(BytesCount::new(PAYLOAD))
        .bench_local(|| demux_log(black_box(&log)));
}

#[divan::bench(args = RECORDS)]
fn encode(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let mut encoder = Encoder::new();
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        for (channel, mut payload) in records(&text, record) {
            while let Some(message) = encoder.encode(channel, &mut payload) {
                black_box(message);
            }
        }
        black_box(encoder.finish())
    });
}

#[divan::bench(args = RECORDS)]
fn encode_frames(bencher: Bencher<'_, '_>, record: usize) {
    let text = text();
    let mut out = frames(record);
    bencher.counter(BytesCount::new(PAYLOAD)).bench_local(|| {
        out.clear();
        let mut writer = Writer::new();
        for (channel, payload) in records(&text, record) {
            writer.encode(channel, payload, &mut out);
        }
        black_box(out.len())
    });
}

#[divan::bench(args = RECORDS)]
fn decode_frames(bencher: Bencher<'_, '_>, record: usize) {
    let frames = frames(record);
    bencher
        .counter(BytesCount::new(PAYLOAD))
        .with_inputs(|| frames.clone())
        .bench_local_values(|mut rest| {
            let mut reader = Reader::new();
            while let Ok(Some(frame)) = reader.decode(&mut rest) {
                black_box(frame);
            }
        });
}
