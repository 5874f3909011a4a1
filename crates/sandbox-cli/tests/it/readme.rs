//! The commands of the READMEs, run as they stand there.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::background::Place;
use crate::sandboxes::is_unsupported;

const ROOT: &str = include_str!("../../../../README.md");
const OWN: &str = include_str!("../../README.md");

/// Beginnings of lines that are not run, each with the reason.
const NOT_RUN: [(&str, &str); 10] = [
    ("cargo install", "builds everything once more"),
    ("cargo xtask demo", "downloads packages"),
    ("cargo xtask test", "runs this test"),
    ("sandbox exec -it bash", "`terminal.rs` has terminals"),
    ("sandbox pty", "`terminal.rs` has terminals"),
    (
        "sandbox session logs -f work ID",
        "follows a server without end",
    ),
    ("sandbox follow ID", "`background.rs` has such an id"),
    ("sandbox serve", "started beside the others"),
    ("sandbox up --detach && eval", "in two lines below"),
    (
        "sandbox run plot.py",
        "matplotlib may not be here; run without charts below",
    ),
];

/// What stands for something else in a text.
const REPLACED: [(&str, &str); 5] = [
    (
        "sandbox up --detach",
        "sandbox up --detach --listen 127.0.0.1:0",
    ),
    ("http://host:2280", "unix:$PWD/served.sock"),
    ("unix:/tmp/s.sock", "unix:$PWD/served.sock"),
    ("make -j8", "make -j2"),
    // The others may have ended it already.
    (
        "sandbox status; sandbox stop",
        "sandbox status && sandbox stop",
    ),
];

/// Returns the commands in the blocks for a shell, without comments.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(str::lines);
    let lines = lines.map(|line| line.split(" #").next().unwrap_or(line).trim());
    let lines = lines.filter(|line| !line.is_empty());
    let is_run = |line: &&str| !NOT_RUN.iter().any(|(begin, _)| line.starts_with(begin));
    lines
        .filter(is_run)
        .map(|line| {
            let replace = |line: String, (from, to): &(&str, &str)| line.replace(from, to);
            REPLACED.iter().fold(line.to_owned(), replace)
        })
        .collect()
}

/// What the commands find: a program, a directory of the sandbox, and a daemon.
const BEFORE: &str = r#"
mkdir -p src results input data
printf 'all test:\n\t@echo made\n' >Makefile
echo 'print(1)' >plot.py
echo 1 >results/one; echo 1 >data.csv; echo note >notes.txt; echo >"a b"
printf '#!/bin/sh\necho served\n' >server; chmod +x server
echo 'echo built' >build.sh
sandbox serve --listen "unix:$PWD/served.sock" --insecure-no-auth >served 2>served.log &
served=$!
trap 'kill $served; sandbox delete box web >/dev/null 2>&1; sandbox down >/dev/null 2>&1; sandbox stop >/dev/null 2>&1' EXIT
until [ -S served.sock ]; do sleep 0.01; done
"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the binary is tested as a user starts it"
)]
fn run(place: &Place, commands: &[String], before: &str) -> (bool, String) {
    let mut script = format!("exec 2>&1; PATH={}:$PATH\n{BEFORE}{before}", bin());
    for command in commands {
        let quoted = command.replace('\'', r"'\''");
        let _ = writeln!(
            script,
            "{command} || {{ echo 'FAILED: {quoted}'; exit 1; }}"
        );
    }
    let command = place.command(&[]);
    let mut shell = Command::new("/bin/bash");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let work = place.path("work");
    std::fs::create_dir(&work).unwrap();
    shell.args(["-c", &script]).current_dir(work);
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

fn bin() -> &'static str {
    let path = env!("CARGO_BIN_EXE_sandbox");
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

#[track_caller]
fn check(readme: &str, before: &str) {
    let place = Place::new();
    let commands = commands(readme);
    assert!(commands.len() > 7, "{commands:?}");
    let (is_done, text) = run(&place, &commands, before);
    if !is_done && text.contains("FAILED: sandbox up") && is_unsupported(&text) {
        return skipped(&text);
    }
    assert!(is_done, "{text}");
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// `up` as the first block has it, but on a free port.
const UP: &str = r#"
sandbox up --detach --listen 127.0.0.1:0 || { echo 'FAILED: sandbox up'; exit 1; }
eval "$(sandbox env)"
sandbox run plot.py
"#;

#[test]
fn the_commands_of_the_projects_page_run() {
    check(ROOT, UP);
}

#[test]
fn the_commands_of_the_programs_page_run() {
    check(OWN, "sandbox run plot.py\n");
}

#[test]
fn comments_and_what_is_not_run_are_left_out() {
    let text = "```sh\na 'b'   # c\n\ncargo install x\n```\n```rust\nx\n```\n```sh\nsandbox exec --url http://host:2280 d\n```\n";
    assert_eq!(
        commands(text),
        ["a 'b'", "sandbox exec --url unix:$PWD/served.sock d"]
    );
}
