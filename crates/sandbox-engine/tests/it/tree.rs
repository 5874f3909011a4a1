//! Time limits and shutdown: whole trees end.

use std::time::{Duration, Instant};

use sandbox_engine::{RunOptions, Termination};

use crate::guard::{
    PATIENCE, engine, eventually, pid_of, repeat, text, unique_sleep, within_a_limit,
};

/// Ends the group of a background child that a test left on purpose.
pub(crate) async fn end(sleep: &str) {
    // It may still be on its way from a shell to `sleep`.
    eventually("the background child", || pid_of(sleep).is_some()).await;
    let pid = pid_of(sleep).expect("it lives on");
    #[expect(
        clippy::disallowed_methods,
        reason = "its leader is a child of this process"
    )]
    let group = rustix::process::getpgid(Some(pid)).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    eventually("the background child's end", || pid_of(sleep).is_none()).await;
}

async fn times_out(command: &str) {
    within_a_limit(async |limit| {
        let sleep = unique_sleep();
        let text = command.replace("{}", &sleep);
        let is_far_enough = is_stopped_by(limit, &text).await;
        assert!(pid_of(&sleep).is_none(), "{command}: a process is left");
        is_far_enough.then_some(())
    })
    .await;
}

/// Runs a command that does not end by itself; returns whether it wrote its `part` within the limit.
async fn is_stopped_by(limit: Duration, command: &str) -> bool {
    let options = RunOptions {
        timeout: Some(limit),
        ..RunOptions::default()
    };
    let started = Instant::now();
    let outcome = engine().exec(command, options).await.unwrap();
    assert!(started.elapsed() < limit + PATIENCE, "{command}");
    assert_eq!(
        outcome.termination,
        Termination::TimedOut { limit },
        "{command}"
    );
    assert_eq!(outcome.termination.exit_code(), None);
    text(&outcome) == "part\n"
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

/// Fifty lines of processes, each of which starts its heir in a session of its own and ends at once; for ever, but for a
/// count that saves the machine when the engine does not: until they are reaped, all of them together take less than half
/// of the 32,768 process numbers that Linux has by default.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_forks_faster_than_it_is_found_ends() {
    const HEIRS: &str = "[ $1 -gt 0 ] || exit; setsid sh \"$0\" $(($1 - 1)) &";
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("heirs");
    std::fs::write(&script, HEIRS).unwrap();
    let script = script.to_str().unwrap();
    let command = format!(
        "trap '' TERM; echo part; for i in $($H count 50); do sh {script} 300 & done; sleep 1000"
    );
    within_a_limit(async |limit| is_stopped_by(limit, &command).await.then_some(())).await;
    eventually("the end of the last line", || processes_of(script) == 0).await;
}

#[tokio::test]
async fn a_time_limit_ends_a_tree_of_256_processes() {
    let sleep = unique_sleep();
    let command = format!(
        "trap '' TERM; echo part\n\
         grow() {{ if [ $1 -gt 0 ]; then grow $(($1 - 1)) & grow $(($1 - 1)) & wait; else sleep {sleep}; fi; }}\n\
         grow 6; setsid bash -c 'sleep {sleep} & sleep {sleep}'"
    );
    within_a_limit(async |limit| {
        let is_far_enough = is_stopped_by(limit, &command).await;
        assert!(pid_of(&sleep).is_none());
        is_far_enough.then_some(())
    })
    .await;
}

/// A run's end is that of its own processes only: neither another run's nor strangers' are touched.
#[tokio::test]
async fn other_runs_go_on() {
    let (mine, others, strangers) = (unique_sleep(), unique_sleep(), unique_sleep());
    let engine = engine();
    #[expect(
        clippy::disallowed_methods,
        reason = "a process that is none of the engine's"
    )]
    let mut stranger = std::process::Command::new("sleep")
        .arg(&strangers)
        .spawn()
        .unwrap();
    let other = tokio::spawn({
        let (engine, command) = (
            engine.clone(),
            format!("(setsid sleep {others} &); sleep 1; echo on"),
        );
        async move { engine.exec(&command, RunOptions::default()).await.unwrap() }
    });
    eventually("the other run", || pid_of(&others).is_some()).await;
    let options = RunOptions {
        timeout: Some(Duration::from_millis(200)),
        ..RunOptions::default()
    };
    let command = format!("(setsid sleep {mine} &); sleep {mine}");
    engine.exec(&command, options).await.unwrap();
    assert!(pid_of(&mine).is_none());
    assert!(pid_of(&others).is_some());
    assert!(pid_of(&strangers).is_some());
    assert_eq!(text(&other.await.unwrap()), "on\n");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    end(&others).await;
}

/// An engine in a pid namespace that its session's leader is not in, as in a container that was entered.
#[test]
fn other_runs_go_on_where_the_sessions_leader_is_outside() {
    let this = std::env::current_exe().unwrap();
    let words = "unshare --user --map-root-user --pid --fork --mount-proc";
    let mut words: Vec<_> = words.split(' ').collect();
    words.push(this.to_str().unwrap());
    repeat("tree::other_runs_go_on", &words, |command| command);
}

#[tokio::test]
async fn runs_leave_nothing() {
    let engine = engine();
    let fds = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let me = std::process::id().to_string();
    let zombies = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let stats =
            entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let mine = |stat: &String| {
            let mut fields = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            fields.next() == Some("Z") && fields.next() == Some(me.as_str())
        };
        stats.filter(mine).count()
    };
    let _ = engine.exec("true", RunOptions::default()).await.unwrap();
    // Other tests of this process have theirs open, so only a leak that grows is reported.
    let before = (fds(), zombies());
    for n in 0..200 {
        let options = RunOptions {
            timeout: (n % 10 == 0).then_some(Duration::from_millis(20)),
            ..RunOptions::default()
        };
        let command = if n % 10 == 0 {
            "sleep 20"
        } else {
            "(exit 3) | true"
        };
        engine.exec(command, options).await.unwrap();
    }
    eventually("closing of descriptors", || fds() < before.0 + 50).await;
    eventually("reaping", || zombies() < before.1 + 50).await;
}

/// The live processes with `word` on their command line.
fn processes_of(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|part| part == word.as_bytes())
        })
        .count()
}

#[tokio::test]
async fn what_a_trap_writes_while_it_ends_is_captured() {
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
    let outcome = engine().exec("$H flood", options).await.unwrap();
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
