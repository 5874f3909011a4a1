//! The limits: the same work without a daemon.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::measure::{Samples, rate};

/// A program with its arguments.
pub(crate) type Words<'a> = &'a [&'a str];

/// The shell that commands of the daemon run in.
pub(crate) const SHELL: Words<'_> = &["/bin/bash", "-c", "true"];

/// Spawns a program without input and output, and waits for it. Returns the time in seconds.
pub(crate) fn spawn(words: Words<'_>) -> f64 {
    let started = Instant::now();
    let status = command(words).stdout(Stdio::null()).status();
    assert!(status.expect("the program starts").success(), "{words:?}");
    started.elapsed().as_secs_f64()
}

/// Spawns a program, and reads its output into memory. Returns the rate in bytes in a second.
pub(crate) fn collect(words: Words<'_>, bytes: u64) -> f64 {
    let started = Instant::now();
    let output = command(words).output().expect("the program starts");
    assert_eq!(output.stdout.len() as u64, bytes, "{words:?}");
    rate(bytes, started)
}

/// Spawns a program, and sends its output through a socket of the loopback interface, to `sink`. Returns the rate in bytes in a
/// second.
pub(crate) fn through_a_socket(words: Words<'_>, bytes: u64, sink: &mut impl Write) -> f64 {
    let started = Instant::now();
    let mut stream = behind_a_socket(words);
    assert_eq!(copy(&mut stream, sink), bytes);
    rate(bytes, started)
}

/// Spawns a program, and returns the end of a loopback socket to which its output is sent.
pub(crate) fn behind_a_socket(words: Words<'_>) -> TcpStream {
    let mut child = command(words)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdout.take().expect("its output");
    let (mut near, far) = socket_pair();
    std::thread::spawn(move || {
        copy(&mut pipe, &mut near);
        assert!(child.wait().expect("its end").success());
    });
    far
}

/// Returns both ends of a connection on the loopback interface.
pub(crate) fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).expect("a connection");
    let (far, _) = listener.accept().expect("a connection");
    for end in [&near, &far] {
        end.set_nodelay(true).expect("a socket");
    }
    (near, far)
}

/// Copies in blocks of the size that the daemon uses, up to the end. `std::io::copy` would splice.
pub(crate) fn copy(from: &mut impl Read, to: &mut impl Write) -> u64 {
    let mut block = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match from.read(&mut block) {
            // A terminal ends with an error.
            Ok(0) | Err(_) => return total,
            Ok(length) => {
                to.write_all(&block[..length]).expect("room");
                total += length as u64;
            }
        }
    }
}

/// Does the same on several threads, each some times. Returns how many were done in a second.
pub(crate) async fn in_parallel(threads: u32, times: u32, work: fn()) -> f64 {
    let started = Instant::now();
    let threads_of_it = (0..threads).map(|_| {
        tokio::task::spawn_blocking(move || {
            for _ in 0..times {
                work();
            }
        })
    });
    futures_util::future::join_all(threads_of_it).await;
    rate(threads * times, started)
}

/// A process that responds to each line with a line.
pub(crate) struct Loop {
    child: Child,
    requests: Option<ChildStdin>,
    responses: BufReader<ChildStdout>,
}

impl Loop {
    pub(crate) fn start(words: Words<'_>) -> Self {
        let mut command = command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        Self {
            requests: child.stdin.take(),
            responses: BufReader::new(child.stdout.take().expect("its output")),
            child,
        }
    }

    /// Returns the time that a response takes.
    pub(crate) fn ask(&mut self, line: &str) -> f64 {
        let started = Instant::now();
        let requests = self.requests.as_mut().expect("it has an input");
        requests.write_all(line.as_bytes()).expect("a request");
        let mut response = String::new();
        self.responses.read_line(&mut response).expect("a response");
        started.elapsed().as_secs_f64()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}

/// Reads lines that end in times of writing, each with what was done by then, to the end. Returns the delays up to here, and how long the
/// end came after the last line was written.
pub(crate) fn delays(stream: TcpStream) -> (Samples, f64) {
    let (mut delays, mut last) = (Samples::default(), 0.0);
    for line in BufReader::new(stream).lines() {
        last = line.expect("a line").parse().expect("a time");
        delays.add(now() - last);
    }
    (delays, now() - last)
}

/// Returns the time of day in seconds, as the shell's `EPOCHREALTIME` is.
pub(crate) fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs_f64()
}

/// Returns a number of kilobytes from a file of `/proc`, in bytes.
pub(crate) fn kilobytes(text: &str, name: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let number = lines.next().and_then(|line| line.split_whitespace().next());
    let number: u32 = number.and_then(|number| number.parse().ok()).unwrap_or(0);
    f64::from(number) * 1024.0
}

/// Returns whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bare process that the daemon is measured against"
)]
pub(crate) fn command(words: Words<'_>) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}
