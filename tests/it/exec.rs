//! `Process::exec` and `Process::command`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox_process::{ExecuteResponse, Process, Termination};
use sandbox_tests::Sandbox;

async fn a_command_has_output_and_an_end(sandbox: Sandbox) {
    let process = &sandbox.process;
    let outcome = process.exec("echo 'Hello'").await.unwrap();
    assert_eq!(outcome.stdout, "Hello\n");
    assert_eq!((outcome.exit_code(), outcome.success()), (Some(0), true));
    assert_eq!(outcome.termination, Termination::Exited { code: 0 });
    assert!(outcome.charts.is_empty() && outcome.stderr.is_empty());
    let response = ExecuteResponse::from(outcome);
    assert_eq!(response.artifacts.stdout, "Hello\n");
    assert_eq!(
        (response.result.as_str(), response.exit_code),
        ("Hello\n", Some(0))
    );
    sandbox.shutdown().await;
}
on_every_transport!(a_command_has_output_and_an_end: embedded, http);

async fn a_directory_is_relative_or_absolute(sandbox: Sandbox) {
    let process = &sandbox.process;
    std::fs::create_dir(sandbox.work_dir().join("src")).unwrap();
    let outcome = process.exec("pwd").cwd("src").await.unwrap();
    let directory = sandbox.work_dir().join("src");
    assert_eq!(outcome.stdout_lossy().trim(), directory.to_str().unwrap());
    let outcome = process.exec("pwd").cwd(&directory).await.unwrap();
    assert_eq!(outcome.stdout_lossy().trim(), directory.to_str().unwrap());
    sandbox.shutdown().await;
}
on_every_transport!(a_directory_is_relative_or_absolute: embedded, http);

async fn variables_are_passed(sandbox: Sandbox) {
    let process = &sandbox.process;
    let exec = process.exec("printf '%s|' \"$A\" \"$B\"").env("A", "x y\n");
    assert_eq!(exec.envs([("B", "")]).await.unwrap().stdout, "x y\n||");
    sandbox.shutdown().await;
}
on_every_transport!(variables_are_passed: embedded, http);

async fn channels_are_separate_or_merged(sandbox: Sandbox) {
    let process = &sandbox.process;
    let both = process.exec("echo o; echo e >&2; echo o; exit 5");
    let outcome = both.clone().await.unwrap();
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        (&b"o\no\n"[..], &b"e\n"[..])
    );
    assert_eq!(outcome.output().len(), 6);
    assert_eq!(outcome.exit_code(), Some(5));
    let outcome = both.merge_stderr().await.unwrap();
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        (&b"o\ne\no\n"[..], &b""[..])
    );
    sandbox.shutdown().await;
}
on_every_transport!(channels_are_separate_or_merged: embedded, http);

async fn a_signal_is_a_termination(sandbox: Sandbox) {
    let process = &sandbox.process;
    let outcome = process.exec("kill -9 $$").await.unwrap();
    assert_eq!(outcome.exit_code(), Some(137));
    assert_eq!(outcome.termination, Termination::Signaled { signal: 9 });
    sandbox.shutdown().await;
}
on_every_transport!(a_signal_is_a_termination: embedded, http);

async fn a_time_limit_keeps_what_was_written(sandbox: Sandbox) {
    let process = &sandbox.process;
    let started = Instant::now();
    let limit = Duration::from_secs(3);
    let exec = process.exec("echo begun; sleep 1000").timeout(limit);
    let outcome = exec.await.unwrap();
    assert!(started.elapsed() >= limit);
    assert_eq!(outcome.termination, Termination::TimedOut);
    assert_eq!(
        (outcome.exit_code(), &*outcome.stdout),
        (None, &b"begun\n"[..])
    );
    sandbox.shutdown().await;
}
on_every_transport!(a_time_limit_keeps_what_was_written: embedded, http);

async fn a_bad_directory_is_not_started(sandbox: Sandbox) {
    let process = &sandbox.process;
    let outcome = process.exec("pwd").cwd("/no/such/dir").await.unwrap();
    assert_eq!(outcome.exit_code(), None);
    let Termination::NotStarted { reason } = &outcome.termination else {
        panic!("{outcome:?}")
    };
    assert!(
        reason.contains("/no/such/dir") && reason.contains("No such file"),
        "{reason}"
    );
    let reason = reason.clone();
    assert_eq!(ExecuteResponse::from(outcome).result, reason);
    sandbox.shutdown().await;
}
on_every_transport!(a_bad_directory_is_not_started: embedded, http);

