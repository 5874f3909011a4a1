//! The binary: its options, its token, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn daemon() -> Command {
    daemon_by(env!("CARGO_BIN_EXE_sandbox-daemon"))
}

/// A program that becomes the daemon.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is tested as a user starts it"
)]
pub(crate) fn daemon_by(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("SANDBOX_TOKEN").stdin(Stdio::null());
    command
}

pub(crate) fn fails(arguments: &[&str], expect: &str) {
    let Output { status, stderr, .. } = daemon().args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        !status.success() && stderr.contains(expect),
        "{arguments:?}: {stderr}"
    );
}

/// Starts the daemon and waits for the line that reports its address.
pub(crate) fn start(command: &mut Command) -> (Child, String) {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
    wait(command.spawn().unwrap())
}

pub(crate) fn wait(mut child: Child) -> (Child, String) {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    (child, address)
}

pub(crate) fn execute(address: &str, token: &str, command: &str) -> String {
    let body = serde_json::json!({ "command": command });
    let head = format!("POST /process/execute HTTP/1.1\r\nAuthorization: Bearer {token}");
    exchange(address, &head, &body)
}

/// Sends a request to a daemon that wants no token.
pub(crate) fn request(address: &str, method: &str, path: &str, body: &serde_json::Value) -> String {
    exchange(address, &format!("{method} {path} HTTP/1.1"), body)
}

fn exchange(address: &str, head: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_for(mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

pub(crate) fn end(mut child: Child) {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success(), "SIGTERM is a good end");
}

#[test]
fn it_does_not_start_open_by_accident() {
    fails(&["--listen", "127.0.0.1:0"], "an access token is required");
    fails(
        &["--listen", "0.0.0.0:0", "--insecure-no-auth"],
        "refusing to listen",
    );
    fails(
        &["--listen", "127.0.0.1:0", "--token-file", "/no/file"],
        "cannot read the token file",
    );
    fails(
        &["--listen", "127.0.0.1:0", "--token-file", "/dev/null"],
        "the access token is empty",
    );
    fails(&["--listen", "nonsense"], "neither HOST:PORT nor unix:PATH");
    fails(&["--listen", "/run/x.sock"], "hint: put `unix:` before");
    let no_python = [
        "--listen",
        "127.0.0.1:0",
        "--insecure-no-auth",
        "--python",
        "/no/python",
    ];
    fails(&no_python, "cannot use /no/python for Python");
    fails(
        &[
            "--listen",
            "127.0.0.1:0",
            "--insecure-no-auth",
            "--work-dir",
            "/no",
        ],
        "/no",
    );
    fails(
        &["--listen", "127.0.0.1:0", "--tls-cert", "/no/file"],
        "TLS needs both a certificate and its key",
    );
    fails(
        &[
            "--listen",
            "127.0.0.1:0",
            "--insecure-no-auth",
            "--tls-cert",
            "/no/file",
            "--tls-key",
            "/dev/null",
        ],
        "cannot read a certificate in /no/file",
    );
    fails(&["--token", "x"], "unexpected argument");
}

#[test]
fn the_token_is_required_and_children_do_not_see_it() {
    let (child, address) = start(
        daemon()
            .args(["--listen", "127.0.0.1:0"])
            .env("SANDBOX_TOKEN", "s3cret-token"),
    );
    assert!(execute(&address, "wrong", "true").starts_with("HTTP/1.1 401 "));
    let spy = format!(
        "env; tr '\\0' '\\n' < /proc/{}/environ; tr '\\0' ' ' < /proc/{}/cmdline; echo end",
        child.id(),
        child.id()
    );
    let answer = execute(&address, "s3cret-token", &spy);
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("end\\n"),
        "{answer}"
    );
    assert!(!answer.contains("s3cret-token"), "{answer}");
    end(child);
}

#[test]
fn a_file_of_settings_is_last_to_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sandbox.toml");
    let path = file.to_str().unwrap();
    let settings = "listen = '127.0.0.1:0'\nshell = '/bin/bash'\ninsecure-no-auth = true\nwork-dir = '/proc'\n";
    std::fs::write(&file, settings).unwrap();
    let said = |command: &mut Command| {
        let (child, address) = start(command);
        let answer = execute(&address, "", "echo $0 in $PWD.");
        end(child);
        answer
    };
    let answer = said(daemon().args(["--config", path]));
    assert!(answer.contains("/bin/bash in /proc."), "{answer}");
    let answer = said(
        daemon()
            .env("SANDBOX_CONFIG", path)
            .env("SANDBOX_SHELL", "/bin/dash"),
    );
    assert!(answer.contains("/bin/dash in /proc."), "{answer}");
    let answer =
        said(
            daemon()
                .env("SANDBOX_WORK_DIR", "/sys")
                .args(["--config", path, "--work-dir", "/"]),
        );
    assert!(answer.contains("/bin/bash in /."), "{answer}");

    fails(
        &["--config", "/no/file"],
        "cannot read the settings in /no/file",
    );
    std::fs::write(&file, "listenn = 'x'").unwrap();
    fails(&["--config", path], "unknown field `listenn`");
}

#[test]
fn the_token_file_is_trimmed() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"  from-file \n").unwrap();
    let path = file.path().to_str().unwrap();
    let (child, address) = start(daemon().args(["--listen", "127.0.0.1:0", "--token-file", path]));
    assert!(execute(&address, "from-file", "true").starts_with("HTTP/1.1 200 "));
    end(child);
}

