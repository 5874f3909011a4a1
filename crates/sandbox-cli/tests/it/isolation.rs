//! Isolation and limits, as options.

use serde_json::Value;

use crate::{check, fails, sandbox};

/// Returns what `sandbox doctor` says of this machine.
fn doctor() -> Value {
    let output = sandbox(&["doctor", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns whether this machine has a level or network; if not, says that a test is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has(report: &Value, group: &str, name: &str) -> bool {
    let found = report[group][name].as_str().unwrap();
    if found.starts_with("no") {
        eprintln!("skipped: {name}: {found}");
    }
    !found.starts_with("no")
}

#[test]
fn what_is_isolated_sees_and_changes_only_what_it_was_given() {
    let report = doctor();
    let directory = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(directory.path()).unwrap();
    let path = path.to_str().unwrap();
    let work_dir = tempfile::tempdir().unwrap();
    let exec = |level: &str, more: &[&str], command: &str, expect: &str| {
        let cwd = work_dir.path().to_str().unwrap();
        let all = [&["exec", "--isolate", "--level", level], more, &[command]].concat();
        let output = sandbox(&all).current_dir(cwd).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            text(&output.stdout),
            expect,
            "{all:?}: {}",
            text(&output.stderr)
        );
    };
    for level in ["namespaces", "bwrap", "landlock"] {
        if !has(&report, "isolation", level) {
            continue;
        }
        let write = format!("(echo x > {path}/{level}) 2>/dev/null && echo wrote || echo refused");
        exec(level, &[], &write, "refused\n");
        exec(level, &["--bind-read", path], &write, "refused\n");
        exec(level, &["--bind-write", path], &write, "wrote\n");
        assert_eq!(
            std::fs::read_to_string(directory.path().join(level)).unwrap(),
            "x\n"
        );
        let read = "head -c 1 /etc/passwd 2>/dev/null | wc -c";
        exec(level, &[], read, "1\n");
        exec(level, &["--hide", "/etc/passwd"], read, "0\n");
    }
}

#[test]
fn the_level_is_in_the_result() {
    let report = doctor();
    for level in ["namespaces", "bwrap", "landlock"] {
        if has(&report, "isolation", level) {
            let all = ["exec", "--json", "--isolate", "--level", level, "true"];
            let output = sandbox(&all).output().unwrap();
            let object: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(object["isolationLevel"], level, "{object}");
            assert_eq!(object["exitCode"], 0);
        }
    }
    let output = sandbox(&["exec", "--json", "true"]).output().unwrap();
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["isolationLevel"], "none");
}

#[test]
fn networks_are_those_that_were_asked_for() {
    let report = doctor();
    if !has(&report, "isolation", "namespaces") {
        return;
    }
    let devices = "tail -n +3 /proc/net/dev | cut -d: -f1 | sort | xargs";
    check(&["exec", "--isolate", devices], 0, "lo\n", "");
    check(
        &["exec", "--isolate", "--network", "none", devices],
        0,
        "lo\n",
        "",
    );
    let user = ["exec", "--isolate", "--network", "user", devices];
    if has(&report, "isolation", "network user") {
        check(&user, 0, "lo tap0\n", "")
    } else {
        fails(&user, 126, &["help: "])
    }
    let landlock = ["--level", "landlock", "--network", "user", "true"];
    fails(
        &[&["exec", "--isolate"][..], &landlock].concat(),
        2,
        &["network"],
    );
}

#[test]
fn programs_are_isolated_and_limited() {
    let report = doctor();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("program.py");
    std::fs::write(
        &file,
        "import os\nprint(os.uname().nodename, os.getpid() < 10)\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    if has(&report, "isolation", "namespaces") {
        check(&["run", "--isolate", file], 0, "sandbox True\n", "");
    }
    let limits = &report["limits of runs"];
    assert_eq!(limits["open files"], "rlimit");
    if has(&report, "limits of runs", "memory") {
        let all = ["exec", "--memory", "64M", "exec tail /dev/zero"];
        check(&all, 137, "", "error: its memory limit ended it\n");
    }
    if has(&report, "limits of runs", "processes") {
        let output = sandbox(&[
            "exec",
            "--pids",
            "8",
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait",
        ]);
        let output = { output }.output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("fork"),
            "{output:?}"
        );
    }
}
