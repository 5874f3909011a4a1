//! Streams, handlers, readers, writers, and what dropping them does.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use sandbox_process::{
    Channel, ErrorKind, ExecEvent, LogEvent, LogOptions, Output, Process, PtyEvent, Termination,
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
async fn readers_tell_gaps_and_go_on() {
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
    let follow = process.follow_session_command_logs("s", "c", LogOptions::new());
    let mut output = Output::from(follow.await.unwrap());
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
    let stream = process.exec("cat").with_input().stream().await.unwrap();
    let (_output, mut input) = stream.into_io();
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

/// The daemon is told at the start, so that nothing has to be sent when the handle is dropped.
#[tokio::test]
async fn what_is_dropped_is_killed_if_asked_for() {
    let ended = || {
        Ok(ExecEvent::Ended {
            termination: Termination::Exited { code: 3 },
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
        let exec = process.exec("x");
        let exec = if asked_for { exec.kill_on_drop() } else { exec };
        drop(exec.stream().await.unwrap());
        assert_eq!(script.asked(), [expect]);
    }
    // One that is awaited goes by a stream, too.
    let script = script();
    let process = Process::with_api(script.clone());
    let response = process.exec("x").kill_on_drop().await.unwrap();
    assert_eq!((response.exit_code, &*response.result), (Some(3), "done"));
    assert_eq!(response.termination, Termination::Exited { code: 3 });
    assert_eq!(script.asked(), ["stream x false killed"]);
}

/// Dropping the future of an operation is all that it takes to stop waiting.
#[tokio::test]
async fn waiting_can_be_given_up_and_begun_again() {
    let process = Process::with_api(Script::new(Answers {
        pty: vec![
            Ok(PtyEvent::Output { bytes: "a".into() }),
            Ok(PtyEvent::Output { bytes: "b".into() }),
            Ok(PtyEvent::Exited {
                exit_code: Some(0),
                reason: None,
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
