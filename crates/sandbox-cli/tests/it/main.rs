//! The command as a person or a script uses it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod background;
mod completion;
mod files;
mod isolation;
mod logs;
mod printing;
mod readme;
mod sandboxes;
#[cfg(feature = "ssh")]
mod ssh;
mod terminal;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "the binary is tested as a user starts it"
)]
fn program(name: &str) -> Command {
    Command::new(name)
}

fn sandbox(arguments: &[&str]) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_sandbox"));
    command.args(arguments).stdin(Stdio::null());
    command
        .env_remove("SANDBOX_TOKEN")
        .env_remove("SANDBOX_URL")
        .env_remove("SANDBOX_API_KEY")
        .env_remove("DAYTONA_API_URL")
        .env_remove("DAYTONA_API_KEY");
    command
}

#[track_caller]
fn check(arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
    let output = sandbox(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        text(&output.stdout),
        stdout,
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    assert_eq!(text(&output.stderr), stderr, "{arguments:?}");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
}

/// A failure whose message and hint contain these.
#[track_caller]
fn fails(arguments: &[&str], code: i32, expect: &[&str]) {
    let Output {
        status,
        stdout,
        stderr,
    } = sandbox(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stdout.is_empty(), "{arguments:?}");
    for text in expect {
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
}

#[test]
fn exec_passes_outputs_and_the_exit_code_on() {
    check(&["exec", "echo o; echo e >&2; exit 4"], 4, "o\n", "e\n");
    check(
        &["exec", "echo", "a  b", "$HOME", "it's"],
        0,
        "a  b $HOME it's\n",
        "",
    );
    check(&["exec", "--", "printf", "%s|", "-x", ""], 0, "-x||", "");
    check(
        &["exec", "-e", "A=b=c", "--env", "E=", "echo $A${E-unset}"],
        0,
        "b=c\n",
        "",
    );
    check(&["exec", "--cwd", "/usr", "pwd"], 0, "/usr\n", "");
    check(&["exec", "kill -9 $$"], 137, "", "");
    check(&["exec", "cat; echo end"], 0, "end\n", "");
    let timed_out = "error: the time limit ran out\n";
    check(
        &["exec", "--timeout", "0.3", "echo begun; sleep 60"],
        124,
        "begun\n",
        timed_out,
    );
}

#[test]
fn a_limit_is_passed_on_and_ends_what_exceeds_it() {
    check(&["exec", "--open-files", "64", "ulimit -n"], 0, "64\n", "");
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let long = "exec head -c 2000 /dev/zero > f";
    check(
        &["exec", "--cwd", dir, "--file-size", "1K", long],
        153,
        "",
        "error: its file size limit ended it\n",
    );
    for size in ["1.5G", "512MB", "-1"] {
        let memory = format!("--memory={size}");
        let output = sandbox(&["exec", &memory, "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{size}");
    }
}

#[test]
fn exec_reads_a_command_of_8_mib_from_standard_input() {
    let mut child = sandbox(&["exec", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let command = format!("printf %s '{}' | wc -c", "x".repeat(8 << 20));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(command.as_bytes())
        .unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"8388608\n");
}

/// More than the daemon keeps for a command that reads late.
#[test]
fn exec_passes_on_input_of_any_length() {
    let mut child = sandbox(&["exec", "-i", "sleep 0.5; wc -c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..100 {
        stdin.write_all(&[b'x'; 1024 * 1024]).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "104857600\n");
    assert!(output.status.success());
}

#[test]
fn exec_says_what_is_wrong() {
    fails(&["exec"], 2, &["Usage: sandbox exec"]);
    fails(
        &["exec", "--timeout", "x", "true"],
        2,
        &["invalid value 'x'"],
    );
    fails(
        &["exec", "-e", "SANDBOX_NO_SUCH", "true"],
        2,
        &["expected NAME=VALUE", "SANDBOX_NO_SUCH is not"],
    );
    fails(
        &["exec", "-e", "A-B=", "true"],
        2,
        &["error: invalid environment variable name: 'A-B'"],
    );
    fails(&["exec", " "], 2, &["error: the command is empty"]);
    fails(
        &["exec", "--cwd", "/no/dir", "true"],
        126,
        &["/no/dir", "No such file"],
    );
    fails(
        &["exec", "--cwd", "/etc/passwd", "true"],
        126,
        &["/etc/passwd", "Not a directory"],
    );
    fails(
        &["exec", "--url", "http://127.0.0.1:1", "true"],
        125,
        &["cannot connect", "hint: "],
    );
    fails(
        &["exec", "--url", "localhost:2280", "true"],
        2,
        &[
            "neither http[s]://",
            "localhost:2280",
            "hint: write it with its scheme",
        ],
    );
    fails(
        &["exec", "--url", "unix:/no/socket", "true"],
        125,
        &["cannot connect to unix:/no/socket"],
    );
}

#[test]
fn run_reads_files_and_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.py");
    std::fs::write(
        &file,
        "import sys; print(sys.argv[1:]); sys.exit(len(sys.argv))",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    check(
        &["run", file, "a b", "--flag", "$x"],
        4,
        "['a b', '--flag', '$x']\n",
        "",
    );

    let mut child = sandbox(&["run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"print('from stdin')")
        .unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"from stdin\n");
}

#[test]
fn run_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fails(&["run"], 2, &["Usage: sandbox run"]);
    fails(
        &["run", "/no/such.py"],
        2,
        &["cannot read /no/such.py", "No such file"],
    );
    std::fs::write(path("x.txt"), "1").unwrap();
    fails(
        &["run", &path("x.txt")],
        2,
        &["cannot infer the language", "hint: name it with"],
    );
    std::fs::write(path("x.py"), b"\xff").unwrap();
    fails(&["run", &path("x.py")], 125, &["is not UTF-8 text"]);
    fails(
        &["run", "--language", "cobol", &path("x.py")],
        2,
        &["invalid value 'cobol'"],
    );
    std::fs::write(path("y.py"), "1").unwrap();
    let no_python = ["run", "-e", "PATH=/nonexistent", &path("y.py")];
    fails(
        &no_python,
        125,
        &["no python3 was found", "apt-get install python3"],
    );
    let broken = ["run", "--python", "/bin/no-such-python", &path("y.py")];
    fails(&broken, 126, &["/bin/no-such-python"]);
}

#[test]
fn json_has_everything() {
    let output = sandbox(&["exec", "--json", "echo o; echo e >&2; kill -9 $$"])
        .output()
        .unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expect = serde_json::json!({
        "exitCode": 137, "termination": "signaled", "result": "o\ne\n", "stdout": "o\n", "stderr": "e\n",
    });
    assert_eq!(object["stdout"], expect["stdout"]);
    assert_eq!(object["stderr"], expect["stderr"]);
    assert_eq!(object["exitCode"], expect["exitCode"]);
    assert_eq!(object["termination"], expect["termination"]);
    assert!(
        object["usage"]["wallSeconds"].as_f64().unwrap() > 0.0,
        "{object}"
    );
    assert_eq!(output.status.code(), Some(137));
}

/// Options that come too late are words of the command.
#[test]
fn a_command_that_swallowed_options_has_a_hint() {
    let output = sandbox(&["exec", "sleep 9", "--timeout", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("hint: ") && stderr.contains("options go before"),
        "{stderr}"
    );
}

/// With `--json`, errors are JSON on standard error, and nothing is printed on standard output.
#[test]
fn errors_are_json_for_programs() {
    let url = "unix:/no/socket";
    for arguments in [
        &["exec", "--json", "--url", url, "true"][..],
        &["session", "list", "--json", "--url", url],
        &["pty", "list", "--json", "--url", url],
        &["doctor", "--json", "--url", url],
    ] {
        let output = sandbox(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(error["error"].is_string(), "{error}");
        assert!(error["causes"][0].is_string(), "{error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("sandbox serve"), "{error}");
    }
}

#[test]
fn serve_is_used_by_url_and_token() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let token = token.to_str().unwrap();
    let (serving, url) = serve(&["serve", "--listen", "127.0.0.1:0", "--token-file", token]);
    check(
        &["exec", "--url", &url, "--token-file", token, "echo hi"],
        0,
        "hi\n",
        "",
    );
    let by_variable = sandbox(&["exec", "--url", &url, "env | grep -c s3cret"])
        .env("SANDBOX_TOKEN", "s3cret")
        .output()
        .unwrap();
    assert_eq!(
        (by_variable.stdout.as_slice(), by_variable.status.code()),
        (&b"0\n"[..], Some(1))
    );
    fails(
        &["exec", "--url", &url, "true"],
        125,
        &["an access token is required", "hint: pass"],
    );
    send(&serving, rustix::process::Signal::INT);
    assert!(wait(serving).success());
}

fn serve(arguments: &[&str]) -> (Child, String) {
    let mut child = sandbox(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (
        child,
        line.trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned(),
    )
}

#[test]
fn signals_end_what_runs_here() {
    use rustix::process::Signal;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        ends_with(signal, code);
    }
}

fn ends_with(signal: rustix::process::Signal, code: i32) {
    let directory = tempfile::tempdir().unwrap();
    let begun = directory.path().join("begun");
    let command = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; sleep 60; sleep 60",
        begun.display()
    );
    let child = sandbox(&["exec", &command]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !begun.exists() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    send(&child, signal);
    assert_eq!(wait(child).code(), Some(code));
    let pid = std::fs::read_to_string(begun).unwrap();
    assert!(
        !std::path::Path::new("/proc").join(pid.trim()).exists(),
        "it outlived the command"
    );
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits for the end; what does not end is killed, so that a test fails instead of waiting for ever.
fn wait(mut child: Child) -> std::process::ExitStatus {
    let pid = rustix::process::Pid::from_child(&child);
    let (ended, end) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if end.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let status = child.wait().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    status
}
