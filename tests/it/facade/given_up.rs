//! Connections that are cut, and waits that are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sandbox_process::{CallOptions, Delivery, ErrorKind, LogOptions, OutputReader, Process};
use sandbox_tests::{Sandbox, TOKEN};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::PATIENCE;

/// Takes connections to the daemon, and cuts every one that has brought so many bytes.
struct Cutter {
    url: String,
    cuts: Arc<AtomicUsize>,
}

impl Cutter {
    async fn of(sandbox: &Sandbox, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let daemon = sandbox.url.trim_start_matches("http://");
        let (daemon, path) = daemon.split_once('/').unwrap();
        let url = format!("http://{}/{path}", listener.local_addr().unwrap());
        let (daemon, cuts) = (daemon.to_owned(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&daemon).await.unwrap();
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.split();
                    let (from_server, mut to_server) = server.split();
                    let mut some = from_server.take(bytes as u64);
                    let down = tokio::io::copy(&mut some, &mut to_client);
                    let up = tokio::io::copy(&mut from_client, &mut to_server);
                    tokio::select! {
                        brought = down => {
                            if brought.is_ok_and(|brought| brought == bytes as u64) {
                                counter.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        // A client says nothing more only when it leaves.
                        _ = up => {}
                    }
                });
            }
        });
        Self { url, cuts }
    }
}

/// Every line comes once, in its own channel, however often the connection is cut.
#[tokio::test]
async fn a_log_that_is_cut_is_resumed() {
    let sandbox = Sandbox::tcp().await;
    let cutter = Cutter::of(&sandbox, 60_000).await;
    let process = Process::builder(&cutter.url).token(TOKEN).build().unwrap();
    let lines = 40_000;
    let loops = format!(
        "i=0; while [ $i -lt {lines} ]; do i=$((i + 1)); echo $i; echo e$i >&2; done; exit 5"
    );
    let session = sandbox.process.create_session("s").await.unwrap();
    let started = session.spawn(format!("({loops})")).await.unwrap();
    let command = process.session("s").command(started.id());
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let follow = process.get_session_command_logs_async(
        "s",
        command.id(),
        |piece: String| stdout.push_str(&piece),
        |piece: String| stderr.push_str(&piece),
    );
    tokio::time::timeout(4 * PATIENCE, follow)
        .await
        .unwrap()
        .unwrap();
    assert!(cutter.cuts.load(Ordering::Relaxed) >= 5, "it was not cut");
    assert!(stdout.lines().eq((1..=lines).map(|i| i.to_string())));
    assert!(stderr.lines().eq((1..=lines).map(|i| format!("e{i}"))));
    let outcome = command.wait().await.unwrap();
    assert_eq!(outcome.exit_code(), Some(5));
    assert_eq!(
        (outcome.stdout, outcome.stderr),
        (stdout.into(), stderr.into())
    );

    let mut bytes = Vec::new();

    let options = LogOptions::new().without_resume();
    let once = command.follow(options).await.unwrap();
    let mut reader = OutputReader::from(once);
    let cut = reader.read_to_end(&mut bytes).await;
    assert!(cut.is_err(), "a cut is not the end");
    sandbox.shutdown().await;
}

/// A stream without an end is not the end of a command.
#[tokio::test]
async fn a_command_whose_stream_is_cut_has_no_exit_code() {
    let sandbox = Sandbox::tcp().await;
    let cutter = Cutter::of(&sandbox, 20_000).await;
    let process = Process::builder(&cutter.url).token(TOKEN).build().unwrap();
    let exec = process.exec("i=0; while [ $i -lt 9999 ]; do i=$((i + 1)); echo $i; done");
    let mut running = exec.spawn().await.unwrap();
    let error = running.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
    sandbox.shutdown().await;
}

async fn what_is_not_waited_for_any_more_runs_on(sandbox: Sandbox) {
    let process = &sandbox.process;
    let file = sandbox.work_dir().join("done");
    let command = format!("read x < fifo; echo $x > {}", file.display());
    let made = process.exec("mkfifo fifo").await.unwrap();
    assert!(made.success(), "{made:?}");

    let waiting = async { process.exec(&command).await };
    let limit = Duration::from_secs(3);
    assert!(tokio::time::timeout(limit, waiting).await.is_err());
    let go = process.exec("echo went > fifo").timeout(PATIENCE).await;
    assert!(go.unwrap().success());
    let begin = Instant::now();
    while std::fs::read(&file).unwrap_or_default() != b"went\n" {
        assert!(begin.elapsed() < PATIENCE, "it did not run on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let hasty = CallOptions::new().deadline(limit);
    let late = process.with_options(hasty).exec("read x < fifo").await;
    let late = late.unwrap_err();
    let told = (late.kind(), late.delivery());
    assert_eq!(told, (ErrorKind::Timeout, Delivery::Uncertain), "{late:?}");
    sandbox.shutdown().await;
}
on_every_transport!(what_is_not_waited_for_any_more_runs_on);
