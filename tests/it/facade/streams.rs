//! Commands that are followed while they run.

use std::time::Duration;

use sandbox_process::{Channel, ExecEvent, Signal, Termination};
use sandbox_tests::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PATIENCE;

async fn output_comes_as_it_is_written(sandbox: Sandbox) {
    let command = "echo out; read x; echo \"got $x\" >&2; cat; exit 7";
    let spawn = sandbox.process.exec(command).spawn().piped_stdin();
    let mut running = spawn.await.unwrap();
    let first = tokio::time::timeout(PATIENCE, running.next())
        .await
        .unwrap();
    let Some(Ok(ExecEvent::Output { channel, bytes, .. })) = first else {
        panic!("{first:?}");
    };
    assert_eq!((channel, &*bytes), (Channel::Stdout, &b"out\n"[..]));
    let mut stdin = running.stdin().unwrap();
    stdin.write_all(b"a line\n\0\xff").await.unwrap();
    // As the pipe of a child process, its end is the end of the input.
    drop(stdin);
    let outcome = running.wait().await.unwrap();
    assert_eq!(outcome.stdout, &b"\0\xff"[..]);
    assert_eq!(outcome.stderr, "got a line\n");
    assert_eq!(outcome.exit_code(), Some(7));
    assert_eq!(outcome.termination, Termination::Exited { code: 7 });
    sandbox.shutdown().await;
}
on_every_transport!(output_comes_as_it_is_written);

async fn signals_and_limits_end_it(sandbox: Sandbox) {
    let sleep = sandbox.process.exec("echo ready; exec sleep 60");
    for (signal, code) in [(Signal::INT, 130), (Signal::KILL, 137)] {
        let mut running = sleep.clone().spawn().await.unwrap();
        running.next().await.unwrap().unwrap();
        running.signal(signal).await.unwrap();
        assert_eq!(running.wait().await.unwrap().exit_code(), Some(code));
    }
    let limited = sandbox.process.exec("printf part; sleep 1000");
    let limited = limited.timeout(Duration::from_secs(3)).spawn();
    let outcome = limited.await.unwrap().wait().await.unwrap();
    assert_eq!(outcome.stdout, "part");
    assert_eq!(outcome.termination, Termination::TimedOut);
    sandbox.shutdown().await;
}
on_every_transport!(signals_and_limits_end_it);

async fn a_command_is_killed_when_what_follows_it_is_dropped(sandbox: Sandbox) {
    let fifo = sandbox.work_dir().join("alive");
    let command = format!("mkfifo {0}; echo ready; sleep 1000 >{0}", fifo.display());
    let spawn = sandbox.process.exec(command).spawn().kill_on_drop();
    let mut running = spawn.await.unwrap();
    running.next().await.unwrap().unwrap();
    // Opened when the process opens it, and read to an end when no process is left that could write.
    let open = tokio::task::spawn_blocking(move || std::fs::File::open(fifo));
    let opened = tokio::time::timeout(PATIENCE, open).await;
    let mut end = opened.unwrap().unwrap().unwrap();
    // What reads it stands for it.
    drop(running.into_io());
    let read = tokio::task::spawn_blocking(move || std::io::Read::read(&mut end, &mut [0]));
    let ended = tokio::time::timeout(PATIENCE, read).await;
    assert_eq!(ended.expect("it lives on").unwrap().unwrap(), 0);
    sandbox.shutdown().await;
}
on_every_transport!(a_command_is_killed_when_what_follows_it_is_dropped);

async fn streams_are_readers_and_writers(sandbox: Sandbox) {
    let spawn = sandbox.process.command("cat").spawn().piped_stdin();
    let (mut output, mut input) = spawn.await.unwrap().into_io();
    let big = vec![b'\x01'; 3 << 20];
    let sent = big.clone();
    let write = async move {
        input.write_all(&sent).await.unwrap();
        input.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let (_, count) = tokio::join!(write, output.read_to_end(&mut read));
    assert_eq!(count.unwrap(), big.len());
    assert_eq!(read, big);
    sandbox.shutdown().await;
}
on_every_transport!(streams_are_readers_and_writers);
