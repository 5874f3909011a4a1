//! That bash gets the lines for its commands in a file, and that this does not show.

use std::path::PathBuf;

use super::{Fixture, exited};

const BASH: &str = "/bin/bash";

/// More than a command takes, and much less than one for each byte of its lines.
const READS: u64 = 500;

/// Returns how often a process has read anything.
fn reads(pid: &str) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let count = io.lines().find_map(|line| line.strip_prefix("syscr: "));
    count.unwrap().parse().unwrap()
}

/// Returns the file that a session's shell reads the lines of its commands from.
async fn file_of_lines(f: &Fixture) -> PathBuf {
    let pid = f.ok("echo $$").await;
    let script = std::fs::read_link(format!("/proc/{}/fd/255", pid.trim())).unwrap();
    let file = script.with_file_name("lines");
    assert!(file.exists(), "{}", file.display());
    file
}

#[tokio::test]
async fn few_system_calls_read_a_command() {
    let f = Fixture::new(BASH).await;
    let pid = f.ok("echo $$").await;
    let text = format!(": {}", "a".repeat(3000));
    for text in [":", &text] {
        let before = reads(pid.trim());
        f.ok(text).await;
        let count = reads(pid.trim()) - before;
        assert!(count < READS, "{count} reads for {} bytes", text.len());
    }
    f.end().await;
}

#[tokio::test]
async fn the_variable_is_not_seen() {
    let f = Fixture::new(BASH).await;
    let names = "compgen -v | grep '^_[0-9a-f]'; declare -p | grep mapfile";
    let did = f.run(names).await;
    assert_eq!((&*did.stdout, &*did.stderr), ("", ""));
    assert_eq!(f.ok("set -a; set -u; :").await, "");
    assert_eq!(f.ok("env | grep -c '^_[0-9a-f]' || :").await, "0\n");
    f.end().await;
}

#[tokio::test]
async fn a_trace_has_no_more_than_one_level() {
    let f = Fixture::new(BASH).await;
    let did = f.run("set -x; echo a").await;
    assert_eq!(did.stderr, "++ echo a\n");
    let did = f.run("echo b").await;
    assert!(did.stderr.contains("++ echo b\n"), "{did:?}");
    assert!(!did.stderr.contains("+++ echo b\n"), "{did:?}");
    f.end().await;
}

#[tokio::test]
async fn a_shell_that_cannot_read_the_file_reads_the_pipe() {
    for text in [
        "enable -n mapfile",
        "command() { false; }; builtin() { false; }; mapfile() { echo bad; }",
    ] {
        let f = Fixture::new(BASH).await;
        f.ok("A=1").await;
        f.ok(text).await;
        let did = f.run("echo a$A; false").await;
        let expect = ("a1\n", "", &exited(1));
        assert_eq!((&*did.stdout, &*did.stderr, &did.termination), expect);
        assert_eq!(f.ok("echo b$?").await, "b1\n");
        f.end().await;
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_old_evaluates_nothing() {
    let f = Fixture::new(BASH).await;
    let file = file_of_lines(&f).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(f.ok("echo a").await, "a\n");
    assert_eq!(f.ok("echo b").await, "b\n");
    f.end().await;

    let f = Fixture::new(BASH).await;
    let file = file_of_lines(&f).await;
    // A command of the user's has replaced it: what it contains reports nothing.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "\0").unwrap();
    assert_eq!(f.ok("echo c").await, "c\n");
    f.end().await;
}
