//! Limits of runs: that they hold, how a run ends by them, and that nothing of them remains.

mod groups;
mod kinds;
mod parts;

use std::path::PathBuf;
use std::time::Duration;

use sandbox_engine::resources::{Limit, LimitError, Limits, Usage};
use sandbox_engine::{
    BuildError, Engine, ExecError, Outcome, RunError, RunOptions, SpawnError, Termination,
};

use crate::guard::{builder, engine, text};

const MEMORY: u64 = 48 * 1024 * 1024;

/// Returns whether the limits can be enforced here; says so if not.
#[expect(clippy::print_stderr, reason = "what is not tested is said")]
fn can(engine: &Engine, limits: &[Limit]) -> bool {
    limits
        .iter()
        .all(|limit| match engine.limit_mechanism(*limit) {
            Ok(_) => true,
            Err(error) => {
                eprintln!("skipped: {error}");
                false
            }
        })
}

fn memory() -> Limits {
    Limits {
        memory_bytes: Some(MEMORY),
        ..Limits::default()
    }
}

fn options(limits: Limits) -> RunOptions {
    RunOptions {
        limits,
        ..RunOptions::default()
    }
}

async fn run(engine: &Engine, limits: Limits, command: &str) -> Outcome {
    engine.exec(command, options(limits)).await.unwrap()
}

fn by(limit: Limit) -> Termination {
    Termination::LimitExceeded { limit }
}

fn usage(outcome: &Outcome) -> Usage {
    outcome.usage.expect("its usage is known")
}

