//! The limits: the same work without a daemon.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A program with its arguments.
pub(crate) type Words<'a> = &'a [&'a str];

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

/// Spawns a program, and sends its output through a socket of the loopback interface. Returns the rate in bytes in a second.
pub(crate) fn through_a_socket(words: Words<'_>, bytes: u64) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let started = Instant::now();
    let sender = {
        let mut command = command(words);
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdout.take().expect("its output");
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("a connection");
            copy(&mut pipe, &mut stream);
            assert!(child.wait().expect("its end").success());
        })
    };
    let (mut stream, _) = listener.accept().expect("a connection");
    let received = copy(&mut stream, &mut std::io::sink());
    sender.join().expect("the sender");
    assert_eq!(received, bytes);
    rate(bytes, started)
}

/// Copies in blocks of the size that the daemon uses. `std::io::copy` would splice.
fn copy(from: &mut impl Read, to: &mut impl Write) -> u64 {
    let mut block = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match from.read(&mut block).expect("bytes") {
            0 => return total,
            length => {
                to.write_all(&block[..length]).expect("room");
                total += length as u64;
            }
        }
    }
}

pub(crate) fn rate(bytes: u64, since: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let bytes = bytes as f64;
    bytes / since.elapsed().as_secs_f64()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bare process that the daemon is measured against"
)]
fn command(words: Words<'_>) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}
