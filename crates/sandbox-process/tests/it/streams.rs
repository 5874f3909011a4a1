//! Streams, handlers, readers, writers, and what dropping them does.

use std::cell::Cell;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryFutureExt};
use sandbox_process::{
    Channel, ErrorKind, ExecEvent, InterpreterEvent, InterpreterOutcome, Language, LogEvent,
    LogOptions, OutputReader, Process, PtyEvent, PtySize, Termination,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::script::{Answers, Script, cut};

fn log(channel: Channel, bytes: &'static [u8]) -> Result<LogEvent, sandbox_process::Error> {
    Ok(LogEvent::Output {
        channel,
        offset: 0,
        bytes: bytes.into(),
    })
}

#[tokio::test]
async fn handlers_get_whole_characters_in_order() {
    let process = Process::with_api(Script::new(Answers {
        log: vec![
            log(Channel::Stdout, b"caf\xc3"),
            log(Channel::Stderr, b"e\xe2\x82"),
            Ok(LogEvent::Gap {
                offset: 0,
                length: 5,
            }),
            log(Channel::Stdout, b"\xa9"),
            log(Channel::Stderr, b"\xac"),
            log(Channel::Stdout, b"\xff\xc3"),
            Err(cut()),
        ],
        ..Answers::default()
    }));
    let handed = Arc::new(Mutex::new(Vec::new()));
    let (stdout, stderr) = (Arc::clone(&handed), Arc::clone(&handed));
    let follow = process.get_session_command_logs_async(
        "s",
        "c",
        move |piece: String| {
            let stdout = Arc::clone(&stdout);
            async move {
                // The next piece waits for it.
                tokio::task::yield_now().await;
                stdout.lock().unwrap().push(format!("out {piece}"));
            }
        },
        move |piece: String| stderr.lock().unwrap().push(format!("err {piece}")),
    );
    // What came before a cut was handed over.
    assert_eq!(follow.await.unwrap_err().kind(), ErrorKind::Closed);
    let expect = ["out caf", "err e", "out é", "err €", "out \u{fffd}"];
    assert_eq!(*handed.lock().unwrap(), expect);
}

#[tokio::test]
async fn a_terminal_is_a_stream_that_counts() {
    let answers = || Answers {
        pty: vec![
            Ok(PtyEvent::Output {
                bytes: "abc".into(),
            }),
            Ok(PtyEvent::Gap { length: 10 }),
            Ok(PtyEvent::Output { bytes: "d".into() }),
            Ok(PtyEvent::Exited {
                exit_code: Some(0),
                reason: None,
                termination: Termination::from_exit_code(Some(0)),
                usage: None,
            }),
        ],
        pty_offset: Some(100),
        ..Answers::default()
    };
    let process = Process::with_api(Script::new(answers()));
    let mut handle = process.create_pty_session("t").await.unwrap();
    let mut offsets = vec![handle.offset().unwrap()];
    while let Some(event) = StreamExt::next(&mut handle).await {
        event.unwrap();
        offsets.push(handle.offset().unwrap());
    }
    assert_eq!(offsets, [100, 103, 113, 114, 114]);

    let process = Process::with_api(Script::new(answers()));
    let mut handle = process.create_pty_session("t").await.unwrap();
    assert_eq!(handle.next().await.unwrap().unwrap(), "abc");
    assert_eq!(handle.next().await.unwrap().unwrap(), "d");
    assert_eq!(handle.next().await.unwrap(), None);
    assert_eq!((handle.exit_code(), handle.offset()), (Some(0), Some(114)));

    let process = Process::with_api(Script::new(answers()));
    let handle = process.create_pty_session("t").await.unwrap();
    let mut shown = String::new();
    handle.into_io().0.read_to_string(&mut shown).await.unwrap();
    assert_eq!(shown, "abcd");
}

/// A gap is never silent in bytes that are to be exact.
#[tokio::test]
async fn readers_report_gaps_and_go_on() {
    let process = Process::with_api(Script::new(Answers {
        log: vec![
            log(Channel::Stdout, b"before"),
            Ok(LogEvent::Gap {
                offset: 6,
                length: 42,
            }),
            log(Channel::Stderr, b"behind"),
        ],
        ..Answers::default()
    }));
    let command = process.session("s").command("c");
    let log = command.follow(LogOptions::new()).await.unwrap();
    let mut output = OutputReader::from(log);
    let mut bytes = Vec::new();
    let gap = output.read_to_end(&mut bytes).await.unwrap_err();
    assert_eq!(bytes, b"before");
    assert_eq!(gap.kind(), std::io::ErrorKind::InvalidData);
    assert!(gap.to_string().contains("42 bytes"), "{gap}");
    bytes.clear();
    output.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"behind");
}

