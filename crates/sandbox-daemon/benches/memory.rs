//! The memory of the daemon's process: when it is idle, the most during a load, and a second after it.
//!
//! `cargo xtask bench memory`. Not a test: no number of it is asserted. Each row is printed when it is known, and no load is
//! waited for longer than [`PATIENCE`].

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sandbox_wire::pb::RunCodeRequest;
use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::run_code_response::Event;
use tonic::body::Body;
use tower_service::Service;

const OUTPUT_BYTES: u64 = 64 << 20;
const SESSIONS: u32 = 1_000;
const FOLLOWERS: u32 = 1_000;
/// The output that each follower reads.
const FOLLOWED_BYTES: u64 = 200_000;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(directory.path());
    daemon.create_session(0);
    daemon.delete_session(0);
    daemon.execute("true");
    let idle = daemon.kilobytes("VmRSS:");
    println!("resident size, in kB           peak     1 s after   idle +");
    println!("{:<24} {idle:>10}", "idle");
    let rows: [(&str, &dyn Fn()); 6] = [
        ("64 MB of output, REST", &|| {
            let length = daemon.execute(&output());
            assert!(length > OUTPUT_BYTES, "{length} bytes");
        }),
        ("64 MB of output, gRPC", &|| {
            assert_eq!(daemon.run_code(&output()), OUTPUT_BYTES);
        }),
        ("8 of them, REST", &|| {
            for _ in 0..8 {
                daemon.execute(&output());
            }
        }),
        ("1,000 sessions in turn", &|| {
            for number in 0..SESSIONS {
                daemon.create_session(number);
                daemon.delete_session(number);
            }
        }),
        ("1,000 sessions at a time", &|| {
            (0..SESSIONS).for_each(|number| daemon.create_session(number));
            (0..SESSIONS).for_each(|number| daemon.delete_session(number));
        }),
        ("1,000 followers", &|| daemon.follow(directory.path())),
    ];
    for (name, load) in rows {
        daemon.reset_peak();
        let began = Instant::now();
        load();
        let took = began.elapsed();
        #[expect(
            clippy::disallowed_methods,
            reason = "the size after a second is what is measured"
        )]
        std::thread::sleep(Duration::from_secs(1));
        let (peak, after) = (daemon.kilobytes("VmHWM:"), daemon.kilobytes("VmRSS:"));
        let over = i128::from(after) - i128::from(idle);
        println!("{name:<24} {peak:>10}    {after:>10}   {over:>6}    ({took:.1?})");
    }
}

fn output() -> String {
    format!("head -c {OUTPUT_BYTES} /dev/zero | tr '\\0' x")
}

/// A daemon of its own, ended with the bench.
struct Daemon {
    process: Child,
    address: String,
}

impl Daemon {
    #[expect(
        clippy::disallowed_methods,
        reason = "the memory of a whole process is measured"
    )]
    fn start(directory: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sandbox-daemon"))
            .args(["--listen", "127.0.0.1:0", "--insecure-no-auth"])
            .arg("--state-dir")
            .arg(directory)
            .arg("--work-dir")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the daemon starts");
        let stdout = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("the line of its address");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.expect("it listens over HTTP").to_owned();
        Self { process, address }
    }

    /// Sends a request and returns how many bytes the response has.
    fn send(&self, method: &str, path: &str, body: &serde_json::Value) -> u64 {
        rest(self.request(method, path, body)).len() as u64
    }

    /// Sends a request and returns the connection when the response has begun.
    fn request(&self, method: &str, path: &str, body: &serde_json::Value) -> TcpStream {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let limited = stream.set_read_timeout(Some(PATIENCE));
        limited.expect("a time limit is set");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the request is taken");
        let mut head = [0; 12];
        stream.read_exact(&mut head).expect("a response");
        assert_eq!(head[9], b'2', "{method} {path}: {}", head.escape_ascii());
        stream
    }

    fn execute(&self, command: &str) -> u64 {
        let body = serde_json::json!({ "command": command });
        self.send("POST", "/process/execute", &body)
    }

    fn create_session(&self, number: u32) {
        let body = serde_json::json!({ "sessionId": format!("s{number}") });
        self.send("POST", "/process/session", &body);
    }

    fn delete_session(&self, number: u32) {
        let path = format!("/process/session/s{number}");
        self.send("DELETE", &path, &serde_json::json!({}));
    }

    /// Follows the log of one command, many times at a time, to its end.
    fn follow(&self, directory: &Path) {
        self.create_session(0);
        let gate = directory.join("gate");
        let command = format!(
            "mkfifo {0}; head -c {FOLLOWED_BYTES} /dev/zero | tr '\\0' x; cat {0}",
            gate.display()
        );
        let body = serde_json::json!({ "command": command, "runAsync": true });
        let begun = rest(self.request("POST", "/process/session/s0/exec", &body));
        let json = begun.lines().last().expect("a body");
        let begun: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let id = begun["cmdId"].as_str().expect("the command's id");
        let path = format!("/process/session/s0/command/{id}/logs?follow=true");
        let follow = |_| self.request("GET", &path, &serde_json::json!({}));
        let followers: Vec<_> = (0..FOLLOWERS).map(follow).collect();
        // Opened when the command reads it, which it does until it is closed.
        drop(std::fs::File::create(&gate).expect("the command waits there"));
        for follower in followers {
            let length = rest(follower).len() as u64;
            assert!(length > FOLLOWED_BYTES, "{length} bytes");
        }
        self.delete_session(0);
    }

    /// Runs a program over gRPC and returns how many bytes it wrote.
    fn run_code(&self, code: &str) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let request = RunCodeRequest {
            code: code.to_owned(),
            language: "bash".to_owned(),
            ..RunCodeRequest::default()
        };
        let run = async {
            let channel = Channel::to(&self.address).await;
            let answers = CodeServiceClient::new(channel).run_code(request).await;
            let mut answers = answers.expect("a response").into_inner();
            let mut total = 0;
            while let Some(answer) = answers.message().await.expect("the response comes") {
                if let Some(Event::Output(chunk)) = answer.event {
                    total += chunk.data.len() as u64;
                }
            }
            total
        };
        let run = async { tokio::time::timeout(PATIENCE, run).await };
        runtime.block_on(run).expect("it ends in time")
    }

    /// Has the kernel forget the most that was resident.
    fn reset_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.process.id());
        std::fs::write(path, "5").expect("the peak can be reset");
    }

    /// A row of the process's status.
    fn kilobytes(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let row = status.lines().find_map(|line| line.strip_prefix(name));
        let number = row.and_then(|row| row.split_whitespace().next());
        let number = number.and_then(|number| number.parse().ok());
        number.expect("a number")
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

/// Reads a connection to its end.
fn rest(mut connection: TcpStream) -> String {
    let mut text = Vec::new();
    let read = connection.read_to_end(&mut text);
    read.expect("the response comes");
    String::from_utf8(text).expect("UTF-8")
}

/// A connection of HTTP/2.
#[derive(Clone)]
struct Channel(http2::SendRequest<Body>);

impl Channel {
    async fn to(address: &str) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await;
        let stream = TokioIo::new(stream.expect("a connection"));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .expect("a connection of HTTP/2");
        tokio::spawn(connection);
        Self(sender)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let uri = format!("http://localhost{}", request.uri().path());
        *request.uri_mut() = uri.parse().expect("a path of a method is one of a URI");
        Box::pin(self.0.send_request(request))
    }
}
