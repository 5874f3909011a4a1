//! The process of the daemon: its start and its memory.

use std::time::{Duration, Instant};

use super::{FEW, exec, round_trip};
use crate::measure::{Goal, Row, Samples, Unit};
use crate::serve::Daemon;

/// What memory may be used after a load, more than before.
const RETAINED: Goal = Goal::Within(10e6);

pub(crate) async fn rows() -> Vec<Row> {
    let (mut listens, mut starts, mut idle) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..2 * FEW {
        let started = Instant::now();
        let daemon = Daemon::tcp();
        round_trip(&daemon.client()).await;
        starts.add(started.elapsed().as_secs_f64());
        listens.add(daemon.started_in);
        idle.add(daemon.resident());
    }
    let mut rows = vec![
        Row::new("start, to the first response", Unit::Time, starts).goal(Goal::Within(5e-3)),
        Row::new("start, until it listens", Unit::Time, listens),
        Row::new("idle, resident", Unit::Memory, idle).goal(Goal::Within(10e6)),
    ];
    let daemon = Daemon::tcp();
    for (over, process) in [("HTTP", daemon.client()), ("gRPC", daemon.grpc())] {
        exec(&process).await;
        let before = daemon.resident();
        for _ in 0..FEW {
            let text = "head -c 60000000 /dev/zero | tr '\\0' x";
            process.exec(text).await.expect("an outcome");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let name = format!("resident 1 s after 60 MB outputs, over idle, {over}");
        let row = Row::new(name, Unit::Memory, daemon.resident() - before);
        rows.push(row.goal(RETAINED));
    }
    rows
}