#[tokio::test]
async fn writers_write_in_order_and_shut_down() {
    let script = Script::default();
    let process = Process::with_api(script.clone());
    let running = process.exec("cat").spawn().piped_stdin();
    let (_output, mut input) = running.await.unwrap().into_io();
    input.write_all(b"one").await.unwrap();
    input.write_all(b"two").await.unwrap();
    input.flush().await.unwrap();
    input.shutdown().await.unwrap();
    input.shutdown().await.unwrap();
    let expect = [
        "stream cat true",
        r#"write b"one""#,
        r#"write b"two""#,
        "close_input",
    ];
    assert_eq!(script.asked(), expect);
}

/// The daemon is asked at the start, so that nothing has to be sent when the handle is dropped.
#[tokio::test]
async fn what_is_dropped_is_killed_if_asked_for() {
    let ended = || {
        Ok(ExecEvent::Ended {
            termination: Termination::Exited { code: 3 },
            usage: None,
        })
    };
    let script = || {
        Script::new(Answers {
            exec: vec![
                Ok(ExecEvent::Output {
                    channel: Channel::Stdout,
                    offset: 0,
                    bytes: "done".into(),
                }),
                ended(),
            ],
            ..Answers::default()
        })
    };
    for (asked_for, expect) in [(true, "stream x false killed"), (false, "stream x false")] {
        let script = script();
        let process = Process::with_api(script.clone());
        let spawn = process.exec("x").spawn();
        let spawn = if asked_for {
            spawn.kill_on_drop()
        } else {
            spawn
        };
        drop(spawn.await.unwrap());
        assert_eq!(script.asked(), [expect]);
    }
    let script = script();
    let process = Process::with_api(script.clone());
    let mut running = process.exec("x").spawn().kill_on_drop().await.unwrap();
    let outcome = running.wait().await.unwrap();
    assert_eq!(
        (outcome.exit_code(), &*outcome.stdout),
        (Some(3), &b"done"[..])
    );
    assert_eq!(outcome.termination, Termination::Exited { code: 3 });
    assert_eq!(script.asked(), ["stream x false killed"]);
}

