//! What the same operations cost over each carrier, in the same run.
//!
//! `cargo xtask bench carriers`. Medians of rounds in which the carriers take turns, so that a machine whose speed drifts
//! drifts for all of them. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::time::{Duration, Instant};

use sandbox_process::transport::{
    ExecEvent, ExecRequest, ExecStreamRequest, LogEvent, LogOptions, LogSource, PtyConnection,
    PtyEvent, PtyRequest, SessionExecuteRequest,
};
use sandbox_tests::{Carrier, Sandbox};

const ROUNDS: usize = 300;
const ROUNDS_OF_STREAMS: usize = 7;
const STREAM_BYTES: u64 = 64 << 20;

type Times = [Vec<Duration>; 4];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut sandboxes = Vec::new();
        for carrier in Carrier::ALL {
            let sandbox = Sandbox::over(carrier).await;
            let session = sandbox.process.api().create_session("s".into()).await;
            session.expect("a session");
            sandboxes.push(sandbox);
        }
        println!(
            "{:<28}{:>12}{:>12}{:>12}{:>12}",
            "", "http/tcp", "http/unix", "grpc/tcp", "grpc/unix"
        );
        exec(&sandboxes).await;
        session(&sandboxes).await;
        echo(&sandboxes).await;
        streamed(&sandboxes).await;
        followed(&sandboxes).await;
        for sandbox in sandboxes {
            sandbox.shutdown().await;
        }
    });
}

async fn exec(sandboxes: &[Sandbox]) {
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        for (times, sandbox) in times.iter_mut().zip(sandboxes) {
            let run = async { drop(sandbox.process.exec("true").await.expect("an answer")) };
            times.push(time(run).await);
        }
    }
    report_times("exec of `true`, us", &mut times);
}

async fn session(sandboxes: &[Sandbox]) {
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        for (times, sandbox) in times.iter_mut().zip(sandboxes) {
            let request = SessionExecuteRequest::new("true");
            let run = async {
                let run = sandbox.process.api().session_execute("s", request);
                drop(run.await.expect("an answer"));
            };
            times.push(time(run).await);
        }
    }
    report_times("session command, us", &mut times);
}

/// A key that is typed, until it is shown.
async fn echo(sandboxes: &[Sandbox]) {
    let mut times = Times::default();
    let mut terminals = Vec::new();
    for sandbox in sandboxes {
        let request = PtyRequest {
            id: "echo".to_owned(),
            env: [("HOME".to_owned(), "/no/home".to_owned())].into(),
            ..PtyRequest::default()
        };
        let opened = sandbox.process.api().open_pty(request).await;
        let mut terminal = opened.expect("a terminal");
        // The echo of the kernel, without a shell behind it.
        let quiet = "cat > /dev/null; echo\n";
        terminal.control.write(quiet.into()).await.expect("room");
        shown(&mut terminal, b"echo\r\n").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        terminals.push(terminal);
    }
    for round in 0..ROUNDS {
        let key = b'a' + u8::try_from(round % 26).expect("a letter");
        for (times, terminal) in times.iter_mut().zip(&mut terminals) {
            let typing = async {
                terminal
                    .control
                    .write(vec![key].into())
                    .await
                    .expect("room");
                shown(terminal, &[key]).await;
            };
            times.push(time(typing).await);
        }
    }
    report_times("echo of a terminal, us", &mut times);
}

async fn shown(terminal: &mut PtyConnection, text: &[u8]) {
    let mut seen = Vec::new();
    while !seen.windows(text.len()).any(|found| found == text) {
        match terminal.events.next().await {
            Some(Ok(PtyEvent::Output { bytes })) => seen.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
}

fn zeros() -> String {
    format!("head -c {STREAM_BYTES} /dev/zero")
}

async fn streamed(sandboxes: &[Sandbox]) {
    let mut times = Times::default();
    for _ in 0..ROUNDS_OF_STREAMS {
        for (times, sandbox) in times.iter_mut().zip(sandboxes) {
            let run = async {
                let request = ExecStreamRequest {
                    request: ExecRequest::new(zeros()),
                    ..ExecStreamRequest::default()
                };
                let started = sandbox.process.api().execute_stream(request).await;
                let mut events = started.expect("a command").events;
                let mut length = 0;
                while let Some(event) = events.next().await {
                    if let ExecEvent::Output { bytes, .. } = event.expect("output") {
                        length += bytes.len() as u64;
                    }
                }
                assert_eq!(length, STREAM_BYTES);
            };
            times.push(time(run).await);
        }
    }
    report_rates("exec, streamed, MB/s", &mut times);
}

async fn followed(sandboxes: &[Sandbox]) {
    let mut times = Times::default();
    let mut sources = Vec::new();
    for sandbox in sandboxes {
        let request = SessionExecuteRequest {
            run_async: true,
            ..SessionExecuteRequest::new(zeros())
        };
        let started = sandbox.process.api().session_execute("s", request).await;
        let source = LogSource::command("s", started.expect("a command").command_id);
        follow(sandbox, &source).await;
        sources.push(source);
    }
    for _ in 0..ROUNDS_OF_STREAMS {
        for ((times, sandbox), source) in times.iter_mut().zip(sandboxes).zip(&sources) {
            times.push(time(follow(sandbox, source)).await);
        }
    }
    report_rates("log, followed, MB/s", &mut times);
}

async fn follow(sandbox: &Sandbox, source: &LogSource) {
    let log = sandbox.process.api();
    let log = log.follow_log(source.clone(), LogOptions::new()).await;
    let mut log = log.expect("a log");
    let mut length = 0;
    while let Some(event) = log.next().await {
        if let LogEvent::Output { bytes, .. } = event.expect("output") {
            length += bytes.len() as u64;
        }
    }
    assert_eq!(length, STREAM_BYTES);
}

async fn time(work: impl Future<Output = ()>) -> Duration {
    let begin = Instant::now();
    work.await;
    begin.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn report_times(what: &str, times: &mut Times) {
    print!("{what:<28}");
    for times in times {
        print!("{:>12}", median(times).as_micros());
    }
    println!();
}

fn report_rates(what: &str, times: &mut Times) {
    print!("{what:<28}");
    for times in times {
        let bytes = f64::from(u32::try_from(STREAM_BYTES).expect("few"));
        print!("{:>12.0}", bytes / 1e6 / median(times).as_secs_f64());
    }
    println!();
}
