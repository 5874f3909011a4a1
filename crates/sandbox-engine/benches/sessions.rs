//! What a session's command costs in each shell, beside a bare process, in the same run; and how fast output goes through.
//!
//! `cargo xtask bench sessions`. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bare process is the other contestant"
)]

use std::process::Command as Bare;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sandbox_engine::record::Piece;
use sandbox_engine::{Command, CommandOptions, Engine, Session, SessionOptions};

const ROUNDS: usize = 400;
const ROUNDS_OF_SESSIONS: usize = 40;
const BYTES: u64 = 1_000_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().build().expect("an engine");
        println!("medians                       bare      ':'  /bin/true   create   delete");
        for shell in ["/bin/bash", "/bin/dash", "/bin/zsh", "/bin/busybox"] {
            if std::path::Path::new(shell).exists() {
                costs(&engine, shell).await;
            }
        }
        follow_ends(&engine).await;
        throughput(&engine).await;
    });
}

async fn costs(engine: &Engine, shell: &str) {
    let session = session(engine, shell).await;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        Bare::new("/bin/true").status().expect("a process");
        times[0].push(begin.elapsed());
        for (times, text) in times[1..].iter_mut().zip([":", "/bin/true"]) {
            let begin = Instant::now();
            run(&session, text).ended().await;
            times.push(begin.elapsed());
        }
    }
    engine.sessions().delete("bench").await;
    let (mut creates, mut deletes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS_OF_SESSIONS {
        let begin = Instant::now();
        self::session(engine, shell).await;
        creates.push(begin.elapsed());
        let begin = Instant::now();
        engine.sessions().delete("bench").await;
        deletes.push(begin.elapsed());
    }
    let [bare, builtin, program] = times.map(median);
    let (create, delete) = (median(creates), median(deletes));
    println!(
        "{shell:24} {bare:>9.2?} {builtin:>9.2?} {program:>9.2?} {create:>8.2?} {delete:>8.2?}"
    );
}

/// How long after its last words a follower learns that the command has ended.
async fn follow_ends(engine: &Engine) {
    let session = session(engine, "/bin/bash").await;
    let mut times = Vec::new();
    for _ in 0..100 {
        let command = run(&session, "sleep 0.01; printf %s $EPOCHREALTIME");
        let mut cursor = command.record().follow(0).expect("the beginning");
        let mut text = Vec::new();
        while let Some(Piece::Data { bytes, .. }) = cursor.next().await {
            text.extend_from_slice(&bytes);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let text = String::from_utf8(text).expect("digits").replace(',', ".");
        let last_words: f64 = text.parse().expect("seconds");
        times.push(now.saturating_sub(Duration::from_secs_f64(last_words)));
    }
    engine.sessions().delete("bench").await;
    println!(
        "\na follower learns of the end {:.0?} after the last words",
        median(times)
    );
}

async fn throughput(engine: &Engine) {
    let session = session(engine, "/bin/bash").await;
    let text = format!("head -c {BYTES} /dev/zero");
    let rate = |begin: Instant| BYTES as f64 / 1e6 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let command = run(&session, &text);
    command.ended().await;
    println!("into the record, nobody following: {:.0} MB/s", rate(begin));
    let begin = Instant::now();
    read(&command).await;
    println!("out of its file: {:.0} MB/s", rate(begin));
    let begin = Instant::now();
    let command = run(&session, &text);
    read(&command).await;
    println!("into the record and to a follower: {:.0} MB/s", rate(begin));
    engine.sessions().delete("bench").await;
}

async fn session(engine: &Engine, shell: &str) -> Session {
    let options = SessionOptions {
        shell: Some(shell.into()),
        ..SessionOptions::default()
    };
    engine
        .sessions()
        .create("bench", options)
        .await
        .expect("a session")
}

fn run(session: &Session, text: &str) -> Command {
    session
        .execute(text, CommandOptions::default())
        .expect("a command")
}

async fn read(command: &Command) {
    let mut cursor = command.record().follow(0).expect("the beginning");
    while let Some(piece) = cursor.next().await {
        assert!(matches!(piece, Piece::Data { .. }), "a gap");
    }
    assert_eq!(cursor.position(), BYTES);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
