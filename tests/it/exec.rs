//! `Process::exec`.

use std::time::{Duration, Instant};

use sandbox_process::Termination;
use sandbox_tests::Sandbox;

async fn suite(sandbox: Sandbox) {
    let process = &sandbox.process;

    let response = process.exec("echo 'Hello'").await.unwrap();
    assert_eq!(response.artifacts.stdout, "Hello\n");
    assert_eq!((response.exit_code, response.success()), (Some(0), true));
    assert_eq!(response.termination, Termination::Exited { code: 0 });
    assert!(response.artifacts.charts.is_empty() && response.stdout.is_none());

    std::fs::create_dir(sandbox.work_dir().join("src")).unwrap();
    let response = process.exec("pwd").cwd("src").await.unwrap();
    assert_eq!(
        response.result.trim(),
        sandbox.work_dir().join("src").to_str().unwrap()
    );

    let response = process
        .exec("printf '%s|' \"$A\" \"$B\"")
        .env("A", "x y\n")
        .env("B", "")
        .await;
    assert_eq!(response.unwrap().result, "x y\n||");

    let response = process
        .exec("echo o; echo e >&2; exit 5")
        .split_output()
        .await
        .unwrap();
    assert_eq!(response.stdout.as_deref(), Some("o\n"));
    assert_eq!(response.stderr.as_deref(), Some("e\n"));
    assert_eq!(response.exit_code, Some(5));

    let response = process.exec("kill -9 $$").await.unwrap();
    assert_eq!(response.exit_code, Some(137));
    assert_eq!(response.termination, Termination::Signaled { signal: 9 });

    let started = Instant::now();
    let limit = Duration::from_secs(3);
    let response = process
        .exec("echo begun; sleep 1000")
        .timeout(limit)
        .await
        .unwrap();
    assert!(started.elapsed() >= limit);
    assert_eq!(response.termination, Termination::TimedOut);
    assert_eq!(
        (response.exit_code, response.result.as_str()),
        (None, "begun\n")
    );

    let response = process.exec("pwd").cwd("/no/such/dir").await.unwrap();
    assert_eq!(response.exit_code, None);
    let Termination::NotStarted { reason } = &response.termination else {
        panic!("{response:?}")
    };
    assert!(
        reason.contains("/no/such/dir") && reason.contains("No such file"),
        "{reason}"
    );

    let response = process.exec("printf 'a\\377\\000b'").await.unwrap();
    assert_eq!(response.result, "a\u{fffd}\0b");

    let response = process
        .exec("head -c 5000000 /dev/zero | tr '\\0' x")
        .await
        .unwrap();
    assert_eq!(
        (response.result.len(), response.truncation),
        (5_000_000, None)
    );

    let response = process
        .exec("head -c 100000000 /dev/zero | tr '\\0' x")
        .await
        .unwrap();
    let truncation = response.truncation.expect("it is longer than what is kept");
    assert_eq!(truncation.total_bytes, 100_000_000);
    assert!(response.result.contains("bytes not kept"));

    let big = "x".repeat(8 << 20);
    let response = process
        .exec(format!("printf %s '{big}' | wc -c"))
        .await
        .unwrap();
    assert_eq!(response.result, "8388608\n");

    sandbox.end().await;
}

#[tokio::test]
async fn embedded() {
    suite(Sandbox::embedded().await).await;
}

#[tokio::test]
async fn over_tcp() {
    suite(Sandbox::tcp().await).await;
}

#[tokio::test]
async fn shutdown_ends_what_the_embedded_daemon_runs() {
    let sandbox = Sandbox::embedded().await;
    let alive = sandbox.work_dir().join("alive");
    let command = "touch alive; trap 'rm alive; exit' TERM; while :; do sleep 0.02; done";
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
