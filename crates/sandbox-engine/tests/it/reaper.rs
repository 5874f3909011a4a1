//! Orphans are reaped, and no other process's children.

use std::process::Command;
use std::time::{Duration, Instant};

use sandbox_engine::spawner::{ChildFd, Direct, ProcessGroup, SpawnLimits, SpawnSpec};
use sandbox_engine::{Engine, Environment, RunOptions, Spawner, Termination};

/// Set in the process of its own that the test runs in: a subreaper would take the children of the other tests.
const INSIDE: &str = "SANDBOX_TEST_REAPER";

#[test]
#[expect(clippy::disallowed_methods, reason = "a process of the test's own")]
fn orphans_are_reaped_and_no_exit_is_stolen() {
    if std::env::var_os(INSIDE).is_some() {
        return tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(inside());
    }
    let me = std::env::current_exe().unwrap();
    let name = "reaper::orphans_are_reaped_and_no_exit_is_stolen";
    let output = Command::new(me)
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("reaped them all"), "{text}");
}

#[expect(clippy::print_stderr, reason = "the other process reads it")]
async fn inside() {
    let engine = Engine::builder()
        .shell("/bin/bash")
        .reap_orphans()
        .build()
        .unwrap();
    // 1,000 processes whose parents end before them.
    let orphans = "for i in {1..1000}; do (sleep 0.$((i % 10)) &); done";
    let orphans = engine.exec(orphans, RunOptions::default());
    let exits = async {
        for code in 0..256 {
            let outcome = engine
                .exec(&format!("exit {code}"), RunOptions::default())
                .await
                .unwrap();
            assert_eq!(outcome.termination, Termination::Exited { code });
        }
    };
    let (outcome, ()) = tokio::join!(orphans, exits);
    assert_eq!(
        outcome.unwrap().termination,
        Termination::Exited { code: 0 }
    );
    children_until(<[_]>::is_empty).await;
    for is_taken in [true, false] {
        beside_an_own_child(&engine, is_taken).await;
    }
    engine.shutdown().await;
    eprintln!("reaped them all");
}

/// Checks that orphans are reaped although a child that this process owns ended before them: after its exit `is_taken`, or can no
/// longer be.
async fn beside_an_own_child(engine: &Engine, is_taken: bool) {
    let spec = SpawnSpec {
        program: "/bin/true".into(),
        argv: vec!["true".into()],
        env: Environment::empty(),
        cwd: "/".into(),
        fds: vec![ChildFd::Null; 3],
        group: ProcessGroup::Own,
        limits: SpawnLimits::default(),
    };
    let own = Direct::new().spawn(spec).await.unwrap();
    let orphans = "for i in {1..9}; do (sleep 0.01 &); done";
    let outcome = engine.exec(orphans, RunOptions::default()).await;
    let success = Termination::Exited { code: 0 };
    assert_eq!(outcome.unwrap().termination, success);
    let have_ended = |children: &[Child]| children.iter().all(|(_, state)| state == "Z");
    let left = children_until(have_ended).await;
    assert!(
        left.iter().any(|(name, _)| name.ends_with("(true")),
        "{left:?}"
    );
    if is_taken {
        assert_eq!(own.exit.await.unwrap().termination, success)
    } else {
        drop(own)
    }
    children_until(<[_]>::is_empty).await;
}

/// Waits until the children of this process are as expected, and returns them.
async fn children_until(expected: impl Fn(&[Child]) -> bool) -> Vec<Child> {
    let deadline = Instant::now() + crate::guard::PATIENCE;
    loop {
        let children = children();
        if expected(&children) {
            return children;
        }
        assert!(Instant::now() < deadline, "{children:?} are left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The beginning of a line of `/proc/PID/stat` up to the name, and the state.
type Child = (String, String);

/// The children of this process and their states. The engine's guardian is none of them, although this is a subreaper.
fn children() -> Vec<Child> {
    let me = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?);
        (parent == me).then(|| (name.to_owned(), state.to_owned()))
    });
    stats.collect()
}
