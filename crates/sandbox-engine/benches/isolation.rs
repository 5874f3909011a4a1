//! What isolation adds to a command, beside the same command without it and, if it is installed, bubblewrap with a comparable
//! view, in the same run.
//!
//! `cargo xtask bench isolation`. Not a test: no number of it is asserted.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::path::Path;
use std::time::{Duration, Instant};

use sandbox_engine::isolation::{Isolation, Network};
use sandbox_engine::{Engine, RunOptions};

const ROUNDS: usize = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let work_dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::builder().work_dir(work_dir.path()).build();
        let engine = engine.expect("an engine");
        let host = Isolation::builder().network(Network::Host).build();
        let mut contestants = vec![
            ("plain", None, "true".to_owned()),
            ("isolated", Some(Isolation::strict()), "true".to_owned()),
            (
                "isolated, network of the machine",
                Some(host.expect("a description")),
                "true".to_owned(),
            ),
        ];
        if Path::new("/usr/bin/bwrap").exists() {
            let command = format!("exec {BUBBLEWRAP} /bin/bash -c true");
            contestants.push(("bubblewrap", None, command));
        }
        let mut times = vec![Vec::with_capacity(ROUNDS); contestants.len()];
        for _ in 0..ROUNDS {
            for ((_, isolation, command), times) in contestants.iter().zip(&mut times) {
                let options = RunOptions {
                    isolation: isolation.clone(),
                    ..RunOptions::default()
                };
                let begin = Instant::now();
                let outcome = engine.exec(command, options).await.expect("an outcome");
                times.push(begin.elapsed());
                assert_eq!(outcome.termination.exit_code(), Some(0));
            }
        }
        println!(
            "{:40}{:>10}{:>10}{:>10}",
            "`true` in a shell", "min", "p50", "p90"
        );
        for ((name, ..), times) in contestants.iter().zip(&mut times) {
            times.sort();
            let at = |part: usize| millis(times[(ROUNDS * part / 100).min(ROUNDS - 1)]);
            println!("{name:40}{:>10}{:>10}{:>10}", at(0), at(50), at(90));
        }
    });
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

const BUBBLEWRAP: &str = "/usr/bin/bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp \
                          --tmpfs /run --tmpfs /home --unshare-all --die-with-parent";
