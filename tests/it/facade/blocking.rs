//! The same without a runtime.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use sandbox_process::blocking::Process;
use sandbox_process::{ExecEvent, LogOptions, Output, PtySize, SessionExecuteRequest};

use super::{PATIENCE, carriers};

#[test]
fn everything_is_waited_for() {
    everything(&Process::local().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for sandbox in runtime.block_on(carriers()) {
        everything(&Process::new(sandbox.process.clone()).unwrap());
        runtime.block_on(sandbox.end());
    }
}

fn everything(process: &Process) {
    assert!(process.version().unwrap().starts_with('v'));
    let response = process
        .wait(process.exec("echo $A; exit 3").env("A", "b"))
        .unwrap();
    assert_eq!(
        (response.result.as_str(), response.exit_code),
        ("b\n", Some(3))
    );

    process.create_session("s").unwrap();
    process.execute_session_command("s", "X=1".into()).unwrap();
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new("echo $X; sleep 0.1; echo 2 >&2")
    };
    let id = process
        .execute_session_command("s", request)
        .unwrap()
        .cmd_id;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    process
        .follow_session_command_logs(
            "s",
            &id,
            |piece| stdout.push_str(&piece),
            |piece| stderr.push_str(&piece),
        )
        .unwrap();
    assert_eq!((stdout.as_str(), stderr.as_str()), ("1\n", "2\n"));
    assert_eq!(
        process.get_session_command("s", &id).unwrap().exit_code,
        Some(0)
    );
    process.delete_session("s").unwrap();

    // Its shell reads nothing of this machine's user.
    let made = process.as_async().create_pty_session("t");
    let made = process.wait(made.env("HOME", "/nonexistent")).unwrap();
    let mut terminal = process.pty_handle(made);
    terminal.resize(PtySize::default()).unwrap();
    terminal.send_input("exit 4\n").unwrap();
    let result = terminal.wait(|_: bytes::Bytes| {}).unwrap();
    assert_eq!((result.exit_code, terminal.exit_code()), (Some(4), Some(4)));

    let result = process
        .wait(process.code_interpreter().run_code("print(1)"))
        .unwrap();
    assert_eq!(result.stdout, "1\n");
}

#[test]
fn streams_are_iterated_read_and_written() {
    let process = Process::local().unwrap();
    let running = process.wait(
        process
            .exec("echo a; sleep 0.1; echo b >&2; exit 3")
            .stream(),
    );
    let mut written = Vec::new();
    let mut code = None;
    for event in process.streaming(running.unwrap()) {
        match event.unwrap() {
            ExecEvent::Output { bytes, .. } => written.extend_from_slice(&bytes),
            ExecEvent::Ended { termination } => code = termination.exit_code(),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!((&*written, code), (&b"a\nb\n"[..], Some(3)));

    let running = process.wait(process.exec("tr a b").with_input().stream());
    let (output, input) = running.unwrap().into_io();
    let (mut output, mut input) = (process.streaming(output), process.streaming(input));
    input.write_all(b"a banana\n").unwrap();
    input.shutdown().unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "b bbnbnb\n");

    process.create_session("s").unwrap();
    let done = process.execute_session_command("s", "seq 1 3".into());
    let follow = process.as_async().follow_session_command_logs(
        "s",
        &done.as_ref().unwrap().cmd_id,
        LogOptions::new(),
    );
    let mut log = process.streaming(Output::from(process.wait(follow).unwrap()));
    text.clear();
    log.read_to_string(&mut text).unwrap();
    assert_eq!(text, "1\n2\n3\n");
}

#[test]
fn its_daemon_ends_with_all_that_it_runs() {
    let process = Process::local().unwrap();
    let pid = sleeping(&process);
    drop(process);
    assert!(!is_alive(pid), "{pid} outlived its daemon");
}

/// Where nothing may wait, it neither panics nor leaves anything behind.
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

/// Whether there is such a process that somebody has not only yet to take note of.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.contains(") Z ") && !stat.contains(") X ")
}

/// A process that sleeps in a session.
fn sleeping(process: &Process) -> u32 {
    process.create_session("s").unwrap();
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new("sleep 1000 & echo $!; wait")
    };
    let started = process.execute_session_command("s", request).unwrap();
    let follow =
        process
            .as_async()
            .follow_session_command_logs("s", &started.cmd_id, LogOptions::new());
    let mut log = process.streaming(Output::from(process.wait(follow).unwrap()));
    let mut pid = [0; 16];
    let count = log.read(&mut pid).unwrap();
    let pid = std::str::from_utf8(&pid[..count]).unwrap().trim();
    let pid = pid.parse().unwrap();
    assert!(is_alive(pid), "{pid}");
    pid
}