#[test]
fn a_token_file_that_others_may_read_is_warned_of() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret").unwrap();
    for (mode, warns) in [(0o600, false), (0o640, true), (0o644, true)] {
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = daemon();
        command
            .args(["--listen", "127.0.0.1:0", "--token-file"])
            .arg(file.path());
        command.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
        let (child, address) = wait(command.spawn().unwrap());
        assert!(execute(&address, "s3cret", "true").starts_with("HTTP/1.1 200 "));
        end(child);
        let log = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(
            log.contains("may read the token file"),
            warns,
            "{mode:o}: {log}"
        );
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[test]
fn the_log_has_no_token_and_no_command() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = daemon();
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("SANDBOX_TOKEN", "s3cret-token")
        .env("SANDBOX_LOG", "trace");
    command.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
    let (child, address) = wait(command.spawn().unwrap());
    execute(&address, "s3cret-token", "echo s3cret-command");
    execute(&address, "wr0ng-token", "echo s3cret-command");
    for path in [
        "/process/session/s/command/c/logs?DAYTONA_SANDBOX_AUTH_KEY=s3cret-token&follow=true",
        "/version?DAYTONA_SANDBOX_AUTH_KEY=s3cret-token",
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // Not anywhere in it: an id may have these digits.
        assert!(!answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    end(child);
    let log = std::fs::read_to_string(log.path()).unwrap();
    assert!(log.contains("/process/session/s/command/c/logs"), "{log}");
    for secret in ["s3cret", "wr0ng"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// A daemon that was started with few descriptors has some left for its work, however many connect.
#[test]
fn few_descriptors_are_shared() {
    let mut command = limited("ulimit -n 64");
    command.args(["--listen", "127.0.0.1:0"]);
    let (child, address) = start(command.env("SANDBOX_TOKEN", "s3cret"));
    let held: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    let answer = execute(&address, "s3cret", "echo hi");
    assert!(answer.contains("\"result\":\"hi\\n\""), "{answer}");
    drop(held);
    end(child);
}

/// What is refused while descriptors are short is refused for now, in each way of starting something.
#[test]
fn a_shortage_is_one_that_passes() {
    let mut command = limited("ulimit -n 40");
    command.args(["--listen", "127.0.0.1:0", "--no-warm"]);
    let (child, address) = start(command.env("SANDBOX_TOKEN", "s3cret"));
    let post = |path: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Sandbox-Token: s3cret\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // Each needs descriptors of its own; with one way exhausted, another may still need fewer.
    for (what, path, body) in [
        ("session", "/process/session", r#"{"sessionId": "N"}"#),
        ("terminal", "/process/pty", r#"{"id": "N"}"#),
        ("context", "/process/interpreter/context", "{}"),
    ] {
        let refused = (0..40).find_map(|n| {
            let answer = post(path, &body.replace('N', &format!("n{n}")));
            (!answer.starts_with("HTTP/1.1 20")).then_some(answer)
        });
        let answer = refused.expect("forty of them have more than forty descriptors");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{what}: {answer}");
        assert!(answer.contains("retry-after: 1"), "{what}: {answer}");
        assert!(answer.contains("SERVICE_UNAVAILABLE"), "{what}: {answer}");
    }
    end(child);
}

/// The daemon, started by a shell after it has lowered its own limits.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is tested as a user starts it"
)]
fn limited(limit: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{limit}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sandbox-daemon")]);
    command.env_remove("SANDBOX_TOKEN").stdin(Stdio::null());
    command
}

/// What a client without the token can make the daemon hold is little.
#[test]
fn a_connection_without_the_token_costs_little() {
    let (child, address) = start(
        daemon()
            .args(["--listen", "127.0.0.1:0"])
            .env("SANDBOX_TOKEN", "s3cret"),
    );
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<usize>().unwrap()
    };
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}",
        "x".repeat(16_000)
    );
    let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (begun, limit) in [(head.as_bytes(), 40), (h2, 40)] {
        // The first ones cost what is done once.
        execute(&address, "s3cret", "true");
        let before = resident();
        let held: Vec<_> = (0..400)
            .map(|_| {
                let mut stream = TcpStream::connect(&address).unwrap();
                stream.write_all(begun).unwrap();
                stream
            })
            .collect();
        execute(&address, "s3cret", "true");
        let each = resident().saturating_sub(before) / held.len();
        assert!(each < limit, "{each} KiB for each connection");
    }
    end(child);
}

/// The output of the entrypoint, in the form in which it was asked for at the start.
#[test]
fn the_entrypoint_is_started() {
    let (child, address) = start(
        daemon()
            .args(["--listen", "127.0.0.1:0", "--insecure-no-auth"])
            .args(["--", "echo", "it's  $HOME"]),
    );
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = "GET /process/session/entrypoint/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n";
    write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\u{1}\u{1}\u{1}it's  $HOME\n"), "{answer}");
    end(child);
}

#[test]
fn sigterm_ends_what_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (child, address) = start(daemon().args([
        "--listen",
        "127.0.0.1:0",
        "--insecure-no-auth",
        "--shutdown-grace",
        "0",
        "--work-dir",
        directory.path().to_str().unwrap(),
    ]));
    let pid_file = directory.path().join("pid");
    let running = std::thread::spawn(move || {
        execute(
            &address,
            "",
            "trap '' TERM; echo $$ > pid.new; mv pid.new pid; sleep 60; sleep 60",
        )
    });
    wait_for(|| pid_file.exists());
    end(child);
    let pid = std::fs::read_to_string(pid_file).unwrap();
    assert!(
        !std::path::Path::new("/proc").join(pid.trim()).exists(),
        "it outlived the daemon"
    );
    let answer = running.join().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"signal\":9"),
        "{answer}"
    );
}
