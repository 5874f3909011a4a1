//! Does one thing a number of times, for a program that counts instructions: times mean little on a machine that others use, too.
//!
//! `cargo xtask test instructions` runs it by callgrind, and compares with `instructions.txt`.

use std::fs::File;
use std::future::{Future, ready};
use std::hint::black_box;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use sandbox_engine::spawner::{ChildFd, Exited, SpawnError, SpawnSpec, Spawned, Spawner};
use sandbox_engine::{Engine, RunOptions, Termination};
use sandbox_logcodec::{Channel, Decoder, Encoder, mux_log};

const BYTES: usize = 1 << 20;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // Cargo runs it with its own arguments.
    let [name, count] = &arguments[..] else {
        return;
    };
    let count = count.parse().expect("a number");
    match name.as_str() {
        "decode-64k" => decode(64 << 10, count),
        "decode-16" => decode(16, count),
        "encode-64k" => encode(64 << 10, count),
        "encode-16" => encode(16, count),
        "exec" => exec(0, count),
        "exec-60k" => exec(60_000, count),
        name => panic!("{name} is not known"),
    }
}

/// Payload, as a compiler might print it.
fn text() -> Vec<u8> {
    let line = b"   Compiling sandbox-logcodec v0.1.0 (crates/sandbox-logcodec)\n";
    line.iter().copied().cycle().take(BYTES).collect()
}

fn records(text: &[u8], record: usize) -> impl Iterator<Item = (Channel, &[u8])> {
    let channels = [Channel::Stdout, Channel::Stderr].into_iter().cycle();
    channels.zip(text.chunks(record))
}

/// Decodes 1 MiB.
fn decode(record: usize, count: usize) {
    let log = mux_log(records(&text(), record));
    for _ in 0..count {
        let (mut decoder, mut rest) = (Decoder::new(), black_box(log.as_slice()));
        while let Some(chunk) = decoder.decode_slice(&mut rest) {
            black_box(chunk);
        }
    }
}

/// Encodes 1 MiB.
fn encode(record: usize, count: usize) {
    let text = text();
    for _ in 0..count {
        let mut encoder = Encoder::new();
        for (channel, mut payload) in records(black_box(&text), record) {
            while let Some(message) = encoder.encode(channel, &mut payload) {
                black_box(message);
            }
        }
        black_box(encoder.finish());
    }
}

/// Runs a command to its end that writes some bytes: what the engine does for it, but not the start of a process, of which
/// callgrind knows no more than `fork`.
fn exec(bytes: usize, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().shell("/bin/sh").cold();
        let engine = engine.spawner(Played { bytes }).build();
        let engine = engine.expect("an engine");
        for _ in 0..count {
            let outcome = engine.exec("true", RunOptions::default()).await;
            let outcome = outcome.expect("an outcome");
            assert_eq!(outcome.termination, ENDED);
            let output = outcome.output.merged;
            assert_eq!(output.head.len() + output.tail.len(), bytes);
        }
        engine.shutdown().await;
    });
}

/// Starts processes that write their output, no more than a pipe holds, and exit.
#[derive(Debug)]
struct Played {
    bytes: usize,
}

const ENDED: Termination = Termination::Exited { code: 0 };

impl Spawner for Played {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        let fds = spec.fds.iter().enumerate().map(|(number, fd)| {
            let ChildFd::Output = fd else {
                return None;
            };
            let (read, write) = std::io::pipe().expect("a pipe");
            if number == 1 {
                let text = vec![b'x'; self.bytes];
                File::from(OwnedFd::from(write))
                    .write_all(&text)
                    .expect("a pipe that holds it");
            }
            Some(OwnedFd::from(read))
        });
        let spawned = Spawned {
            // No process has it, so that a signal reaches none.
            pid: i32::MAX as u32,
            tag: None,
            fds: fds.collect(),
            exit: Box::pin(ready(Ok(Exited::from(ENDED)))),
        };
        Box::pin(ready(Ok(spawned)))
    }
}
