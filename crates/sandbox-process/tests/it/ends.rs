//! An end that was not reported is not reported as a success.

use sandbox_process::{
    Channel, ChartType, Display, ErrorKind, ExecEvent, ExecuteResponse, InterpreterEvent,
    InterpreterOutcome, Process, PtyEvent, Termination,
};

use crate::script::{Answers, Script, cut};

fn answering(answers: Answers) -> Process {
    Process::with_api(Script::new(answers))
}

#[tokio::test]
async fn absent_exit_codes_stay_absent() {
    let lost = Termination::Lost {
        reason: String::new(),
    };
    for end in [Termination::Unknown, lost] {
        let process = answering(Answers {
            termination: end.clone(),
            ..Answers::default()
        });
        let outcome = process.exec("x").await.unwrap();
        assert_eq!((outcome.exit_code(), outcome.success()), (None, false));
        assert_eq!(ExecuteResponse::from(outcome).exit_code, None);
        assert_eq!(process.code_run("x").await.unwrap().exit_code(), None);
        let outcome = process.session("s").run("x").await.unwrap();
        assert_eq!((outcome.exit_code(), outcome.success()), (None, false));
        let response = process.execute_session_command("s", "x".into()).await;
        assert_eq!(response.unwrap().exit_code, None);
        let command = process.get_session_command("s", "c").await.unwrap();
        assert_eq!((command.exit_code, command.termination), (None, end));
        assert_eq!(
            process.get_session("s").await.unwrap().commands[0].exit_code,
            None
        );
    }
}

#[tokio::test]
async fn streams_without_an_end_are_errors() {
    let written = ExecEvent::Output {
        channel: Channel::Stdout,
        offset: 0,
        bytes: "part".into(),
    };
    let process = answering(Answers {
        exec: vec![Ok(written)],
        ..Answers::default()
    });
    let mut running = process.exec("x").spawn().await.unwrap();
    let silent = running.wait().await.unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::Protocol);
    let silent = process.default_context().run("x").await.unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::Protocol);

    let process = answering(Answers {
        exec: vec![Err(cut())],
        interpreter: vec![Err(cut())],
        pty: vec![Err(cut())],
        ..Answers::default()
    });
    let mut running = process.exec("x").spawn().await.unwrap();
    let closed = running.wait().await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
    let run = process.default_context().run("x").await;
    assert_eq!(run.unwrap_err().kind(), ErrorKind::Closed);
    let mut handle = process.connect_pty_session("t").await.unwrap();
    let waited = handle.wait(|_: sandbox_process::Bytes| {}).await;
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!((handle.is_connected(), handle.exit_code()), (false, None));
}

#[tokio::test]
async fn every_way_to_end_is_reported() {
    let check = async |exit_code, end: Termination| {
        let termination = end.clone();
        let process = answering(Answers {
            exec: vec![Ok(ExecEvent::Ended {
                termination,
                usage: None,
            })],
            ..Answers::default()
        });
        let mut running = process.exec("x").spawn().await.unwrap();
        // An end that was read is not lost.
        running.next().await.unwrap().unwrap();
        for _ in 0..2 {
            let outcome = running.wait().await.unwrap();
            assert_eq!(outcome.exit_code(), exit_code);
            assert_eq!(outcome.termination, end);
        }
    };
    let reason = || "why".to_owned();
    check(Some(3), Termination::Exited { code: 3 }).await;
    check(Some(137), Termination::Signaled { signal: 9 }).await;
    check(None, Termination::TimedOut).await;
    check(Some(137), Termination::OutOfMemory).await;
    check(None, Termination::NotStarted { reason: reason() }).await;
    check(None, Termination::Lost { reason: reason() }).await;
    check(None, Termination::Unknown).await;
}

