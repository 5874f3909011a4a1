//! What every test is held to: no process of a run survives it unless the test says so.

use std::process::Command;
use std::time::{Duration, Instant};

use sandbox_engine::{Engine, EngineBuilder, Environment, Outcome, RunOptions};

use crate::helper;

pub(crate) fn engine() -> Engine {
    engine_with("/bin/bash")
}

/// One whose commands find the tests' own program as `$H`.
pub(crate) fn engine_with(shell: &str) -> Engine {
    builder().shell(shell).build().unwrap()
}

/// Settings of one.
pub(crate) fn builder() -> EngineBuilder {
    let mut environment = Environment::of_this_process();
    environment.set("H", helper::program());
    Engine::builder()
        .shell("/bin/bash")
        .environment(environment)
}

pub(crate) async fn run(command: &str) -> Outcome {
    engine().exec(command, RunOptions::default()).await.unwrap()
}

pub(crate) fn text(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.output.merged.to_vec()).into_owned()
}

/// Bounds a wait for something that comes within milliseconds, however busy the machine is; only a failure takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    eventually_async(what, async || condition()).await;
}

/// Waits until `condition` holds.
pub(crate) async fn eventually_async(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Calls `attempt` with a time limit, a longer one each time until what it runs has come far enough within the limit.
/// `attempt` returns `None` if it had not.
pub(crate) async fn within_a_limit<T>(attempt: impl AsyncFn(Duration) -> Option<T>) -> T {
    let mut limit = Duration::from_millis(300);
    while limit < PATIENCE {
        if let Some(result) = attempt(limit).await {
            return result;
        }
        limit *= 2;
    }
    panic!("it does not come far enough within {limit:?}");
}

/// The live `sleep` of this duration; zombies have no arguments.
pub(crate) fn pid_of(sleep: &str) -> Option<rustix::process::Pid> {
    let expect = format!("sleep\0{sleep}\0");
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let cmdline = std::fs::read(entry.path().join("cmdline")).ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (cmdline == expect.as_bytes()).then(|| rustix::process::Pid::from_raw(pid))?
    })
}

/// A duration for `sleep` that no other test uses, to be found again by [`pid_of`].
pub(crate) fn unique_sleep() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    // Longer than any test waits for something else.
    format!("{}.{n:03}", 1000 + std::process::id() % 1000)
}

/// Runs one test again in a process of its own: `words` are its program, this one at the end, and `change` describes the rest.
#[expect(
    clippy::disallowed_methods,
    reason = "starts this program, not one of an engine"
)]
pub(crate) fn repeat(
    test: &str,
    words: &[&str],
    change: impl FnOnce(&mut Command) -> &mut Command,
) {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", test]);
    let output = change(&mut command).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}"
    );
}
