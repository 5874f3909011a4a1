//! The control groups of runs: no process leaves them, and none remains.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sandbox_engine::isolation::Isolation;
use sandbox_engine::resources::{Limit, Limits};
use sandbox_engine::{Engine, RunOptions, Termination};

use super::{by, can, groups, memory, options, run, usage};
use crate::guard::{engine, eventually, pid_of, text, unique_sleep};

const SHOW: &str = "cat /proc/self/cgroup";

fn all() -> Limits {
    Limits {
        processes: Some(50),
        millicpus: Some(1500),
        ..memory()
    }
}

const GROUPS: [Limit; 3] = [Limit::Memory, Limit::Processes, Limit::Cpus];

/// The groups of a shell that runs a command after they were found.
async fn while_it_runs(engine: &Engine, command: &str, limits: Limits) -> Vec<PathBuf> {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().display();
    let go = home.path().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RWXU).unwrap();
    let show = format!("{SHOW} > {place}/new; mv {place}/new {place}/shown");
    let command = format!("{show}; read < {place}/go; {command}");
    let shown = home.path().join("shown");
    let started = engine.start(&command, options(limits)).await.unwrap();
    eventually("it shows its groups", || shown.exists()).await;
    let membership = std::fs::read_to_string(&shown).unwrap();
    let found = groups(&membership);
    std::fs::write(go, "").unwrap();
    started.ended().await;
    found
}

#[tokio::test]
async fn a_run_has_groups_that_end_with_it() {
    let engine = engine();
    if !can(&engine, &GROUPS) {
        return;
    }
    for end in ["exit 0", "exit 3", "kill -KILL $$", "tail /dev/zero"] {
        let found = while_it_runs(&engine, end, all()).await;
        assert!(!found.is_empty());
        for group in found {
            assert!(!group.exists(), "{}: {end}", group.display());
        }
    }
    let outcome = engine.start_program(vec!["/no/such".into()], options(all()));
    outcome.await.unwrap_err();
    // Without limits there are none.
    let outcome = run(&engine, Limits::default(), SHOW).await;
    assert!(!text(&outcome).contains("sandbox-run-"), "{outcome:?}");
}

#[tokio::test]
async fn a_process_in_the_background_stays_limited_until_it_ends() {
    let engine = engine();
    if !can(&engine, &GROUPS) {
        return;
    }
    let sleep = unique_sleep();
    let command = format!("sleep {sleep} & {SHOW}");
    let outcome = run(&engine, all(), &command).await;
    let left = groups(&text(&outcome));
    assert!(!left.is_empty(), "{outcome:?}");
    let pid = pid_of(&sleep).unwrap();
    for group in &left {
        let members = std::fs::read_to_string(group.join("cgroup.procs")).unwrap();
        assert_eq!(members.trim(), pid.as_raw_nonzero().to_string());
    }
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually("it ends", || pid_of(&sleep).is_none()).await;
    // Removed with the next one.
    run(&engine, all(), "true").await;
    for group in &left {
        assert!(!group.exists(), "{}", group.display());
    }
}

#[tokio::test]
async fn an_isolated_run_is_limited_and_cannot_leave_its_groups() {
    let engine = engine();
    let isolated = |limits| RunOptions {
        isolation: Some(Isolation::strict()),
        ..options(limits)
    };
    if !can(&engine, &GROUPS) {
        return;
    }
    if let Err(error) = engine.probe_isolation(&Isolation::strict()).await {
        eprintln!("skipped: {error}");
        return;
    }
    let exec = async |command: &str, limits| engine.exec(command, isolated(limits)).await.unwrap();
    let outcome = exec("exec tail /dev/zero", all()).await;
    assert_eq!(outcome.termination, by(Limit::Memory), "{outcome:?}");
    assert!(usage(&outcome).memory_kills > 0);

    // The processes that isolate it are not counted.
    let one = Limits {
        processes: Some(1),
        ..Limits::default()
    };
    let outcome = exec("echo alone", one).await;
    assert_eq!(text(&outcome), "alone\n");
    let outcome = exec("exec python3 -c 'import os; os.fork()'", one).await;
    assert!(text(&outcome).contains("BlockingIOError"), "{outcome:?}");

    let least = Limits {
        open_files: Some(32),
        file_bytes: Some(0),
        ..Limits::default()
    };
    let outcome = exec("ulimit -n; ulimit -f", least).await;
    assert_eq!(text(&outcome), "32\n0\n");

    let leave = "cat /proc/self/cgroup > /tmp/before
        for file in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ > $file; done
        for limit in $(find /sys/fs/cgroup -name memory.limit_in_bytes -o -name memory.max); do echo 1 > $limit; done
        mount -t cgroup2 none /mnt; mount -t cgroup -o memory none /mnt
        cat /proc/self/cgroup | cmp - /tmp/before && cat /tmp/before";
    let outcome = exec(leave, all()).await;
    assert_eq!(
        outcome.termination,
        Termination::Exited { code: 0 },
        "{}",
        text(&outcome)
    );
    assert!(
        text(&outcome).contains("sandbox-run-"),
        "{}",
        text(&outcome)
    );
    assert!(
        text(&outcome).contains("Read-only file system"),
        "{}",
        text(&outcome)
    );
    let raise = "ulimit -Hn 100; ulimit -n 100; ulimit -n";
    let outcome = exec(
        raise,
        Limits {
            open_files: Some(50),
            ..Limits::default()
        },
    )
    .await;
    assert!(text(&outcome).ends_with("50\n"), "{}", text(&outcome));
}

/// Set to the state directory in the process that is killed.
const KILLED: &str = "SANDBOX_TEST_KILLED";

#[test]
fn the_groups_of_a_killed_engine_are_removed_by_the_next_one() {
    let name = "resources::groups::the_groups_of_a_killed_engine_are_removed_by_the_next_one";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(state) = std::env::var_os(KILLED) {
        runtime.block_on(async {
            let engine = Engine::builder().shell("/bin/bash").state_dir(state);
            let engine = engine.build().unwrap();
            if !can(&engine, &GROUPS) {
                println!("skipped");
                return;
            }
            let command = "cat /proc/self/cgroup > groups.new; mv groups.new groups; sleep 1000";
            engine.exec(command, options(all())).await.unwrap();
        });
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "starts this program")]
    let mut killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(KILLED, state.path())
        .current_dir(home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let shown = home.path().join("groups");
    let has_shown = runtime.block_on(async {
        let shown = shown.clone();
        let waits = eventually("the groups of the run", move || shown.exists());
        tokio::select! {
            () = waits => true,
            skipped = tokio::task::spawn_blocking({
                let output = killed.stdout.take().unwrap();
                move || BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("skipped"))
            }) => !skipped.unwrap(),
        }
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    if !has_shown {
        eprintln!("skipped: see above");
        return;
    }
    let left = groups(&std::fs::read_to_string(&shown).unwrap());
    let engine =
        runtime.block_on(async { Engine::builder().state_dir(state.path()).build().unwrap() });
    for group in &left {
        assert!(!group.exists(), "{}", group.display());
    }
    assert!(!left.is_empty());
    drop(engine);
}
