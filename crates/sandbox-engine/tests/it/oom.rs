//! Processes that the kernel kills because memory ran out, in a control group of the test's own.

#![expect(
    clippy::disallowed_methods,
    reason = "the test starts itself anew in that group, and that is none of the engine's"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox_engine::Termination;

use crate::guard::run;

/// Set in the process that is in the group.
const INNER: &str = "SANDBOX_TEST_OOM";
const LIMIT: &str = "134217728";

#[test]
fn a_death_out_of_memory_is_reported() {
    if std::env::var_os(INNER).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            // `tail` keeps a line that never ends.
            let hog = run("exec tail /dev/zero").await;
            assert_eq!(hog.termination, Termination::OutOfMemory);
            assert_eq!(hog.termination.exit_code(), Some(137));
            let killed = run("kill -KILL $$").await;
            assert!(matches!(
                killed.termination,
                Termination::Signaled { signal: 9, .. }
            ));
            let survivor = run("tail /dev/zero; exit 3").await;
            assert_eq!(survivor.termination, Termination::Exited { code: 3 });
        });
        return;
    }
    let Some(group) = group() else {
        eprintln!("skipped: this system does not let a test have a control group of its own");
        return;
    };
    let output = Command::new("/bin/sh")
        .arg("-c")
        .arg("echo $$ > \"$0/cgroup.procs\" && exec \"$@\"")
        .args([&group, &std::env::current_exe().unwrap()])
        .args([
            "oom::a_death_out_of_memory_is_reported",
            "--exact",
            "--nocapture",
        ])
        .env(INNER, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    assert!(said.contains("1 passed"), "{said}{error}");
    std::fs::remove_dir(group).unwrap();
}

/// A new group with a limit, of either version.
fn group() -> Option<PathBuf> {
    let name = format!("sandbox-test-{}", std::process::id());
    let versions = [
        (
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
        ),
        ("/sys/fs/cgroup", "memory.max", "memory.swap.max"),
    ];
    versions.into_iter().find_map(|(root, limit, swap)| {
        let group = Path::new(root).join(&name);
        std::fs::create_dir(&group).ok()?;
        if std::fs::write(group.join(limit), LIMIT).is_err() {
            std::fs::remove_dir(&group).unwrap();
            return None;
        }
        // Not where swap is not accounted for.
        let _ = std::fs::write(
            group.join(swap),
            if swap == "memory.swap.max" {
                "0"
            } else {
                LIMIT
            },
        );
        Some(group)
    })
}
