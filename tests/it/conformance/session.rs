//! Sessions, their commands and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sandbox_engine::limits::INPUT_BYTES;
use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, CommandInput, LogOptions, LogSource, LogStream, ProcessApi, SessionExecuteRequest,
    SessionOutcome, Signal,
};

use super::cases;
use super::transcript::{Joined, Transcript, as_text};

cases![
    sessions,
    commands,
    options,
    limits,
    refusals,
    the_end_of_a_shell,
    logs_and_offsets,
    input,
    input_waits_for_a_command_that_reads_slowly,
    signals,
    a_deleted_session,
    keys,
    created_once,
];

fn request(text: &str) -> SessionExecuteRequest {
    SessionExecuteRequest::new(text)
}

fn in_background(text: &str) -> SessionExecuteRequest {
    SessionExecuteRequest {
        run_async: true,
        suppress_input_echo: true,
        ..request(text)
    }
}

async fn sessions(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for id in ["a", "a", "", "entrypoint", "a/b", "é ?#%"] {
        told.result(id, api.create_session(id.into()).await);
    }
    told.result("list", api.list_sessions().await);
    for id in ["a", "no such", "", "é ?#%"] {
        let got = api.get_session(id).await;
        match got {
            // What no request can name differs in words only.
            Err(error) if id.is_empty() => told.tell(id, (error.kind(), error.delivery())),
            got => told.result(id, got),
        }
    }
    told.result("entrypoint", api.entrypoint_session().await);
    for id in ["a", "a", "entrypoint", "a/b", "é ?#%"] {
        told.result(id, api.delete_session(id).await);
    }
    told.result("list", api.list_sessions().await);
}

/// Gives a session a command, and calls it by a name from here on.
async fn run(
    told: &mut Transcript,
    api: &Arc<dyn ProcessApi>,
    request: SessionExecuteRequest,
) -> SessionOutcome {
    let response = api.session_execute("s", request).await.unwrap();
    told.name(&response.command_id, "command");
    let told_output = response.output.clone().map(as_text);
    told.tell(
        "response",
        (&response.termination, told_output, response.session_ended),
    );
    response
}

async fn commands(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    for text in [
        "cd /tmp; X='a b'",
        "pwd; echo $X",
        "echo out; printf '\\001\\001\\001'",
        "echo err >&2; (exit 3)",
        "printf 'a\\377\\303'",
        "cat",
        "(exit 137)",
    ] {
        let response = run(told, api, request(text)).await;
        let command = api
            .session_command("s", &response.command_id)
            .await
            .unwrap();
        let [of_response, of_command] = [response.usage, command.usage].map(Option::unwrap);
        assert_eq!(of_response, of_command);
        assert!(!of_command.wall_time.is_zero(), "{of_command:?}");
        told.tell("command", command);
        let source = LogSource::command("s", &response.command_id);
        let logs = api.logs(source).await.unwrap();
        if text.contains("377") {
            let written = b"a\xff\xc3";
            for output in [response.output.as_ref().unwrap(), &logs] {
                told.bytes("bytes", output.stdout.as_ref().unwrap(), written);
                let marked = [&b"\x01\x01\x01"[..], written].concat();
                told.bytes("marked", &output.combined, &marked);
            }
        }
        told.tell("logs", as_text(logs));
    }
    told.result("session", api.get_session("s").await);
    api.delete_session("s").await.unwrap();
}

async fn options(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    let own = SessionExecuteRequest {
        cwd: Some("/".to_owned()),
        env: [
            ("A".to_owned(), "b c".to_owned()),
            ("B".to_owned(), String::new()),
        ]
        .into(),
        command_id: Some("mine".to_owned()),
        ..request("pwd; echo \"$A,${B-none}\"; Y=1")
    };
    run(told, api, own.clone()).await;
    run(told, api, request("pwd; echo ${Y-none}")).await;
    told.result("the id again", api.session_execute("s", own).await);
    let bad = [
        SessionExecuteRequest {
            command_id: Some("a/b".to_owned()),
            ..request("true")
        },
        SessionExecuteRequest {
            cwd: Some("no/such".to_owned()),
            ..request("true")
        },
        SessionExecuteRequest {
            env: [("A-B".to_owned(), String::new())].into(),
            ..request("true")
        },
        SessionExecuteRequest {
            user: Some("no-such-user-here".to_owned()),
            ..request("true")
        },
    ];
    for request in bad {
        told.result("refused", api.session_execute("s", request).await);
    }
    let response = run(told, api, in_background("true")).await;
    end_of(api, &response.command_id).await;
    api.delete_session("s").await.unwrap();
}

