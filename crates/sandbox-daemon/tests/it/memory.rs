//! The memory of the daemon's process: what a load costs, and that it is given back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox_daemon::limits::LOG_JSON_BYTES;
use serde_json::{Value, json};

#[cfg(feature = "grpc")]
mod calls;
mod files;

/// A daemon of its own, ended with the test.
struct Daemon {
    process: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Daemon {
    #[expect(
        clippy::disallowed_methods,
        reason = "the memory of a whole process is measured"
    )]
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_sandbox-daemon"))
            .args(["--listen", "127.0.0.1:0", "--insecure-no-auth"])
            .arg("--state-dir")
            .arg(directory.path())
            .arg("--work-dir")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        Self {
            process,
            address: address.to_owned(),
            directory,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Sends a request and returns the connection, from which the response is to be read.
    fn send(&self, method: &str, path: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        // A body that is refused early may not be taken to its end.
        let _ = stream.write_all(body);
        stream
    }

    /// Sends a request and returns the response's status and how many bytes it has.
    fn count(&self, method: &str, path: &str, body: &[u8]) -> (u16, u64) {
        let mut stream = self.send(method, path, body);
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
        let mut length = 12;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            length += count as u64;
        }
        (status, length)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, u64) {
        self.count("POST", path, body.to_string().as_bytes())
    }

    /// A figure of `/proc/PID/status`, in MiB.
    fn mib(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib: u64 = line
            .and_then(|line| line.trim_start_matches(':').split_whitespace().next())
            .unwrap()
            .parse()
            .unwrap();
        kib / 1024
    }

    fn resident(&self) -> u64 {
        self.mib("VmRSS")
    }

    /// The most that was ever resident.
    fn peak(&self) -> u64 {
        self.mib("VmHWM")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        // It ends what it runs before it ends itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing else tells how much memory a process has"
)]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_file(path: &Path) {
    eventually("the file of a child", || path.exists());
}

#[test]
fn background_children_of_exec_cost_no_memory() {
    let daemon = Daemon::start();
    daemon.post("/process/execute", &json!({ "command": "true" }));
    let idle = daemon.peak();
    for child in 0..3 {
        let done = daemon.path(&format!("done-{child}"));
        let command = format!(
            "(head -c 400000000 /dev/zero; touch {}) & true",
            done.display()
        );
        daemon.post("/process/execute", &json!({ "command": command }));
    }
    for child in 0..3 {
        wait_for_file(&daemon.path(&format!("done-{child}")));
    }
    let peak = daemon.peak();
    assert!(peak < idle + 32, "{idle} MiB before, {peak} at the most");
}

/// Whatever a body says, it costs little more than its bytes.
#[test]
fn bodies_cost_what_they_carry() {
    let daemon = Daemon::start();
    daemon.post("/process/execute", &json!({ "command": "true" }));
    let idle = daemon.peak();
    let numbers = "0,".repeat(20_000_000);
    let array = format!("[{numbers}0]");
    let member = format!("{{\"zzz\":[{numbers}0],\"command\":\"true\"}}");
    let variables: String = (0..3_000_000).map(|n| format!("\"V{n}\":\"\",")).collect();
    let variables = format!("{{\"command\":\"true\",\"envs\":{{{variables}\"Z\":\"\"}}}}");
    for (body, status) in [(&array, 400), (&member, 413), (&variables, 413)] {
        let (answered, _) = daemon.count("POST", "/process/execute", body.as_bytes());
        assert_eq!(answered, status);
    }
    let peak = daemon.peak();
    assert!(peak < idle + 32, "{idle} MiB before, {peak} at the most");
}

/// An output is read from its record while it is sent, whatever JSON makes of it.
#[test]
fn a_response_of_64_mib_is_never_in_memory_whole() {
    const OUTPUT: u64 = 64 << 20;
    // With the sizes of the chunks.
    let at_most = |bytes: u64| bytes + bytes / 50;
    let daemon = Daemon::start();
    let text = json!({ "command": format!("head -c {OUTPUT} /dev/zero | tr '\\0' x") });
    let (status, length) = daemon.post("/process/execute", &text);
    assert_eq!(status, 200);
    assert!(
        (OUTPUT..at_most(OUTPUT)).contains(&length),
        "{length} bytes"
    );
    // Each byte is six in JSON.
    let zeros = json!({ "command": format!("head -c {OUTPUT} /dev/zero") });
    let (status, length) = daemon.post("/process/execute", &zeros);
    assert_eq!(status, 200);
    assert!(
        (OUTPUT..at_most(LOG_JSON_BYTES)).contains(&length),
        "{length} bytes"
    );
    daemon.post("/process/session", &json!({ "sessionId": "s" }));
    let zeros = json!({ "command": format!("head -c {OUTPUT} /dev/zero"), "commandId": "c" });
    let (status, length) = daemon.post("/process/session/s/exec", &zeros);
    assert_eq!(status, 200);
    assert!(
        (OUTPUT..at_most(3 * LOG_JSON_BYTES)).contains(&length),
        "{length} bytes"
    );
    let (status, length) = daemon.count("GET", "/process/session/s/command/c/logs", b"");
    assert_eq!(status, 200);
    assert!(
        (OUTPUT - 1000..at_most(3 * LOG_JSON_BYTES)).contains(&length),
        "{length} bytes"
    );
    let peak = daemon.peak();
    assert!(peak < 200, "{peak} MiB at the most");
}

/// One second after a load is what is promised; how long this machine takes for that is not what is tested.
#[test]
fn memory_is_given_back() {
    const OUTPUT: u64 = 64 << 20;
    let daemon = Daemon::start();
    daemon.post("/process/session", &json!({ "sessionId": "warm" }));
    daemon.post(
        "/process/session/warm/exec",
        &json!({ "command": "echo a" }),
    );
    daemon.count("DELETE", "/process/session/warm", b"");
    let idle = daemon.resident();
    let is_given_back = |what: &str| {
        eventually(what, || daemon.resident() < idle + 10);
    };

    let output = json!({ "command": format!("head -c {OUTPUT} /dev/zero | tr '\\0' x") });
    for _ in 0..4 {
        daemon.post("/process/execute", &output);
    }
    is_given_back("after large outputs");

    let body = json!({ "command": format!(": {}", "x".repeat(30 << 20)) });
    daemon.post("/process/execute", &body);
    daemon.post(
        "/process/execute",
        &json!({ "command": "" , "cwd": "x".repeat(30 << 20)}),
    );
    is_given_back("after large bodies");

    let session = |n: u32| format!("/process/session/s{n}");
    for n in 0..40 {
        let id = format!("s{n}");
        daemon.post("/process/session", &json!({ "sessionId": id }));
        let command = json!({ "command": "seq 1 300000", "commandId": "c", "runAsync": true });
        daemon.post(&format!("{}/exec", session(n)), &command);
    }
    let followers: Vec<_> = (0..200)
        .map(|n| {
            let path = format!("{}/command/c/logs?follow=true", session(n % 40));
            daemon.send("GET", &path, b"")
        })
        .collect();
    for mut follower in followers {
        let mut log = Vec::new();
        follower.read_to_end(&mut log).unwrap();
        assert!(log.len() > 1_900_000);
    }
    for n in 0..40 {
        daemon.count("DELETE", &session(n), b"");
    }
    is_given_back("after many sessions and followers");
}
