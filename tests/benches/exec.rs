//! What a command and a program cost, beside what they cost bare, in the same run.
//!
//! `cargo xtask bench exec`. Medians of rounds in which the contestants take turns, so that a machine whose speed drifts
//! drifts for all of them. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox_process::{Language, Process};
use sandbox_tests::Sandbox;

const ROUNDS: usize = 300;
const ROUNDS_OF_PYTHON: usize = 40;
const ROUNDS_OF_NODE: usize = 30;
const ROUNDS_OF_CHARTS: usize = 7;
const WARM_UP: Duration = Duration::from_secs(3);
/// What a process of Node.js takes to start, so that one is there for the next program.
const PAUSE: Duration = Duration::from_millis(400);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let embedded = Sandbox::embedded().await;
        let tcp = Sandbox::tcp().await;
        exec(&embedded.process, &tcp.process).await;
        python(&embedded.process).await;
        node(&embedded.process).await;
        throughput(&embedded.process, &tcp.process).await;
        embedded.shutdown().await;
        tcp.shutdown().await;
    });
}

async fn exec(embedded: &Process, tcp: &Process) {
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(async { bare("/bin/bash", &["-c", "true"]) }).await);
        times[1].push(time(async { drop(embedded.exec("true").await.expect("an answer")) }).await);
        times[2].push(time(async { drop(tcp.exec("true").await.expect("an answer")) }).await);
    }
    report(
        "`true` in bash",
        &["spawned bare", "exec, Unix socket", "exec, TCP"],
        &mut times,
    );
}

async fn python(process: &Process) {
    let path = sandbox_tests::python().unwrap_or_else(|| "python3".into());
    let path = path.to_str().expect("a printable path").to_owned();
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..=ROUNDS_OF_PYTHON {
        times[0].push(time(async { bare(&path, &["-u", "-c", "print(1)"]) }).await);
        // With a variable of its own it starts cold.
        let run = process.code_run("print(1)").env("COLD", "1");
        times[1].push(time(async { drop(run.await.expect("an answer")) }).await);
        let run = process.code_run("print(1)");
        times[2].push(time(async { drop(run.await.expect("an answer")) }).await);
        if round == 0 {
            warm_up(&mut times).await;
        }
    }
    let names = ["python3 bare", "code_run, cold", "code_run, warm"];
    report("`print(1)` in Python", &names, &mut times);

    let code = include_str!("../../xtask/assets/line_chart.py");
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..=ROUNDS_OF_CHARTS {
        let arguments = ["-u", "-c", code];
        times[0].push(time(async { bare(&path, &arguments) }).await);
        for (times, run) in times[1..].iter_mut().zip([
            process.code_run(code).env("COLD", "1"),
            process.code_run(code),
        ]) {
            let run = async {
                let response = run.await.expect("an answer");
                assert_eq!(response.charts.len(), 1, "{}", response.stderr_lossy());
            };
            times.push(time(run).await);
        }
        if round == 0 {
            warm_up(&mut times).await;
        }
    }
    let names = ["python3 bare", "code_run, cold", "code_run, warm"];
    report("the line chart (bare makes no chart)", &names, &mut times);
}

async fn node(process: &Process) {
    for (what, code, arguments) in [
        ("a script of JavaScript", "console.log(1)", &["-e"][..]),
        (
            "a module of JavaScript",
            "import 'fs'; console.log(1)",
            &["--input-type=module", "-e"],
        ),
    ] {
        let arguments = [arguments, &[code]].concat();
        let run = || process.code_run(code).language(Language::JavaScript);
        let mut times: [Vec<Duration>; 3] = Default::default();
        for round in 0..=ROUNDS_OF_NODE {
            times[0].push(time(async { bare("node", &arguments) }).await);
            // With a variable of its own it starts cold.
            let cold = run().env("COLD", "1");
            times[1].push(time(async { drop(cold.await.expect("an answer")) }).await);
            times[2].push(time(async { drop(run().await.expect("an answer")) }).await);
            if round == 0 {
                warm_up(&mut times).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let names = ["node bare", "code_run, cold", "code_run, warm"];
        report(&format!("`console.log(1)`, {what}"), &names, &mut times);
    }
}

/// What is kept for the next starts when the first has ended; that one does not count.
async fn warm_up(times: &mut [Vec<Duration>]) {
    tokio::time::sleep(WARM_UP).await;
    times.iter_mut().for_each(Vec::clear);
}

async fn throughput(embedded: &Process, tcp: &Process) {
    const BYTES: u32 = 32 << 20;
    let command = format!("head -c {BYTES} /dev/zero | tr '\\0' x");
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..5 {
        times[0].push(
            time(async {
                bare(
                    "/bin/bash",
                    &["-c", &format!("{command} | cat > /dev/null")],
                )
            })
            .await,
        );
        // One copy of the output, as `cat` gets one.
        for (times, process) in times[1..].iter_mut().zip([embedded, tcp]) {
            let exec = process.exec(&command).merge_stderr();
            times.push(time(async { drop(exec.await.expect("an outcome")) }).await);
        }
    }
    report(
        "32 MiB of output",
        &["into cat", "exec, Unix socket", "exec, TCP"],
        &mut times,
    );
    for (name, times) in ["into cat", "exec, Unix socket", "exec, TCP"]
        .iter()
        .zip(&times)
    {
        let rate = f64::from(BYTES) / 1e6 / median(times).as_secs_f64();
        println!("  {name:<20} {rate:>8.0} MB/s");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bare start that the daemon is measured against"
)]
fn bare(program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success());
}

async fn time(work: impl Future<Output = ()>) -> Duration {
    let started = Instant::now();
    work.await;
    started.elapsed()
}

fn report(what: &str, names: &[&str], times: &mut [Vec<Duration>]) {
    println!("{what}: median of {}", times[0].len());
    times.iter_mut().for_each(|times| times.sort());
    let base = median(&times[0]);
    for (name, times) in names.iter().zip(times.iter()) {
        let median = median(times);
        let ratio = median.as_secs_f64() / base.as_secs_f64();
        let min = times[0].as_secs_f64() * 1e3;
        println!(
            "  {name:<20} {:>8.3} ms (min {min:.3})  x{ratio:.2}",
            median.as_secs_f64() * 1e3
        );
    }
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}