async fn bytes_that_are_no_text_are_replaced_in_text(sandbox: Sandbox) {
    let process = &sandbox.process;
    let outcome = process.exec("printf 'a\\377\\000b'").await.unwrap();
    assert_eq!(outcome.stdout_lossy(), "a\u{fffd}\0b");
    sandbox.shutdown().await;
}
on_every_transport!(bytes_that_are_no_text_are_replaced_in_text: embedded, http);

async fn output_beyond_the_limit_is_cut(sandbox: Sandbox) {
    let process = &sandbox.process;
    let long = |bytes: usize| process.exec(format!("head -c {bytes} /dev/zero | tr '\\0' x"));
    let outcome = long(5_000_000).await.unwrap();
    assert_eq!(
        (outcome.stdout.len(), outcome.truncation),
        (5_000_000, None)
    );

    let outcome = long(100_000_000).await.unwrap();
    let truncation = outcome
        .truncation
        .expect("it is longer than what is retained");
    assert_eq!(truncation.total_bytes, 100_000_000);
    assert!(outcome.stdout_lossy().contains("bytes discarded"));
    sandbox.shutdown().await;
}
on_every_transport!(output_beyond_the_limit_is_cut: embedded, http);

async fn a_long_command_runs(sandbox: Sandbox) {
    let process = &sandbox.process;
    let big = "x".repeat(8 << 20);
    let outcome = process.exec(format!("printf %s '{big}' | wc -c"));
    assert_eq!(outcome.await.unwrap().stdout, "8388608\n");
    sandbox.shutdown().await;
}
on_every_transport!(a_long_command_runs: embedded, http);

/// Every byte of an argument arrives as it is, whatever the shell is.
#[tokio::test]
async fn arguments_are_passed_verbatim() {
    let every_byte: Vec<u8> = (1..=u8::MAX).collect();
    let arguments = [
        &every_byte[..],
        b"",
        b"-n",
        b"it's",
        b"$HOME `id` $(id) \\n",
        b"\n",
        b"\xff\n\n",
        b"\xc3",
        b"*",
        "caf\u{e9}".as_bytes(),
    ];
    let expect = [arguments.join(&0), vec![0]].concat();
    for shell in ["/bin/bash", "/bin/sh", "/usr/bin/zsh", "/usr/bin/dash"] {
        if !Path::new(shell).exists() {
            continue;
        }
        let local = Process::local_builder().shell(shell).start();
        let process = local.await.unwrap();
        let arguments = arguments.map(OsStr::from_bytes);
        // The program writes its arguments as they are; a shell's builtin of this name would not.
        let print = process.command("printf").arg("%s\\0").args(arguments);
        let mut print = print.spawn().await.unwrap();
        let outcome = print.wait().await.unwrap();
        assert_eq!(outcome.stderr_lossy(), "", "{shell}");
        assert!(outcome.stdout == expect, "{shell}: {:?}", outcome.stdout);

        let outcome = process.command("no such program").await.unwrap();
        assert_eq!(outcome.exit_code(), Some(127), "{shell}");
        // What is a builtin of the shell alone is no program.
        let outcome = process.command("shift").await.unwrap();
        assert_eq!(outcome.exit_code(), Some(127), "{shell}");
        // An assignment, a reserved word and a tilde are none as the name of a program.
        for name in ["A=1", "if", "~", "{"] {
            let outcome = process.command(name).arg("x").await.unwrap();
            assert_eq!(outcome.exit_code(), Some(127), "{shell}: {name}");
        }
        process.shutdown().await;
    }
}

#[tokio::test]
async fn shutdown_ends_what_the_embedded_daemon_runs() {
    let sandbox = Sandbox::embedded().await;
    let alive = sandbox.work_dir().join("alive");
    let command = "trap 'rm alive; exit' TERM; touch alive; while :; do sleep 0.02; done";
    let running = tokio::spawn({
        let process = sandbox.process.clone();
        async move { process.exec(command).await }
    });
    eventually(|| alive.exists()).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let Sandbox { process, .. } = &sandbox;
    assert!(
        alive.exists(),
        "it ended although the daemon is still there"
    );
    process.shutdown().await;
    assert!(!alive.exists(), "it outlived the daemon");
}

async fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
