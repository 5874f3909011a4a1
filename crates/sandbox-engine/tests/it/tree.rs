//! Time limits and shutdown: whole trees end.

use std::time::{Duration, Instant};

use sandbox_engine::{RunOptions, Termination};

use crate::guard::{engine, eventually, pid_of, text, unique_sleep};

/// Ends the group of a background child that a test left on purpose.
pub(crate) async fn end(sleep: &str) {
    // It may still be on its way from a shell to `sleep`.
    eventually("the background child", || pid_of(sleep).is_some()).await;
    let pid = pid_of(sleep).expect("it lives on");
    rustix::process::kill_process_group(
        rustix::process::getpgid(Some(pid)).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    eventually("the background child's end", || pid_of(sleep).is_none()).await;
}

async fn times_out(command: &str) {
    let sleep = unique_sleep();
    let limit = Duration::from_millis(300);
    let options = RunOptions {
        timeout: Some(limit),
        ..RunOptions::default()
    };
    let started = Instant::now();
    let outcome = engine()
        .exec(&command.replace("{}", &sleep), options)
        .await
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{command}");
    assert_eq!(
        outcome.termination,
        Termination::TimedOut { limit },
        "{command}"
    );
    assert_eq!(outcome.termination.exit_code(), None);
    assert_eq!(text(&outcome), "part\n", "{command}");
    assert!(pid_of(&sleep).is_none(), "{command}: a process is left");
}

#[tokio::test]
async fn a_time_limit_ends_the_whole_tree_and_keeps_the_output() {
    times_out("echo part; sleep {}").await;
    times_out("trap '' TERM; echo part; sleep {}; sleep {}").await;
    times_out("echo part; setsid sleep {} & sleep {}").await;
    times_out("echo part; (trap '' TERM; sleep {}) & (sleep {} | sleep {}); wait").await;
    times_out("echo part; sleep {} & kill -STOP $$; sleep {}").await;
    times_out("echo part; nohup sleep {} >/dev/null 2>&1 & sleep {}").await;
}

/// Bash forks once more for each `( .. &)`, and the one between exits at once: the last has no parent of the run's.
#[tokio::test]
async fn a_time_limit_ends_what_left_the_group_and_lost_its_parents() {
    times_out("(setsid sleep {} &); echo part; sleep {}").await;
    times_out("(setsid bash -c '(setsid sleep {} &)' &); echo part; sleep {}").await;
    times_out("(setsid nohup bash -c 'trap \"\" TERM; sleep {}; sleep {}' >/dev/null 2>&1 &); echo part; sleep {}").await;
    times_out("(setsid bash -c 'sleep {} & kill -STOP $$' &); echo part; sleep {}").await;
    times_out("(env -i PATH=/usr/bin:/bin setsid sleep {} &); echo part; sleep {}").await;
}

#[tokio::test]
async fn what_a_trap_writes_while_it_ends_is_kept() {
    let options = RunOptions {
        timeout: Some(Duration::from_millis(200)),
        ..RunOptions::default()
    };
    let command = "trap 'echo bye; exit 0' TERM; echo part; while :; do sleep 0.01; done";
    let outcome = engine().exec(command, options).await.unwrap();
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    assert_eq!(text(&outcome).replace("Terminated\n", ""), "part\nbye\n");
}

#[tokio::test]
async fn a_flood_does_not_hide_the_limit() {
    let options = RunOptions {
        timeout: Some(Duration::from_millis(200)),
        ..RunOptions::default()
    };
    let outcome = engine().exec("yes", options).await.unwrap();
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    assert!(outcome.output.merged.head.starts_with(b"y\ny\n"));
}

#[tokio::test]
async fn shutdown_ends_what_runs() {
    let sleep = unique_sleep();
    let engine = engine();
    let running = tokio::spawn({
        let engine = engine.clone();
        let command = format!("echo part; sleep {sleep}");
        async move { engine.exec(&command, RunOptions::default()).await.unwrap() }
    });
    eventually("the start", || pid_of(&sleep).is_some()).await;
    engine.shutdown().await;
    assert!(pid_of(&sleep).is_none());
    let outcome = running.await.unwrap();
    assert_eq!(outcome.termination.exit_code(), Some(143));
    assert_eq!(text(&outcome), "part\n");
}

#[tokio::test]
async fn a_dropped_caller_leaves_the_command_running() {
    let directory = tempfile::tempdir().unwrap();
    let done = directory.path().join("done");
    let engine = engine();
    let command = format!("sleep 0.2; touch {}", done.display());
    let call = engine.exec(&command, RunOptions::default());
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    );
    eventually("the command's end", || done.exists()).await;
}
