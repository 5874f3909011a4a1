//! What outlives a command: sessions, and the daemon in the background that keeps them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::sandbox;

/// A place of the test's own for its daemon, which is ended with it.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sandbox(arguments);
        command
            .env("XDG_RUNTIME_DIR", self.0.path())
            .env("SANDBOX_STATE_DIR", self.0.path().join("state"))
            .env("SANDBOX_SHELL", "/bin/bash")
            .current_dir("/usr");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
        let output = self.output(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let did = (
            text(&output.stdout),
            text(&output.stderr),
            output.status.code(),
        );
        assert_eq!(
            did,
            (stdout.to_owned(), stderr.to_owned(), Some(code)),
            "{arguments:?}"
        );
    }

    /// Where a file of this name is.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> std::fs::File {
        std::fs::File::open(self.path(name)).unwrap()
    }

    #[track_caller]
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.output(&["stop"]);
    }
}

#[test]
fn a_session_stays_between_commands() {
    let place = Place::new();
    place.check(&["status"], 1, "no daemon in the background\n", "");
    place.check(&["stop"], 1, "", "no daemon in the background\n");
    place.check(&["session", "create", "a"], 0, "", "");
    place.check(
        &["session", "exec", "a", "pwd; X='a b'; f() { return 7; }"],
        0,
        "/usr\n",
        "",
    );
    place.check(
        &["session", "exec", "a", "echo $X; echo e >&2; f"],
        7,
        "a b\n",
        "e\n",
    );
    place.check(
        &["session", "exec", "a", "echo", "$X", "a  b"],
        0,
        "$X a  b\n",
        "",
    );
    place.check(&["session", "exec", "a", "cat; echo end"], 0, "end\n", "");
    place.check(
        &[
            "session",
            "exec",
            "-e",
            "A=1",
            "--cwd",
            "/",
            "a",
            "echo $A; pwd",
        ],
        0,
        "1\n/\n",
        "",
    );
    let list = place.says(&["session", "list"]);
    assert_eq!(
        list,
        "SESSION  STATE   COMMANDS  RUNNING\na        active  6         0\n"
    );
    let status = place.says(&["status"]);
    assert!(status.contains("daemon.sock"), "{status}");
    place.check(&["session", "rm", "a"], 0, "", "");
    place.check(
        &["session", "exec", "a", "true"],
        125,
        "",
        "error: no such session\n",
    );
    place.check(&["stop"], 0, "", "");
    place.check(&["status"], 1, "no daemon in the background\n", "");
}

#[test]
fn a_sessions_command_has_a_time_limit_and_a_json_form() {
    let place = Place::new();
    place.check(&["session", "create", "a"], 0, "", "");
    let limited = [
        "session",
        "exec",
        "--timeout",
        "0.3",
        "a",
        "echo part; sleep 60",
    ];
    let limited = place.output(&limited);
    assert_eq!(
        (limited.status.code(), &*limited.stdout),
        (Some(124), &b"part\n"[..])
    );
    let stderr = String::from_utf8_lossy(&limited.stderr);
    assert!(
        stderr.ends_with("error: the time limit ran out\n"),
        "{stderr}"
    );
    let json = place.output(&[
        "session",
        "exec",
        "--json",
        "a",
        "echo o; echo e >&2; (exit 3)",
    ]);
    assert_eq!(json.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&json["exitCode"], &json["stdout"], &json["stderr"]),
        (&3.into(), &"o\n".into(), &"e\n".into())
    );
}

