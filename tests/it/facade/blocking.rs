//! The same without a runtime.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use sandbox_process::blocking::Process;
use sandbox_process::{ExecEvent, LogEvent, LogOptions, PtySize};

use super::{PATIENCE, carriers};

#[test]
fn everything_is_waited_for() {
    everything(&Process::local().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for sandbox in runtime.block_on(carriers()) {
        everything(&Process::new(sandbox.process.clone()).unwrap());
        runtime.block_on(sandbox.shutdown());
    }
}

fn everything(process: &Process) {
    assert!(process.version().unwrap().starts_with('v'));
    let outcome = process.exec("echo $A; exit 3").env("A", "b").run().unwrap();
    assert_eq!(
        (&*outcome.stdout, outcome.exit_code()),
        (&b"b\n"[..], Some(3))
    );

    let session = process.create_session("s").unwrap();
    session.run("X=1").run().unwrap();
    let spawn = session.spawn("echo $X; sleep 0.1; echo 2 >&2");
    let command = spawn.start().unwrap();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let end = command.wait_with(|channel, piece| match channel {
        sandbox_process::Channel::Stdout => stdout.extend_from_slice(&piece),
        sandbox_process::Channel::Stderr => stderr.extend_from_slice(&piece),
    });
    assert_eq!(end.unwrap().exit_code(), Some(0));
    assert_eq!((&*stdout, &*stderr), (&b"1\n"[..], &b"2\n"[..]));
    assert_eq!(command.info().unwrap().exit_code, Some(0));
    session.delete().unwrap();

    // Its shell reads nothing of this machine's user.
    let create = process.create_pty("t").env("HOME", "/nonexistent");
    let mut terminal = create.create().unwrap();
    terminal.resize(PtySize::default()).unwrap();
    terminal.write("exit 4\n").unwrap();
    let result = terminal.wait_with(|_| {}).unwrap();
    assert_eq!((result.exit_code, terminal.exit_code()), (Some(4), Some(4)));

    let outcome = process.default_context().run("print(1)").run().unwrap();
    assert_eq!(outcome.stdout, "1\n");
}

#[test]
fn streams_are_iterated_read_and_written() {
    let process = Process::local().unwrap();
    let exec = process.exec("echo a; sleep 0.1; echo b >&2; exit 3");
    let mut running = exec.spawn().start().unwrap();
    let mut written = Vec::new();
    let mut code = None;
    for event in &mut running {
        match event.unwrap() {
            ExecEvent::Output { bytes, .. } => written.extend_from_slice(&bytes),
            ExecEvent::Ended { termination, .. } => code = termination.exit_code(),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!((&*written, code), (&b"a\nb\n"[..], Some(3)));
    assert_eq!(running.wait().unwrap().exit_code(), Some(3));

    let tr = process.command("tr").args(["a", "b"]).spawn().piped_stdin();
    let mut running = tr.start().unwrap();
    let mut stdin = running.stdin().unwrap();
    stdin.write_all(b"a banana\n").unwrap();
    // As the pipe of a child process, its end is the end of the input.
    drop(stdin);
    assert_eq!(running.wait().unwrap().stdout, "b bbnbnb\n");

    let cat = process.command("cat").spawn().piped_stdin();
    let (mut output, mut input) = cat.start().unwrap().into_io();
    input.write_all(b"text").unwrap();
    input.shutdown().unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");

    let session = process.create_session("s").unwrap();
    let command = session.spawn("seq 1 3").start().unwrap();
    let mut bytes = Vec::new();
    for event in command.follow(LogOptions::new()).unwrap() {
        if let LogEvent::Output { bytes: piece, .. } = event.unwrap() {
            bytes.extend_from_slice(&piece);
        }
    }
    assert_eq!(bytes, b"1\n2\n3\n");
}

#[test]
fn its_daemon_ends_with_all_that_it_runs() {
    let process = Process::local().unwrap();
    let pid = sleeping(&process);
    drop(process);
    assert!(!is_alive(pid), "{pid} outlived its daemon");
}

/// Where nothing may wait, it neither panics nor leaves anything running.
#[test]
fn it_may_be_dropped_within_a_runtime() {
    let process = Process::local().unwrap();
    let remote = Process::connect("http://127.0.0.1:1").unwrap();
    let pid = sleeping(&process);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        drop((process, remote));
        let begin = Instant::now();
        while is_alive(pid) {
            assert!(begin.elapsed() < PATIENCE, "{pid} outlived its daemon");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

/// Whether there is such a process that is not only a zombie.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.contains(") Z ") && !stat.contains(") X ")
}

/// A process that sleeps in a session.
fn sleeping(process: &Process) -> u32 {
    let session = process.create_session("s").unwrap();
    let spawn = session.spawn("sleep 1000 & echo $!; wait");
    let command = spawn.start().unwrap();
    let mut log = command.follow(LogOptions::new()).unwrap();
    let LogEvent::Output { bytes: pid, .. } = log.next().unwrap().unwrap() else {
        panic!("it wrote nothing");
    };
    let pid = std::str::from_utf8(&pid).unwrap().trim();
    let pid = pid.parse().unwrap();
    assert!(is_alive(pid), "{pid}");
    pid
}
