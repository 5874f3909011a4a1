//! What becomes of a command whose handle is dropped by a program that ends right after.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use sandbox_tests::{Carrier, Sandbox, TOKEN};

use super::PATIENCE;

/// Runs the program, and waits until the command's processes have ended. Returns what it printed.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "no sandbox runs the program")]
fn let_go(how: &str, daemon: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let program = Command::new(env!("CARGO_BIN_EXE_drops"))
        .arg(how)
        .arg(&file)
        .args(daemon)
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(program.stdout).unwrap();
    let errors = String::from_utf8_lossy(&program.stderr);
    let pids = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{how}: {errors}"));
    let begin = Instant::now();
    for pid in pids.split_whitespace() {
        while is_alive(pid) {
            assert!(begin.elapsed() < PATIENCE, "{how}: process {pid} lives on");
            std::thread::yield_now();
        }
    }
    said
}

fn is_alive(pid: &str) -> bool {
    let arguments = std::fs::read(Path::new("/proc").join(pid).join("cmdline"));
    // A zombie has none.
    arguments.is_ok_and(|arguments| !arguments.is_empty())
}

/// As tokio's `kill_on_drop`: the command has ended when the handle has been dropped.
#[test]
fn a_command_of_an_embedded_daemon_is_killed_by_the_drop() {
    for how in ["running", "future", "process"] {
        assert_eq!(let_go(how, &[]), "dead\n", "{how}");
    }
}

#[test]
fn what_an_embedded_daemon_runs_ends_with_the_program() {
    for how in ["leak", "exit", "abort"] {
        assert_eq!(let_go(how, &[]), "alive\n", "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_another_daemon_is_killed_though_the_program_ends() {
    for carrier in Carrier::ALL {
        let sandbox = Sandbox::over(carrier).await;
        for how in ["running", "future"] {
            let url = sandbox.url.clone();
            let done = tokio::task::spawn_blocking(move || let_go(how, &[&url, TOKEN]));
            done.await.unwrap();
        }
        sandbox.shutdown().await;
    }
}
