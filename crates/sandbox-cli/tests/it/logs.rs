//! `logs`: what the commands of a sandbox's sessions have written.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::background::Place;
use crate::sandboxes::Up;

/// Returns what `logs` with these arguments prints on both outputs.
#[track_caller]
fn logs(up: &Up<'_>, arguments: &[&str]) -> (String, String) {
    let output = up.run(&[&["logs"], arguments].concat());
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

#[test]
fn logs_are_those_of_the_commands_of_sessions() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.check(&["create", "web"], 0, "web\n");
    let (stdout, note) = logs(&up, &["web"]);
    assert!(
        stdout.is_empty() && note.contains("no command of a session has run"),
        "{note}"
    );

    for session in ["a", "b"] {
        up.check(&["session", "-s", "web", "create", session], 0, "");
    }
    let exec = |session, command| up.run(&["session", "exec", "-s", "web", session, command]);
    exec("a", "echo one; echo two >&2");
    let (stdout, stderr) = logs(&up, &["web"]);
    // The only one needs no heading.
    assert_eq!((&*stdout, &*stderr), ("one\n", "two\n"));
    exec("a", "(exit 3)\n# a second line");
    exec("b", "echo three");
    let (stdout, stderr) = logs(&up, &["web"]);
    assert_eq!(stdout, "one\nthree\n");
    let headings: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("==> "))
        .collect();
    assert_eq!(headings.len(), 3, "{stderr}");
    assert!(
        headings[1].ends_with(": (exit 3) # a second line <=="),
        "{stderr}"
    );
    assert_eq!(
        logs(&up, &["web", "b"]),
        ("three\n".to_owned(), String::new())
    );

    let all = up.json(&["logs", "--json", "web"]);
    let second = &all[1];
    assert_eq!(
        (&second["sessionId"], &second["exitCode"]),
        (&"a".into(), &3.into())
    );
    assert_eq!(
        (&all[0]["stdout"], &all[0]["stderr"]),
        (&"one\n".into(), &"two\n".into())
    );
    assert_eq!(all[2]["command"], "echo three");
    let id = all[0]["cmdId"].as_str().unwrap();
    assert_eq!(logs(&up, &["web", "a", &id[..12]]).0, "one\n");

    up.fails(
        &["logs", "web", "a", "none"],
        2,
        &["no command of the session"],
    );
    up.fails(&["logs", "web", "none"], 1, &["no such session"]);
    up.fails(
        &["logs", "none"],
        1,
        &["none", "hint: `sandbox list` shows the sandboxes"],
    );
    up.fails(
        &["logs", "-f", "--json", "web"],
        2,
        &["cannot be used with"],
    );
    up.fails(&["logs"], 2, &["Usage: sandbox logs"]);
    up.check(&["stop", "web"], 0, "");
    up.fails(&["logs", "web"], 125, &["the sandbox `web` is stopped"]);
}

/// Several commands run in sessions of their own; each writes when the test has it do so.
#[test]
fn logs_of_what_runs_are_followed_to_the_end() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.check(&["create", "web"], 0, "web\n");
    for session in ["a", "b"] {
        up.check(&["session", "-s", "web", "create", session], 0, "");
        let command =
            format!("echo begun {session}; while read line; do echo \"{session} $line\"; done");
        up.run(&[
            "session", "exec", "-s", "web", "--detach", session, &command,
        ]);
    }
    let mut following = place.command(&["logs", "--follow", "web"]);
    let mut following = following
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    let mut begun = [next(), next()];
    begun.sort_unstable();
    assert_eq!(begun, ["begun a", "begun b"]);
    let command = |session: &str| {
        let session = up.json(&["session", "list", "-s", "web", "--json", session]);
        session["commands"][0]["id"].as_str().unwrap().to_owned()
    };
    let ids = [("a", command("a")), ("b", command("b"))];
    for text in ["x", "y"] {
        for (session, id) in &ids {
            up.check(&["session", "input", "-s", "web", session, id, text], 0, "");
            assert_eq!(next(), format!("{session} {text}"));
        }
    }
    for (session, id) in &ids {
        up.check(
            &["session", "signal", "-s", "web", session, id, "KILL"],
            0,
            "",
        );
    }
    assert!(lines.next().is_none());
    assert!(following.wait().unwrap().success());
}

#[test]
fn a_reader_of_logs_that_leaves_ends_nothing() {
    let place = Place::new();
    let Some(up) = Up::start(&place, &[]) else {
        return;
    };
    up.check(&["create", "web"], 0, "web\n");
    up.check(&["session", "-s", "web", "create", "a"], 0, "");
    up.run(&[
        "session",
        "exec",
        "-s",
        "web",
        "--detach",
        "a",
        "echo begun; sleep 1000",
    ]);
    let mut following = place.command(&["logs", "-f", "web"]);
    let mut following = following.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(following.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    crate::send(&following, rustix::process::Signal::INT);
    assert_eq!(crate::wait(following).code(), Some(130));
    let listed = up.run(&["session", "list", "-s", "web", "a"]).stdout;
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.contains("  running  echo begun"), "{listed}");
}