/// One that waits says so, the one that ends the shell says so, and what is left says what to do about it.
#[test]
fn a_session_explains_its_queue_and_its_end() {
    let place = Place::new();
    let made = place.says(&["session", "create"]);
    let id = made.trim();
    let waiting = place.says(&["session", "exec", "-d", id, "sleep 1000"]);
    let second = place
        .command(&["session", "exec", id, "echo second"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let is_queued = || {
        let listed = place.says(&["session", "list", id]);
        listed.matches("running").count() == 2
    };
    let deadline = Instant::now() + std::time::Duration::from_secs(60);
    while !is_queued() {
        assert!(Instant::now() < deadline, "it does not wait");
    }
    let listed = place.says(&["session", "ls", id]);
    assert!(listed.starts_with("COMMAND "), "{listed}");
    place.check(&["session", "signal", id, &waiting[..6], "TERM"], 0, "", "");
    let second = second.wait_with_output().unwrap();
    assert_eq!(second.stdout, b"second\n");
    let note = "note: waiting for 1 earlier command(s) of this session to end\n";
    assert_eq!(String::from_utf8_lossy(&second.stderr), note);
    place.check(&["session", "logs", id], 0, "second\n", "");

    let end = format!(
        "note: the session's shell has ended with this command; `sandbox session rm {id}` removes the session\n"
    );
    place.check(&["session", "exec", id, "exit 3"], 3, "", &end);
    let refused = place.output(&["session", "exec", id, "true"]);
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("hint: `sandbox session rm`"), "{refused}");
    let refused = place.output(&["session", "create", id]);
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.contains("hint: `sandbox session list`"),
        "{refused}"
    );
    place.check(&["session", "delete", id], 0, "", "");
}

#[test]
fn a_command_is_followed_fed_and_signaled() {
    let place = Place::new();
    place.check(&["session", "create", "s"], 0, "", "");
    let id = place.says(&[
        "session",
        "exec",
        "-d",
        "s",
        "read x; echo got $x; cat; echo end",
    ]);
    let id = id.trim();
    place.check(&["session", "input", "s", id, "a line"], 0, "", "");
    let mut rest = place
        .command(&["session", "input", "s", id])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // Without a newline, and with a byte that is no text.
    rest.stdin.take().unwrap().write_all(b"raw\xff").unwrap();
    assert!(rest.wait().unwrap().success());
    let log = place.output(&["session", "logs", "-f", "s", id]);
    assert_eq!(log.stdout, b"got a line\nraw\xffend\n");
    let log = place.output(&["session", "logs", "s", id, "--offset", "11"]);
    assert_eq!(log.stdout, b"raw\xffend\n");

    let text = "exec sh -c 'echo up; exec sleep 1000'";
    let id = place.says(&["session", "exec", "-d", "s", text]);
    // Before it has a process there is none to signal.
    while place.says(&["session", "logs", "s", id.trim()]) != "up\n" {}
    place.check(&["session", "signal", "s", id.trim(), "TERM"], 0, "", "");
    let started = Instant::now();
    let log = place.output(&["session", "logs", "-f", "s", id.trim()]);
    assert_eq!(log.status.code(), Some(143), "{log:?}");
    assert!(started.elapsed().as_secs() < 100);
}

#[test]
fn a_command_runs_on_after_its_soft_limit() {
    let place = Place::new();
    let pipe = place.path("go");
    place.check(&["exec", &format!("mkfifo {pipe}")], 0, "", "");
    let text = format!("echo begin; pwd; read line < {pipe}; echo $line; exit 7");
    let output = place.output(&["exec", "--json", "--soft-timeout", "1", &text]);
    assert_eq!(output.status.code(), Some(123), "{output:?}");
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["termination"], "running");
    assert_eq!(seen["exitCode"], serde_json::Value::Null);
    let id = seen["execId"].as_str().unwrap();
    std::fs::write(&pipe, "more\n").unwrap();
    place.check(&["follow", id], 7, "begin\n/usr\nmore\n", "");
    place.check(&["follow", "--offset", "11", id], 7, "more\n", "");
    let output = place.output(&["exec", "--soft-timeout", "100ms", "exec sleep 600"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(123), "{said}");
    let id = said.split('`').nth(1).unwrap().rsplit(' ').next().unwrap();
    let killed = place.output(&["follow", "--json", "--signal", "KILL", id]);
    assert_eq!(killed.status.code(), Some(137), "{killed:?}");
    let late = place.output(&["follow", "--signal", "KILL", id]);
    assert_eq!(late.status.code(), Some(125), "{late:?}");
    place.check(&["follow", "none"], 125, "", "error: no such command\n");
    let long = ["exec", "--soft-timeout", "2", "--timeout", "2", "true"];
    assert_eq!(place.output(&long).status.code(), Some(2));
    place.check(&["exec", "--soft-timeout", "60", "exit 3"], 3, "", "");
}

