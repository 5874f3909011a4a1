//! What an execution in a context costs, beside a bare round trip to a loop of `exec` on pipes, in the same run.
//!
//! `cargo xtask bench interpreter`. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bare process is the other contestant"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command as Bare, Stdio};
use std::time::{Duration, Instant};

use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions, ExecuteOptions};

const ROUNDS: usize = 2000;
const ROUNDS_OF_CONTEXTS: usize = 20;

const LOOP: &str = "import sys\nfor line in sys.stdin:\n exec(line)\n print(flush=True)";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().build().expect("an engine");
        costs(&engine).await;
        contexts(&engine).await;
        engine.shutdown().await;
    });
}

async fn costs(engine: &Engine) {
    let python = std::env::var_os("SANDBOX_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut bare = Bare::new(python)
        .args(["-c", LOOP])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a python");
    let mut answers = BufReader::new(bare.stdout.take().expect("a pipe"));
    let context = context(engine).await;
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        round_trip(&mut bare, &mut answers);
        times[0].push(begin.elapsed());
        let codes = [
            "1",
            "print(1)",
            "import sys; print(1); sys.stderr.write('e') and None",
        ];
        for (times, code) in times[1..].iter_mut().zip(codes) {
            let begin = Instant::now();
            run(&context, code).await;
            times.push(begin.elapsed());
        }
    }
    drop(bare.stdin.take());
    bare.wait().expect("an end");
    for (what, mut times) in ["bare", "1", "print(1)", "on both outputs"]
        .into_iter()
        .zip(times)
    {
        times.sort();
        let (p50, p99) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        println!("{what:16} p50 {p50:>9.2?}  p99 {p99:>9.2?}");
    }
    let begin = Instant::now();
    run(&context, "for i in range(100): print('x' * 999_999)").await;
    println!("100 MB of prints in {:.2?}", begin.elapsed());
    let begin = Instant::now();
    run(&context, "for i in range(200_000): print(i)").await;
    println!("200,000 prints in {:.2?}", begin.elapsed());
}

/// Alternates between an engine that may start a worker before it is needed, one that does not, and a bare start.
async fn contexts(engine: &Engine) {
    let cold = Engine::builder().cold().build().expect("an engine");
    let python = std::env::var_os("SANDBOX_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..ROUNDS_OF_CONTEXTS {
        for (engine, at) in [(engine, 0), (&cold, 2)] {
            let begin = Instant::now();
            let context = context(engine).await;
            times[at].push(begin.elapsed());
            run(&context, "1").await;
            let begin = Instant::now();
            engine.contexts().delete(context.id()).await;
            times[at + 1].push(begin.elapsed());
        }
        let begin = Instant::now();
        let status = Bare::new(&python).args(["-c", ""]).status();
        assert!(status.expect("a python").success(), "it ends");
        times[4].push(begin.elapsed());
    }
    let [create, delete, cold_create, cold_delete, bare] = times.map(|mut times| {
        times.sort();
        times[ROUNDS_OF_CONTEXTS / 2]
    });
    println!("create {create:.2?} (cold {cold_create:.2?}, a bare start {bare:.2?})");
    println!("delete {delete:.2?} (cold {cold_delete:.2?})");
    cold.shutdown().await;
}

async fn context(engine: &Engine) -> Context {
    let made = engine
        .contexts()
        .create(Language::Python, ContextOptions::default());
    made.await.expect("a context")
}

async fn run(context: &Context, code: &str) {
    let execution = context.execute(code, ExecuteOptions::default());
    execution.expect("an execution").ended().await;
}

fn round_trip(bare: &mut Child, answers: &mut impl BufRead) {
    let requests = bare.stdin.as_mut().expect("a pipe");
    requests.write_all(b"1\n").expect("a request");
    let mut answer = String::new();
    answers.read_line(&mut answer).expect("an answer");
}