/// The directories of the control groups of the process whose `/proc/PID/cgroup` this is.
fn groups(membership: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut found = Vec::new();
    for line in mounts.lines().filter(|line| line.contains(" - cgroup")) {
        let place = line.split(' ').nth(4).unwrap();
        for path in membership
            .lines()
            .filter_map(|line| line.splitn(3, ':').nth(2))
        {
            let name = std::path::Path::new(path).file_name();
            let is_one =
                name.is_some_and(|name| name.to_string_lossy().starts_with("sandbox-run-"));
            let directory = PathBuf::from(format!("{place}{path}"));
            if is_one && directory.exists() {
                found.push(directory);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_run_that_exceeds_its_memory_ends_by_that_limit() {
    let engine = engine();
    if !can(&engine, &[Limit::Memory]) {
        return;
    }
    for command in [
        // The leader, a child, and the last command of a shell, which exits as it ended.
        "x=xxxxxxxx; while :; do x=$x$x; done",
        "exec tail /dev/zero",
        "true; tail /dev/zero",
        "exec python3 -c 'b = b\"x\" * (1 << 30)'",
    ] {
        let outcome = run(&engine, memory(), command).await;
        assert_eq!(outcome.termination, by(Limit::Memory), "{command}");
        assert_eq!(outcome.termination.exit_code(), Some(137));
        let usage = usage(&outcome);
        assert_eq!(usage.memory_kills, 1, "{command}");
        assert!(
            usage.peak_memory_bytes.is_none_or(|peak| peak <= MEMORY),
            "{usage:?}"
        );
        assert!(
            usage.peak_rss_bytes.is_none_or(|peak| peak <= 2 * MEMORY),
            "{usage:?}"
        );
    }
    // A child that the run survives.
    let survivor = run(&engine, memory(), "tail /dev/zero; exit 3").await;
    assert_eq!(survivor.termination, Termination::Exited { code: 3 });
    assert_eq!(usage(&survivor).memory_kills, 1);
    // Another death by the same signal, and the same code without one.
    let killed = run(&engine, memory(), "kill -KILL $$").await;
    assert!(matches!(
        killed.termination,
        Termination::Signaled { signal: 9, .. }
    ));
    let exited = run(&engine, memory(), "exit 137").await;
    assert_eq!(exited.termination, Termination::Exited { code: 137 });
    // One that is larger than this process; a smaller one is hidden by it.
    let large = "exec python3 -c 'b = b\"x\" * (400 << 20)'";
    let large = usage(&run(&engine, Limits::default(), large).await);
    assert!(
        large.peak_rss_bytes.is_some_and(|peak| peak >= 400 << 20),
        "{large:?}"
    );
    // A run beside it.
    let other = run(
        &engine,
        Limits::default(),
        "head -c 100000000 /dev/zero | tail -c 99999999 | wc -c",
    )
    .await;
    assert_eq!(text(&other).trim(), "99999999");
    assert_eq!(usage(&other).peak_memory_bytes, None);
}

#[tokio::test]
async fn processes_beyond_the_limit_do_not_start() {
    let engine = engine();
    if !can(&engine, &[Limit::Processes]) {
        return;
    }
    let limits = Limits {
        processes: Some(10),
        ..Limits::default()
    };
    let many = "import os, time
count = 0
try:
    while count < 100:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError as error:
    print(count, error.strerror)
os.killpg(0, 9)";
    let outcome = run(&engine, limits, &format!("exec python3 -c '{many}'")).await;
    assert_eq!(text(&outcome), "9 Resource temporarily unavailable\n");
    assert_eq!(usage(&outcome).refused_forks, 1);

    // Forks that never end, while another run goes on.
    let bomb = RunOptions {
        timeout: Some(Duration::from_secs(1)),
        ..options(limits)
    };
    let bomb = engine.exec("bomb() { bomb | bomb & }; bomb; sleep 1000", bomb);
    let other = run(
        &engine,
        Limits::default(),
        "for i in 1 2 3 4 5 6 7 8; do /bin/true || exit 1; done",
    );
    let (bomb, other) = tokio::join!(bomb, other);
    assert_eq!(other.termination, Termination::Exited { code: 0 });
    let bomb = bomb.unwrap();
    assert!(
        matches!(bomb.termination, Termination::TimedOut { .. }),
        "{bomb:?}"
    );
    assert!(usage(&bomb).refused_forks > 0, "{bomb:?}");
}

#[tokio::test]
async fn processor_time_is_limited_in_proportion_to_the_time() {
    let engine = engine();
    if !can(&engine, &[Limit::Cpus]) {
        return;
    }
    let limits = Limits {
        millicpus: Some(100),
        ..Limits::default()
    };
    let spin = "exec python3 -c 'import time\nwhile time.process_time() < 0.3: pass'";
    let used = usage(&run(&engine, limits, spin).await);
    let time = used.user_time + used.system_time;
    assert!(time >= Duration::from_millis(300), "{used:?}");
    // At most a tenth of each period of 100 ms, of two incomplete ones, and what the kernel's ticks overlook.
    assert!(
        time <= used.wall_time / 10 + Duration::from_millis(60),
        "{used:?}"
    );
    let free = usage(&run(&engine, Limits::default(), "exit 0").await);
    assert!(free.wall_time > Duration::ZERO, "{free:?}");
}

#[tokio::test]
async fn files_are_limited_in_size_and_number() {
    let home = tempfile::tempdir().unwrap();
    let engine = builder().work_dir(home.path()).build().unwrap();
    let limits = Limits {
        file_bytes: Some(1_000_000),
        open_files: Some(40),
        ..Limits::default()
    };
    let outcome = run(&engine, limits, "exec head -c 2000000 /dev/zero > f").await;
    assert_eq!(outcome.termination, by(Limit::FileSize));
    assert_eq!(outcome.termination.exit_code(), Some(153));
    assert_eq!(
        std::fs::metadata(home.path().join("f")).unwrap().len(),
        1_000_000
    );
    // A pipe is no file, and a program may handle the error.
    let outcome = run(&engine, limits, "head -c 2000000 /dev/zero | wc -c").await;
    assert_eq!(text(&outcome).trim(), "2000000");
    let ignored = "trap '' XFSZ; head -c 2000000 /dev/zero > f; echo $?";
    let outcome = run(&engine, limits, ignored).await;
    assert!(text(&outcome).ends_with("1\n"), "{outcome:?}");
    let unlimited = run(&engine, Limits::default(), "kill -XFSZ $$").await;
    assert!(matches!(
        unlimited.termination,
        Termination::Signaled { signal: 25, .. }
    ));

    let outcome = run(
        &engine,
        limits,
        "ulimit -Sn; ulimit -Hn; exec 39< /dev/null; exec 40< /dev/null; exit 3",
    )
    .await;
    assert!(text(&outcome).starts_with("40\n40\n"), "{outcome:?}");
    assert!(
        text(&outcome).contains("Bad file descriptor"),
        "{outcome:?}"
    );
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ExecError>) -> LimitError {
    match result {
        Err(ExecError::Run(RunError::Spawn(SpawnError::Limit(error)))) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_enforced_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let engine = builder().cgroup(home.path()).build().unwrap();
    for (name, limits) in [
        ("memory", memory()),
        (
            "processes",
            Limits {
                processes: Some(9),
                ..Limits::default()
            },
        ),
        (
            "cpus",
            Limits {
                millicpus: Some(500),
                ..Limits::default()
            },
        ),
    ] {
        let error = refusal(engine.exec("touch ran", options(limits)).await).to_string();
        assert!(
            error.starts_with(&format!("the {name} limit cannot be enforced here: ")),
            "{error}"
        );
        assert!(error.contains(&*home.path().to_string_lossy()), "{error}");
        assert!(error.contains("help: "), "{error}");
        let built = builder().cgroup(home.path()).limits(limits).build();
        assert!(matches!(built, Err(BuildError::Limit(_))), "{built:?}");
    }
    assert!(!home.path().join("ran").exists());
    // What needs no group is limited there as well.
    let limits = Limits {
        open_files: Some(50),
        ..Limits::default()
    };
    assert_eq!(text(&run(&engine, limits, "ulimit -n").await), "50\n");
    assert_eq!(
        text(&run(&engine, Limits::default(), "echo hi").await),
        "hi\n"
    );
}

#[tokio::test]
async fn the_limits_of_every_run_can_be_lowered_and_not_raised() {
    let open = |open_files| Limits {
        open_files,
        ..Limits::default()
    };
    let engine = builder().limits(open(Some(60))).build().unwrap();
    for (wanted, expect) in [(None, "60\n"), (Some(50), "50\n"), (Some(60), "60\n")] {
        assert_eq!(text(&run(&engine, open(wanted), "ulimit -n").await), expect);
    }
    let error = refusal(engine.exec("true", options(open(Some(61)))).await);
    assert!(
        matches!(error, LimitError::AboveDefault { most: 60, .. }),
        "{error}"
    );
    let error = refusal(engine.exec("true", options(open(Some(31)))).await);
    assert!(
        matches!(error, LimitError::OutOfRange { least: 32, .. }),
        "{error}"
    );
}
