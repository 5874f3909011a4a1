//! Commands that are followed while they run.

use std::time::{Duration, Instant};

use sandbox_process::{Channel, ExecEvent, Termination};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{PATIENCE, carriers};

#[tokio::test]
async fn output_comes_as_it_is_written() {
    for sandbox in carriers().await {
        let mut stream = sandbox
            .process
            .exec("echo out; read x; echo \"got $x\" >&2; cat; exit 7")
            .with_input()
            .stream()
            .await
            .unwrap();
        let first = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
        let Some(Ok(ExecEvent::Output { channel, bytes, .. })) = first else {
            panic!("{first:?}");
        };
        assert_eq!((channel, &*bytes), (Channel::Stdout, &b"out\n"[..]));
        stream.write("a line\n").await.unwrap();
        stream.write(&b"\0\xff"[..]).await.unwrap();
        stream.close_input().await.unwrap();
        let output = stream.wait().await.unwrap();
        assert_eq!(output.stdout, b"\0\xff");
        assert_eq!(output.stderr, b"got a line\n");
        assert_eq!(output.exit_code, Some(7));
        assert_eq!(output.termination, Termination::Exited { code: 7 });
        sandbox.end().await;
    }
}

#[tokio::test]
async fn signals_and_limits_end_it() {
    for sandbox in carriers().await {
        let exec = sandbox.process.exec("echo ready; exec sleep 60");
        let mut stream = exec.stream().await.unwrap();
        stream.next().await.unwrap().unwrap();
        stream.signal("INT").await.unwrap();
        assert_eq!(stream.wait().await.unwrap().exit_code, Some(130));

        let limited = sandbox.process.exec("printf part; sleep 1000");
        let limited = limited
            .timeout(Duration::from_secs(3))
            .stream()
            .await
            .unwrap();
        let output = limited.wait().await.unwrap();
        assert_eq!(
            (output.stdout, output.termination),
            (b"part".to_vec(), Termination::TimedOut)
        );
        sandbox.end().await;
    }
}

#[tokio::test]
async fn a_command_is_killed_when_what_follows_it_is_dropped() {
    for sandbox in carriers().await {
        let file = sandbox.work_dir().join("alive");
        let command = format!(
            "echo ready; while :; do date > {}; sleep 0.02; done",
            file.display()
        );
        let exec = sandbox.process.exec(command).kill_on_drop();
        let mut stream = exec.stream().await.unwrap();
        stream.next().await.unwrap().unwrap();
        // What reads it stands for it.
        drop(stream.into_io());
        let begin = Instant::now();
        loop {
            let _ = std::fs::remove_file(&file);
            tokio::time::sleep(Duration::from_millis(200)).await;
            if !file.exists() {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "it lives on");
        }
        sandbox.end().await;
    }
}

#[tokio::test]
async fn streams_are_readers_and_writers() {
    for sandbox in carriers().await {
        let stream = sandbox
            .process
            .exec("cat")
            .with_input()
            .stream()
            .await
            .unwrap();
        let (mut output, mut input) = stream.into_io();
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
        sandbox.end().await;
    }
}