async fn limits(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    // What the shell says of the end depends on whether `sleep` had its grace.
    let limited = SessionExecuteRequest {
        timeout: Some(Duration::from_secs(1)),
        ..request("{ echo begin; sleep 60; } 2>/dev/null")
    };
    let response = run(told, api, limited).await;
    told.result(
        "command",
        api.session_command("s", &response.command_id).await,
    );
    run(told, api, request("echo lives")).await;
    api.delete_session("s").await.unwrap();
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    for text in ["", " \n"] {
        told.result("blank", api.session_execute("s", request(text)).await);
    }
    for id in ["no such", "entrypoint"] {
        told.result(id, api.session_execute(id, request("true")).await);
        told.result(id, api.session_execute(id, in_background("true")).await);
        told.result(id, api.session_command(id, "x").await);
        told.result(id, api.logs(LogSource::command(id, "x")).await);
        let line = CommandInput::line("x");
        told.result(id, api.session_input(id, "x", line).await);
        told.result(id, api.session_signal(id, "x", Signal::TERM).await);
    }
    told.result("command", api.session_command("s", "none").await);
    told.result("log", api.logs(LogSource::command("s", "none")).await);
    let error = api.logs(LogSource::Entrypoint).await.unwrap_err();
    // It is a session like any other over gRPC, so the words differ.
    told.tell(
        "entrypoint",
        (error.kind(), error.delivery(), error.status()),
    );
    let source = LogSource::Entrypoint;
    let error = api.follow_log(source, LogOptions::new()).await.unwrap_err();
    told.tell(
        "entrypoint",
        (error.kind(), error.delivery(), error.status()),
    );
    let source = LogSource::command("s", "none");
    told.result("follow", api.follow_log(source, LogOptions::new()).await);
    api.delete_session("s").await.unwrap();
}

async fn the_end_of_a_shell(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    run(told, api, request("echo last; exit 4")).await;
    told.result("behind it", api.session_execute("s", request("true")).await);
    told.result(
        "in the background",
        api.session_execute("s", in_background("true")).await,
    );
    told.result("session", api.get_session("s").await);
    api.delete_session("s").await.unwrap();
}

async fn logs_and_offsets(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    let text = "printf 0123; printf 'err\\377' >&2; printf 456";
    let mut response = api.session_execute("s", request(text)).await.unwrap();
    told.name(&response.command_id, "command");
    // One pipe each: in what order their parts come is not sure.
    let output = response.output.as_mut().unwrap();
    let combined = std::mem::take(&mut output.combined);
    let (stdout, stderr) = sandbox_logcodec::demux_log(&combined);
    told.tell("output", stdout);
    told.bytes("output of errors", &stderr, b"err\xff");
    told.bytes("errors", output.stderr.as_ref().unwrap(), b"err\xff");
    told.tell("response", (&response.termination, response.session_ended));
    let source = || LogSource::command("s", &response.command_id);
    for options in [
        LogOptions::new(),
        LogOptions::new().snapshot(),
        LogOptions::new().offset(2),
        LogOptions::new().offset(5).snapshot(),
        LogOptions::new().offset(11),
        LogOptions::new().without_resume(),
    ] {
        let log = api.follow_log(source(), options).await.unwrap();
        let (joined, rest) = read(log).await;
        let length = joined.stdout.len() + joined.stderr.len();
        told.tell("length", (length, joined.offset, rest));
        if options.offset == 0 {
            told.tell("whole", joined.text());
        }
    }
    let beyond = api.follow_log(source(), LogOptions::new().offset(12)).await;
    told.result("beyond the end", beyond);

    let slow = in_background("for i in 1 2 3; do echo $i; sleep 0.1; done");
    let response = run(told, api, slow).await;
    let source = LogSource::command("s", &response.command_id);
    let log = api.follow_log(source, LogOptions::new()).await.unwrap();
    told.tell("followed", read(log).await.0.text());
    api.delete_session("s").await.unwrap();
}

async fn read(mut log: LogStream) -> (Joined, Vec<String>) {
    let mut joined = Joined::default();
    let mut rest = Vec::new();
    while let Some(event) = log.next().await {
        match event {
            Ok(event) => rest.extend(joined.log(event).map(|event| format!("{event:?}"))),
            Err(error) => rest.push(format!("{:?}", (error.kind(), error.delivery()))),
        }
    }
    (joined, rest)
}