/// As with the pipe of a child process: a reader that waits for the end of its input would never end otherwise.
#[tokio::test]
async fn input_that_is_dropped_ends() {
    let script = Script::default();
    let process = Process::with_api(script.clone());
    let mut running = process.exec("cat").spawn().piped_stdin().await.unwrap();
    let mut stdin = running.stdin().unwrap();
    assert!(running.stdin().is_none());
    stdin.write_all(b"one").await.unwrap();
    drop(stdin);
    let expect = ["stream cat true", r#"write b"one""#, "close_input"];
    let mut asked = Vec::new();
    while asked.len() < expect.len() {
        asked.extend(script.asked());
        tokio::task::yield_now().await;
    }
    assert_eq!(asked, expect);

    let command = process.session("s").command("c");
    drop(command.stdin());
    while asked.len() < expect.len() + 1 {
        asked.extend(script.asked());
        tokio::task::yield_now().await;
    }
    assert_eq!(asked.last().unwrap(), r#"session_input s c b"" false true"#);

    let running = process.exec("cat").spawn().await;
    assert!(running.unwrap().stdin().is_none(), "it was not piped");
}

/// Async closures may change what they borrow, and the next piece waits for them.
#[tokio::test]
async fn closures_are_called_in_order() {
    let output = |channel, bytes: &'static str| ExecEvent::Output {
        channel,
        offset: 0,
        bytes: bytes.into(),
    };
    let process = Process::with_api(Script::new(Answers {
        exec: vec![
            Ok(output(Channel::Stdout, "a")),
            Ok(output(Channel::Stderr, "b")),
            Ok(ExecEvent::Ended {
                termination: Termination::TimedOut,
                usage: None,
            }),
        ],
        log: vec![log(Channel::Stdout, b"c")],
        ..Answers::default()
    }));
    let mut seen = Vec::new();
    let mut running = process.exec("x").spawn().await.unwrap();
    let end = running.wait_with(async |channel, bytes| {
        tokio::task::yield_now().await;
        seen.push((channel, bytes));
    });
    assert_eq!(end.await.unwrap(), Termination::TimedOut);
    let command = process.session("s").command("c");
    let end = command.wait_with(async |channel, bytes| seen.push((channel, bytes)));
    assert_eq!(end.await.unwrap(), Termination::Unknown);
    let expect = [
        (Channel::Stdout, "a".into()),
        (Channel::Stderr, "b".into()),
        (Channel::Stdout, "c".into()),
    ];
    assert_eq!(seen, expect);
}

/// Whatever is made of a client can be moved to another task and outlive its maker.
#[tokio::test]
async fn builders_and_handles_are_spawned() {
    let script = || {
        Script::new(Answers {
            exec: vec![Ok(ExecEvent::Ended {
                termination: Termination::Exited { code: 0 },
                usage: None,
            })],
            interpreter: vec![Ok(InterpreterEvent::Ended {
                outcome: InterpreterOutcome::Completed,
                termination: None,
                usage: None,
            })],
            ..Answers::default()
        })
    };
    let process = || Process::with_api(script());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(process().exec("x").into_future().map_ok(drop));
    tasks.spawn(process().command("x").into_future().map_ok(drop));
    tasks.spawn(process().code_run("1").into_future().map_ok(drop));
    tasks.spawn(process().exec("x").spawn().into_future().map_ok(drop));
    tasks.spawn(process().create_pty("t").into_future().map_ok(drop));
    tasks.spawn(process().pty("t").attach().into_future().map_ok(drop));
    tasks.spawn(process().session("s").run("x").into_future().map_ok(drop));
    tasks.spawn(process().session("s").spawn("x").into_future().map_ok(drop));
    tasks.spawn(
        process()
            .default_context()
            .run("1")
            .into_future()
            .map_ok(drop),
    );
    let create = process().create_context(Language::Python);
    tasks.spawn(create.into_future().map_ok(drop));
    let mut running = process().exec("x").spawn().await.unwrap();
    tasks.spawn(async move { running.wait().await.map(drop) });
    let mut running = process().exec("x").spawn().await.unwrap();
    tasks.spawn(async move {
        let (send, mut received) = tokio::sync::mpsc::channel(8);
        let end = running.wait_with(async move |_, bytes| send.try_send(bytes).unwrap());
        end.await?;
        assert!(received.recv().await.is_none());
        Ok(())
    });
    let (session, pty) = (process().session("s"), process().pty("t"));
    tasks.spawn(async move { session.command("c").wait().await.map(drop) });
    tasks.spawn(async move { pty.resize(PtySize::default()).await.map(drop) });
    let context = process().context("c");
    tasks.spawn(async move { context.restart().await });
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
        count += 1;
    }
    assert_eq!(count, 15);
}

/// Dropping the future of an operation is all that it takes to stop waiting.
#[tokio::test]
async fn what_was_read_is_not_lost_with_a_future() {
    let (send, receive) = tokio::sync::mpsc::channel(8);
    let script = Script::new(Answers {
        later: Some(receive),
        ..Answers::default()
    });
    let process = Process::with_api(script);
    let mut running = process.exec("x").spawn().await.unwrap();
    let output = |bytes: &'static str| ExecEvent::Output {
        channel: Channel::Stdout,
        offset: 0,
        bytes: bytes.into(),
    };
    send.try_send(Ok(output("one "))).unwrap();
    assert!(running.wait().now_or_never().is_none());
    send.try_send(Ok(output("two"))).unwrap();
    let termination = Termination::Exited { code: 0 };
    send.try_send(Ok(ExecEvent::Ended {
        termination,
        usage: None,
    }))
    .unwrap();
    assert_eq!(running.wait().await.unwrap().stdout, "one two");
}

#[tokio::test]
async fn waiting_can_be_abandoned_and_started_again() {
    let process = Process::with_api(Script::new(Answers {
        pty: vec![
            Ok(PtyEvent::Output { bytes: "a".into() }),
            Ok(PtyEvent::Output { bytes: "b".into() }),
            Ok(PtyEvent::Exited {
                exit_code: Some(0),
                reason: None,
                termination: Termination::from_exit_code(Some(0)),
                usage: None,
            }),
        ],
        ..Answers::default()
    }));
    let mut handle = process.create_pty_session("t").await.unwrap();
    let seen = Cell::new(0);
    {
        let wait = handle.wait(async |_: sandbox_process::Bytes| std::future::pending().await);
        let limit = tokio::time::timeout(Duration::from_millis(1), wait);
        assert!(limit.await.is_err());
    }
    while let Some(bytes) = handle.next().await.unwrap() {
        assert_eq!(bytes, "b");
        seen.set(seen.get() + 1);
    }
    assert_eq!((seen.get(), handle.exit_code()), (1, Some(0)));
}