/// What it may use is what it may use without a soft limit, though the daemon is another one.
#[test]
fn an_isolated_command_with_a_soft_limit_has_its_directory() {
    let place = Place::new();
    let text = "echo x > isolated && cat isolated; ls -A ~";
    let run = |more: &[&str]| {
        let mut command = place.command(&["exec", "--isolate"]);
        command.args(more).arg(text).current_dir(place.path("."));
        command.output().unwrap()
    };
    let (plain, soft) = (run(&[]), run(&["--soft-timeout", "60"]));
    assert_eq!(soft.stdout, plain.stdout, "{soft:?}");
    assert_eq!(soft.status, plain.status, "{soft:?}");
}

/// What runs is named so, wherever it is described.
#[test]
fn a_running_command_has_a_name_for_its_state() {
    let place = Place::new();
    place.check(&["session", "create", "a"], 0, "", "");
    place.says(&["session", "exec", "-d", "a", "exec sleep 600"]);
    for arguments in [&["session", "list", "a"][..], &["session", "logs", "a"]] {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let said: serde_json::Value = serde_json::from_str(&place.says(&arguments)).unwrap();
        let command = match said.get("commands") {
            Some(commands) => commands.as_array().unwrap().last().unwrap(),
            None => &said,
        };
        assert_eq!(command["termination"], "running", "{arguments:?}");
    }
}

#[test]
fn of_many_simultaneous_clients_one_starts_it() {
    let place = Place::new();
    let mut all: Vec<_> = (0..8)
        .map(|n| {
            let id = format!("s{n}");
            place.command(&["session", "create", &id]).spawn().unwrap()
        })
        .collect();
    for one in &mut all {
        assert!(one.wait().unwrap().success());
    }
    assert_eq!(place.says(&["session", "list"]).lines().count(), 9);
}

