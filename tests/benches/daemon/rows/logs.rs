//! Logs of commands in sessions, and lists of them.

use std::io::sink;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use sandbox_process::transport::{
    LogEvent, LogOptions, LogSource, LogStream, SessionExecuteRequest,
};
use sandbox_process::{Process, Session};

use super::{FEW, ROUNDS, id, round_trip};
use crate::bare;
use crate::measure::{Goal, Row, Samples, Unit, rate, time};

const OUTPUT_BYTES: u64 = 64 << 20;
/// The part of it that each of many followers reads.
const PART_BYTES: u64 = 2 << 20;
const MANY: u64 = 100;

/// Lines that have the time at which they are written.
const TIMES: &str = "{ for i in {1..60}; do echo $EPOCHREALTIME; read -t 0.005 -u 9; done; \
                     echo $EPOCHREALTIME; } 9<> <(:)";

pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    let session = process.create_session(id()).await.expect("a session");
    let mut rows = delays(process, &session).await;
    let source = start(process, &session, "echo small".to_owned()).await;
    drain(follow(process, source.clone()).await).await;
    let small = Row::in_turns(
        ("log of one line, read", Unit::Time, ROUNDS),
        "round trip of `/version`",
        async || round_trip(process).await,
        async || {
            time(async {
                process.api().logs(source.clone()).await.expect("a log");
            })
            .await
        },
    );
    rows.push(small.await.goal(Goal::Ratio(1.5)));
    rows.extend(bulk(process, &session).await);
    session.delete().await.expect("its end");
    rows
}

/// How long after it was written a line is received, and the end is known.
async fn delays(process: &Process, session: &Session) -> Vec<Row> {
    let (mut bare, mut bare_ends) = (Samples::default(), Samples::default());
    let (mut ours, mut ends) = (Samples::default(), Samples::default());
    for _ in 0..FEW {
        let (delays, end) = tokio::task::spawn_blocking(|| {
            bare::delays(bare::behind_a_socket(&["/bin/bash", "-c", TIMES]))
        })
        .await
        .expect("delays");
        bare.add(delays.median());
        bare_ends.add(end);
        let mut log = follow(process, start(process, session, TIMES.to_owned()).await).await;
        let (mut delays, mut last) = (Samples::default(), 0.0);
        while let Some(bytes) = next(&mut log).await {
            let text = String::from_utf8_lossy(&bytes);
            // The first may have been written before it was followed.
            last = text.trim().lines().last().map_or(0.0, |line| {
                line.parse().expect("a time, which bash 5 reports")
            });
            delays.add(bare::now() - last);
        }
        ends.add(bare::now() - last);
        ours.add(delays.median());
    }
    vec![
        Row::new("log, followed: written to received", Unit::Time, ours)
            .limit("a pipe, then a loopback socket", bare)
            .goal(Goal::Within(0.3e-3)),
        Row::new("log, followed: last byte to its end", Unit::Time, ends)
            .limit("a pipe, then a loopback socket", bare_ends)
            .goal(Goal::Within(0.3e-3)),
    ]
}

/// Logs that are as long as they may be.
async fn bulk(process: &Process, session: &Session) -> Vec<Row> {
    let text = format!("head -c {OUTPUT_BYTES} /dev/zero");
    let words = ["/bin/bash", "-c", &text];
    let one = async || {
        let source = start(process, session, text.clone()).await;
        let started = Instant::now();
        let log = follow(process, source).await;
        assert_eq!(drain(log).await, OUTPUT_BYTES);
        rate(OUTPUT_BYTES, started)
    };
    let one_row = Row::in_turns(
        ("log of 64 MiB, followed", Unit::Rate, FEW),
        "a pipe, then a loopback socket",
        async || bare::through_a_socket(&words, OUTPUT_BYTES, &mut sink()),
        one,
    );
    let one_row = one_row.await.goal(Goal::Ratio(0.8));

    let part = start(process, session, format!("head -c {PART_BYTES} /dev/zero")).await;
    assert_eq!(drain(follow(process, part.clone()).await).await, PART_BYTES);
    let total = MANY * PART_BYTES;
    let (text, all) = (format!("head -c {total} /dev/zero"), part.clone());
    let words = ["/bin/bash", "-c", &text];
    let many = Row::in_turns(
        ("log of 2 MiB, 100 followers, all of them", Unit::Rate, FEW),
        "as many bytes through a pipe and a loopback socket",
        async || bare::through_a_socket(&words, total, &mut sink()),
        async || {
            let started = Instant::now();
            let follow_one = async |_| drain(follow(process, all.clone()).await).await;
            let lengths = join_all((0..MANY).map(follow_one)).await;
            assert_eq!(lengths.iter().sum::<u64>(), total);
            rate(total, started)
        },
    );
    let many = many.await.goal(Goal::Ratio(0.8));

    let alone = crate::measure::repeat(FEW, one).await;
    let idle: Vec<_> = join_all((1..MANY).map(|_| follow(process, part.clone()))).await;
    let beside = crate::measure::repeat(FEW, one).await;
    drop(idle);
    vec![
        one_row,
        many,
        Row::new(
            "log of 64 MiB, beside 99 that read nothing",
            Unit::Rate,
            beside,
        )
        .limit("the same without them", alone)
        .goal(Goal::Ratio(0.8)),
    ]
}

/// Lists of the commands of a session.
pub(crate) async fn lists(process: &Process) -> Vec<Row> {
    let (mut rows, mut one) = (Vec::new(), 0.0);
    let session = process.create_session(id()).await.expect("a session");
    // The others wait.
    start(process, &session, "sleep 300".to_owned()).await;
    let mut length = 1_u32;
    for wanted in [1_u32, 100, 10_000] {
        while length < wanted {
            let some = (wanted - length).min(50);
            let begun = (0..some).map(|_| start(process, &session, ":".to_owned()));
            length += u32::try_from(join_all(begun).await.len()).expect("few");
        }
        let list = async || {
            time(async {
                let info = session.info().await.expect("a session");
                assert_eq!(info.commands.len(), wanted as usize);
            })
            .await
        };
        let (name, trip) = (
            format!("list of {wanted} commands"),
            "round trip of `/version`",
        );
        let rounds = if wanted > 1000 { 4 * FEW } else { ROUNDS };
        let turns = (name, Unit::Time, rounds);
        let row = Row::in_turns(turns, trip, async || round_trip(process).await, list).await;
        if wanted == 1 {
            one = row.value();
        }
        let each = (row.value() - one) / f64::from(wanted.max(2) - 1);
        rows.push(row);
        if wanted == 10_000 {
            let each = Row::new("list, each further command", Unit::Time, each);
            rows.push(each.goal(Goal::Within(1e-6)));
        }
    }
    session.delete().await.expect("its end");
    rows
}

async fn start(process: &Process, session: &Session, command: String) -> LogSource {
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new(command)
    };
    let started = process.api().session_execute(session.id(), request).await;
    LogSource::command(session.id(), started.expect("a command").command_id)
}

async fn follow(process: &Process, source: LogSource) -> LogStream {
    let log = process.api().follow_log(source, LogOptions::new()).await;
    log.expect("a log")
}

async fn next(log: &mut LogStream) -> Option<Bytes> {
    loop {
        if let LogEvent::Output { bytes, .. } = log.next().await?.expect("output") {
            return Some(bytes);
        }
    }
}

/// Reads a log to its end. Returns its length.
async fn drain(mut log: LogStream) -> u64 {
    let mut length = 0;
    while let Some(bytes) = next(&mut log).await {
        length += bytes.len() as u64;
    }
    length
}
