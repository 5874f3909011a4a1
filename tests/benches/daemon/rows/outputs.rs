//! Outputs of commands.

use std::io::sink;
use std::time::Instant;

use sandbox_process::Process;
use sandbox_process::transport::ExecEvent;

use super::FEW;
use crate::bare;
use crate::measure::{Goal, Row, Unit, rate};

/// Nearly what a response has room for.
const RESPONSE_BYTES: u64 = 60 << 20;
const STREAM_BYTES: u64 = 64 << 20;

/// A whole output in one response.
pub(crate) async fn whole(over: &str, process: &Process) -> Vec<Row> {
    let text = format!("head -c {RESPONSE_BYTES} /dev/zero | tr '\\0' x");
    let words = ["/bin/bash", "-c", &text];
    let row = Row::in_turns(
        (format!("60 MiB in one response, {over}"), Unit::Rate, FEW),
        "the same pipeline, read into memory",
        async || bare::collect(&words, RESPONSE_BYTES),
        async || {
            let started = Instant::now();
            let outcome = process.exec(&text).await.expect("an outcome");
            assert_eq!(outcome.stdout.len() as u64, RESPONSE_BYTES);
            rate(RESPONSE_BYTES, started)
        },
    );
    vec![row.await.goal(Goal::Ratio(0.67))]
}

/// An output as it is written.
pub(crate) async fn streamed(over: &str, process: &Process) -> Vec<Row> {
    let text = format!("head -c {STREAM_BYTES} /dev/zero");
    let words = ["/bin/bash", "-c", &text];
    let row = Row::in_turns(
        (format!("64 MiB streamed, {over}"), Unit::Rate, FEW),
        "a pipe, then a loopback socket",
        async || bare::through_a_socket(&words, STREAM_BYTES, &mut sink()),
        async || {
            let started = Instant::now();
            let mut running = process.exec(&text).spawn().await.expect("a command");
            let mut length = 0;
            while let Some(event) = running.next().await {
                if let ExecEvent::Output { bytes, .. } = event.expect("output") {
                    length += bytes.len() as u64;
                }
            }
            assert_eq!(length, STREAM_BYTES);
            rate(STREAM_BYTES, started)
        },
    );
    vec![row.await.goal(Goal::Ratio(0.8))]
}