#[test]
fn an_interrupt_is_the_commands() {
    let place = Place::new();
    place.check(&["session", "create", "s"], 0, "", "");
    let follower = place
        .command(&[
            "session",
            "exec",
            "s",
            "sh -c 'trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.1; done'",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_a_sleep(&place);
    let pid = rustix::process::Pid::from_child(&follower);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = follower.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ready\ncaught\n");
    assert_eq!(output.status.code(), Some(9));
}

/// Waits until the session's command has come to its `wait`.
fn wait_for_a_sleep(place: &Place) {
    let give_up = Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let list = place.says(&["session", "list", "s", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let id = list["commands"][1]["id"].as_str().map(str::to_owned);
        if let Some(id) = id
            && place.says(&["session", "logs", "s", &id]) == "ready\n"
        {
            return;
        }
        assert!(Instant::now() < give_up, "{list}");
    }
}

#[test]
fn an_interpreter_shows_values() {
    let place = Place::new();
    let directory = tempfile::tempdir().unwrap();
    let evaluate = |arguments: &[&str], code: &str| {
        let mut child = place
            .command(&[&["repl"], arguments].concat())
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(code.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code(),
        )
    };
    let told = |text: &str| (text.to_owned(), String::new(), Some(0));
    assert_eq!(evaluate(&[], "x = 40"), told(""));
    assert_eq!(
        evaluate(&[], "print('o'); {'x': x + 2}"),
        told("o\n{'x': 42}\n")
    );
    assert_eq!(evaluate(&[], "None"), told(""));
    let (stdout, stderr, code) = evaluate(&[], "print('o'); 1 / 0");
    assert_eq!((&*stdout, code), ("o\n", Some(1)));
    assert!(stderr.contains("ZeroDivisionError"), "{stderr}");
    assert_eq!(
        evaluate(&["--language", "javascript"], "const x = [1, 'a']; x"),
        told("[ 1, 'a' ]\n")
    );
    assert_eq!(
        evaluate(&["--language", "typescript"], "let n: number = 6; n * 7"),
        told("42\n")
    );
    assert_eq!(
        place.output(&["repl", "--language", "cobol"]).status.code(),
        Some(2)
    );
}

#[test]
fn programs_are_reported_as_json() {
    let place = Place::new();
    let says = |arguments: &[&str]| -> serde_json::Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&place.says(&arguments)).unwrap()
    };
    let json = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    assert_eq!(
        says(&["session", "create", "s"]),
        json(r#"{"sessionId": "s"}"#)
    );
    let detached = ["session", "exec", "--json", "-d", "s", "read x; echo $x"];
    let id = json(&place.says(&detached))["cmdId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(says(&["session", "input", "s", &id, "hi"])["cmdId"], *id);
    let log = says(&["session", "logs", "-f", "s", &id]);
    assert_eq!(
        (&log["stdout"], &log["exitCode"]),
        (&"hi\n".into(), &0.into())
    );
    assert_eq!(log["termination"], "exited");
    assert_eq!(says(&["session", "list", "s"])["commands"][1]["id"], *id);
    assert_eq!(says(&["session", "rm", "s"]), json(r#"{"removed": ["s"]}"#));
    assert_eq!(
        says(&["pty", "open", "-d", "--id", "t"]),
        json(r#"{"id": "t"}"#)
    );
    assert_eq!(says(&["pty", "resize", "t", "90", "30"])["cols"], 90);
    assert_eq!(says(&["pty", "kill", "t"]), json(r#"{"killed": ["t"]}"#));
    let undetached = place.output(&["pty", "--json"]);
    assert_eq!(undetached.status.code(), Some(2));

    let mut repl = place
        .command(&["repl", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = repl.stdin.take().unwrap();
    stdin.write_all(b"print('o'); 6 * 7").unwrap();
    drop(stdin);
    let told = repl.wait_with_output().unwrap().stdout;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        (&told["stdout"], &told["outcome"]),
        (&"o\n".into(), &"completed".into())
    );
    assert_eq!(
        (&told["displayed"][0]["text"], &told["error"]),
        (&"42".into(), &().into())
    );
    assert_eq!(says(&["stop"]), json(r#"{"stopped": true}"#));
}

#[test]
fn every_kind_of_thing_is_reached_over_grpc() {
    let place = Place::new();
    let socket = place.0.path().join("grpc.sock");
    let listen = format!("unix:{}", socket.display());
    let (serving, _) = crate::serve(&["serve", "--listen", &listen]);
    let url = format!("grpc+unix:{}", socket.display());
    let url = url.as_str();
    place.check(&["exec", "--url", url, "echo hi; exit 3"], 3, "hi\n", "");
    place.check(&["session", "--url", url, "create", "s"], 0, "", "");
    place.check(
        &[
            "session",
            "--url",
            url,
            "exec",
            "s",
            "echo o; echo e >&2; (exit 4)",
        ],
        4,
        "o\n",
        "e\n",
    );
    let list = place.says(&["session", "--url", url, "list"]);
    assert!(list.ends_with("s        active  1         0\n"), "{list}");
    place.check(&["session", "--url", url, "rm", "s"], 0, "", "");
    let open = ["pty", "open", "--url", url, "--detach", "--id", "t"];
    place.check(&open, 0, "t\n", "");
    place.check(&["pty", "resize", "--url", url, "t", "90", "30"], 0, "", "");
    let list = place.says(&["pty", "list", "--url", url]);
    assert!(list.contains("\nt         90x30  running  "), "{list}");
    place.check(&["pty", "kill", "--url", url, "t"], 0, "", "");
    let missing = "error: no such session\n";
    place.check(&["session", "--url", url, "rm", "s"], 1, "", missing);
    let doctor = place.says(&["doctor", "--url", url]);
    assert!(doctor.contains("bash"), "{doctor}");
    crate::send(&serving, rustix::process::Signal::TERM);
    assert!(crate::wait(serving).success());
}

#[test]
fn installations_get_completions_and_a_manual() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            place.says(&["completions", shell]).contains("sandbox"),
            "{shell}"
        );
    }
    let manual = place.says(&["man"]);
    for word in ["session", "Exit codes", "doctor"] {
        assert!(manual.contains(word), "{word}");
    }
    let doctor: serde_json::Value =
        serde_json::from_str(&place.says(&["doctor", "--json"])).unwrap();
    let bash = doctor["shells"]["bash"].as_str().unwrap();
    assert!(Path::new(bash).exists(), "{doctor}");
    assert!(doctor["runtimes"]["python3"].is_string(), "{doctor}");
}

#[test]
fn a_terminal_needs_a_terminal() {
    let place = Place::new();
    let output = place.output(&["pty"]);
    assert_eq!(output.status.code(), Some(125));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("this needs a terminal"), "{stderr}");
    assert_eq!(
        place
            .output(&["pty", "--detach-keys", "nonsense"])
            .status
            .code(),
        Some(2)
    );
}