async fn input(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    for suppress_input_echo in [true, false] {
        let text = "read -r a; read -r b; rest=$(od -An -tx1); echo \"[$a][$b][$rest]\"";
        let reading = SessionExecuteRequest {
            suppress_input_echo,
            ..in_background(text)
        };
        let id = run(told, api, reading).await.command_id;
        for input in [
            CommandInput::line("first"),
            CommandInput::line(""),
            CommandInput::raw(&b"\xff\x00x"[..]),
            CommandInput::eof(),
        ] {
            told.result("input", api.session_input("s", &id, input).await);
        }
        end_of(api, &id).await;
        let logs = api.logs(LogSource::command("s", &id)).await;
        told.result("logs", logs.map(as_text));
        let late = CommandInput::line("late");
        told.result("late", api.session_input("s", &id, late).await);
        let nothing = CommandInput::raw("");
        told.result("nothing", api.session_input("s", &id, nothing).await);
        let bad = CommandInput {
            is_line: true,
            ..CommandInput::raw(&b"\xff"[..])
        };
        told.result("no text", api.session_input("s", &id, bad).await);
    }
    api.delete_session("s").await.unwrap();
}

/// Waits for the end of a command.
async fn end_of(api: &Arc<dyn ProcessApi>, id: &str) {
    let source = LogSource::command("s", id);
    let log = api.follow_log(source, LogOptions::new()).await.unwrap();
    read(log).await;
}

async fn input_waits_for_a_command_that_reads_slowly(sandbox: &Sandbox, told: &mut Transcript) {
    const PIECE: usize = 1024 * 1024;
    const PIECES: usize = 70;
    let session = sandbox.process.create_session("slow").await.unwrap();
    let command = session
        .spawn("until [ -e go ]; do sleep 0.01; done; wc -c")
        .suppress_input_echo()
        .await
        .unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let writing = tokio::spawn({
        let (command, accepted) = (command.clone(), accepted.clone());
        async move {
            let piece = Bytes::from(vec![b'x'; PIECE]);
            for _ in 0..PIECES {
                command.write(piece.clone()).await?;
                accepted.fetch_add(1, Ordering::SeqCst);
            }
            command.close_stdin().await
        }
    });
    // A piece costs a little more than its bytes.
    while accepted.load(Ordering::SeqCst) < INPUT_BYTES / PIECE - 1 {
        tokio::task::yield_now().await;
    }
    told.tell("waits", !writing.is_finished());
    std::fs::write(sandbox.work_dir().join("go"), "").unwrap();
    told.result("written", writing.await.unwrap());
    let outcome = command.wait().await.unwrap();
    told.tell("read", outcome.stdout_lossy().trim().to_owned());
}

async fn signals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    for signal in [Signal::TERM, Signal::KILL, Signal(0)] {
        // When `ready` arrives there is no process yet; the signal goes to the first one.
        let text = "echo ready; sleep 60";
        let id = run(told, api, in_background(text)).await.command_id;
        let source = LogSource::command("s", &id);
        let mut log = api.follow_log(source, LogOptions::new()).await.unwrap();
        // It has begun once it has written.
        log.next().await.unwrap().unwrap();
        let signaled = api.session_signal("s", &id, signal).await;
        if signaled.is_err() {
            api.session_signal("s", &id, Signal::KILL).await.unwrap();
        }
        told.result("signaled", signaled);
        while let Some(event) = log.next().await {
            event.unwrap();
        }
        told.result("command", api.session_command("s", &id).await);
        told.result("late", api.session_signal("s", &id, Signal::TERM).await);
    }
    api.delete_session("s").await.unwrap();
}

async fn a_deleted_session(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    let id = run(told, api, in_background("echo ready; sleep 60"))
        .await
        .command_id;
    let source = LogSource::command("s", &id);
    let mut log = api.follow_log(source, LogOptions::new()).await.unwrap();
    log.next().await.unwrap().unwrap();
    told.result("deleted", api.delete_session("s").await);
    let (joined, rest) = read(log).await;
    told.tell("log", (joined.text(), rest));
    told.result("gone", api.session_command("s", &id).await);
}

/// What has a key is done once.
async fn keys(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_session("s".into()).await.unwrap();
    for key in ["one", "one", "two"] {
        let keyed = api.with_options(CallOptions::new().idempotency_key(key));
        let counting = request("echo x >> counted; wc -l < counted");
        run(told, &keyed, counting).await;
    }
    api.delete_session("s").await.unwrap();
}

/// A session is created once by a key, and another key is for another one.
async fn created_once(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    // Over HTTP a key is one for all that is asked for, so these are none of the case before.
    for (key, id) in [("new", "s"), ("new", "s"), ("other", "s"), ("new", "t")] {
        let keyed = api.with_options(CallOptions::new().idempotency_key(key));
        told.result(key, keyed.create_session(id.into()).await);
    }
    told.tell("listed", api.list_sessions().await.unwrap().len());
    api.delete_session("s").await.unwrap();
}