#[tokio::test]
async fn interpreters_report_everything() {
    let output = |channel, text: &str| InterpreterEvent::Output {
        channel,
        bytes: text.to_owned().into(),
    };
    let chart = serde_json::json!({"type": "line", "title": "t", "elements": []});
    let process = answering(Answers {
        interpreter: vec![
            Ok(output(Channel::Stdout, "a")),
            Ok(output(Channel::Stderr, "e")),
            Ok(output(Channel::Stdout, "b")),
            Ok(InterpreterEvent::Chart { chart }),
            Ok(InterpreterEvent::Display(Display {
                text: "1".to_owned(),
                data: [("text/html".to_owned(), "<b>".into())].into(),
                omitted: [("image/png".to_owned(), 9)].into(),
            })),
            Ok(InterpreterEvent::Error {
                name: "ValueError".to_owned(),
                value: "v".to_owned(),
                traceback: "l".to_owned(),
            }),
            Ok(InterpreterEvent::Ended {
                outcome: InterpreterOutcome::TimedOut,
                termination: None,
                usage: None,
            }),
        ],
        ..Answers::default()
    });
    let result = process.default_context().run("x").await.unwrap();
    assert_eq!((&*result.stdout, &*result.stderr), (&b"ab"[..], &b"e"[..]));
    assert_eq!(result.output(), "aeb");
    assert_eq!(result.charts[0].chart_type(), ChartType::Line);
    assert_eq!(result.displays[0].text, "1");
    assert_eq!(result.displays[0].data["text/html"], "<b>");
    assert_eq!(result.displays[0].omitted["image/png"], 9);
    assert_eq!(result.error.unwrap().name, "ValueError");
    assert_eq!(result.termination, Termination::TimedOut);
}

/// Code in an interpreter ends as a program with the same code would.
#[tokio::test]
async fn interpreters_have_exit_codes() {
    let reason = || "gone".to_owned();
    let failed = || InterpreterEvent::Error {
        name: "E".to_owned(),
        value: String::new(),
        traceback: String::new(),
    };
    for (events, expect, code) in [
        (vec![], Termination::Exited { code: 0 }, Some(0)),
        (vec![failed()], Termination::Exited { code: 1 }, Some(1)),
    ] {
        let mut events: Vec<_> = events.into_iter().map(Ok).collect();
        events.push(Ok(InterpreterEvent::Ended {
            outcome: InterpreterOutcome::Completed,
            termination: None,
            usage: None,
        }));
        let process = answering(Answers {
            interpreter: events,
            ..Answers::default()
        });
        let mut running = process.default_context().run("x").spawn().await.unwrap();
        // An error that was read is not lost.
        running.next().await.unwrap().unwrap();
        let outcome = running.wait().await.unwrap();
        assert_eq!((outcome.exit_code(), outcome.termination), (code, expect));
    }
    for (end, expect) in [
        (
            InterpreterOutcome::Interrupted,
            Termination::Signaled { signal: 2 },
        ),
        (
            InterpreterOutcome::WorkerEnded { reason: reason() },
            Termination::Lost { reason: reason() },
        ),
    ] {
        let process = answering(Answers {
            interpreter: vec![Ok(InterpreterEvent::Ended {
                outcome: end,
                termination: None,
                usage: None,
            })],
            ..Answers::default()
        });
        let outcome = process.default_context().run("x").await.unwrap();
        assert_eq!(outcome.termination, expect);
    }
}

#[tokio::test]
async fn terminals_report_their_end() {
    let check = async |told, expect| {
        let process = answering(Answers {
            pty: vec![
                Ok(PtyEvent::Exited {
                    exit_code: told,
                    reason: Some("r".to_owned()),
                    termination: Termination::from_exit_code(told),
                    usage: None,
                }),
                // Too late to matter.
                Err(cut()),
            ],
            ..Answers::default()
        });
        let mut handle = process.create_pty_session("t").await.unwrap();
        assert_eq!((handle.is_connected(), handle.exit_code()), (true, None));
        let result = handle
            .wait(async |_: sandbox_process::Bytes| {})
            .await
            .unwrap();
        assert_eq!(
            (result.exit_code, result.error.as_deref()),
            (expect, Some("r"))
        );
        assert_eq!((handle.exit_code(), handle.is_connected()), (expect, false));
        assert_eq!(handle.error(), Some("r"));
    };
    check(Some(0), Some(0)).await;
    check(Some(137), Some(137)).await;
    check(Some(-1), None).await;
    check(None, None).await;
}
