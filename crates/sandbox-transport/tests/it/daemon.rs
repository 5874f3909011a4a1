//! Every operation, against this project's daemon.

use std::time::Duration;

use bytes::Bytes;
use sandbox_daemon::{Access, Config, Listen, Server, Token};
use sandbox_engine::{Engine, Environment};
use sandbox_transport::{
    CallOptions, Channel, CommandInput, ContextRequest, Delivery, EnvUpdate, Error, ErrorKind,
    ExecConnection, ExecEvent, ExecRequest, ExecStreamRequest, HttpTransport, InterpretRequest,
    InterpreterEvent, InterpreterOutcome, KeyedRetries, LogEvent, LogOptions, LogSource, LogStream,
    ProcessApi, PtyAttachRequest, PtyConnection, PtyEvent, PtyRequest, PtySize,
    SessionExecuteRequest, Signal, Termination,
};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake::kinds;

/// A daemon of the test's own.
pub(crate) struct Daemon {
    pub(crate) url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    directory: tempfile::TempDir,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    async fn start_at(listen: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Login shells are not to run what a user has in their profile.
        let mut environment = Environment::of_this_process();
        environment.set("HOME", directory.path().as_os_str());
        let engine = Engine::builder()
            .environment(environment)
            .work_dir(directory.path())
            .shell("/bin/bash")
            .build()
            .unwrap();
        let listen: Listen = match listen {
            "unix" => Listen::Unix(directory.path().join("daemon.sock")),
            address => address.parse().unwrap(),
        };
        let access = Access::Token(Token::new("s3cret").unwrap());
        let mut config = Config::new(listen, access, engine);
        config.shutdown_grace = Duration::ZERO;
        config.entrypoint = Some(["echo", "from the entrypoint"].map(Into::into).to_vec());
        let server = Server::bind(config).await.unwrap();
        let url = server.address().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
        Self {
            url,
            stop,
            task,
            directory,
        }
    }

    pub(crate) fn client(&self) -> HttpTransport {
        let endpoint = self.url.parse().unwrap();
        let builder = HttpTransport::builder(endpoint).token("s3cret");
        builder.build_http().unwrap()
    }

    /// The daemon's working directory.
    pub(crate) fn work_dir(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) async fn end(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

fn command(text: &str) -> SessionExecuteRequest {
    SessionExecuteRequest::new(text)
}

fn in_background(text: &str) -> SessionExecuteRequest {
    SessionExecuteRequest {
        run_async: true,
        suppress_input_echo: true,
        ..command(text)
    }
}

/// A proxy that lets every request through and responds not to the first.
async fn swallower(to: String, answers: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for count in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut host = TcpStream::connect(to.clone()).await.unwrap();
            tokio::spawn(async move {
                if count >= answers {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut host).await;
                    return;
                }
                let (mut from_client, _to_client) = client.into_split();
                let (mut from_host, mut to_host) = host.into_split();
                tokio::select! {
                    _ = from_host.read_u8() => {}
                    _ = tokio::io::copy(&mut from_client, &mut to_host) => {}
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_command_with_a_key_runs_once() {
    let daemon = Daemon::start().await;
    let url = swallower(daemon.url.replace("http://", ""), 2).await;
    let builder = HttpTransport::builder(url.parse().unwrap()).token("s3cret");
    let client = builder.retry(KeyedRetries::default()).build_http().unwrap();
    let keyed = client.with_options(CallOptions::new().idempotency_key("one run"));
    let counting = ExecRequest::new("echo x >> file; wc -l < file");
    let outcome = keyed.execute(counting).await.unwrap();
    assert_eq!(outcome.output.text(), "1\n");
    let outcome = client.execute(ExecRequest::new("wc -l < file")).await;
    assert_eq!(outcome.unwrap().output.text(), "1\n");
    daemon.end().await;
}

/// A proxy that cuts every connection after some bytes of the daemon's, and those that come later after more.
async fn scissors(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for count in 1_u64.. {
            let (client, _) = listener.accept().await.unwrap();
            let host = TcpStream::connect(to.clone()).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (from_host, mut to_host) = host.into_split();
                let mut some = from_host.take(count * 104_729);
                tokio::select! {
                    _ = tokio::io::copy(&mut some, &mut to_client) => {}
                    _ = tokio::io::copy(&mut from_client, &mut to_host) => {}
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_log_that_is_cut_many_times_is_whole() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    client.create_session("s".into()).await.unwrap();
    // While it is written, and after it.
    let text = "seq 1 2000000 & seq 1 1000000 >&2; wait";
    let id = client
        .session_execute("s", in_background(text))
        .await
        .unwrap()
        .command_id;
    let url = scissors(daemon.url.replace("http://", "")).await;
    let cut = HttpTransport::builder(url.parse().unwrap())
        .token("s3cret")
        .build_http()
        .unwrap();
    let numbers = |to: u32| {
        let lines: Vec<_> = (1..=to).map(|number| format!("{number}\n")).collect();
        lines.concat().into_bytes()
    };
    let expect = [numbers(2_000_000), numbers(1_000_000)];
    for _ in 0..2 {
        let log = cut.follow_log(LogSource::command("s", &id), LogOptions::new());
        let outputs = read_all(log.await.unwrap(), 0).await.unwrap();
        assert!(outputs == expect);
    }
    daemon.end().await;
}

/// What a log has, by channel; gaps and offsets must be right.
pub(crate) async fn read_all(mut log: LogStream, mut offset: u64) -> Result<[Vec<u8>; 2], Error> {
    let mut outputs = [Vec::new(), Vec::new()];
    while let Some(event) = log.next().await {
        match event? {
            LogEvent::Output {
                channel,
                offset: at,
                bytes,
            } => {
                assert_eq!(at, offset);
                offset += bytes.len() as u64;
                outputs[usize::from(channel == Channel::Stderr)].extend(bytes);
            }
            event => panic!("{event:?}"),
        }
    }
    Ok(outputs)
}

#[tokio::test]
async fn a_daemon_describes_itself() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let version = client.version().await.unwrap();
    let capabilities = client.capabilities().await.unwrap();
    assert_eq!(capabilities.version, version);
    assert!(capabilities.extensions);
    let here = daemon.directory.path().canonicalize().unwrap();
    assert_eq!(client.work_dir().await.unwrap(), here.to_str().unwrap());
    assert!(client.home_dir().await.unwrap().starts_with('/'));
    assert!(client.metrics().await.unwrap().cpu_count.is_some());
    let request = EnvUpdate {
        set: [("A_VARIABLE".to_owned(), "here".to_owned())].into(),
        ..EnvUpdate::default()
    };
    client.update_env(request).await.unwrap();
    let outcome = client.execute(ExecRequest::new("echo $A_VARIABLE")).await;
    assert_eq!(outcome.unwrap().output.text(), "here\n");
    daemon.end().await;
}

#[tokio::test]
async fn sessions_live_and_die() {
    for listen in ["127.0.0.1:0", "unix"] {
        let daemon = Daemon::start_at(listen).await;
        let client = daemon.client();
        let id = "a session/with \"odd\" ch%rs?";
        client.create_session("one".into()).await.unwrap();
        let error = client.create_session(id.into()).await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::Rejected));
        let id = "a session with \"odd\" ch%rs?";
        client.create_session(id.into()).await.unwrap();
        let error = client.create_session(id.into()).await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));

        let answer = client.session_execute(id, command("cd /; echo hi; echo oops >&2"));
        let answer = answer.await.unwrap();
        assert_eq!(answer.termination, Termination::Exited { code: 0 });
        let output = answer.output.unwrap();
        assert_eq!(
            (output.stdout.unwrap(), output.stderr.unwrap()),
            ("hi\n".into(), "oops\n".into())
        );
        let answer = client
            .session_execute(id, command("pwd; (exit 7)"))
            .await
            .unwrap();
        assert_eq!(answer.termination, Termination::Exited { code: 7 });
        assert_eq!(answer.output.unwrap().stdout.unwrap(), "/\n");

        let found = client
            .session_command(id, &answer.command_id)
            .await
            .unwrap();
        assert_eq!(
            (found.command.as_str(), found.exit_code),
            ("pwd; (exit 7)", Some(7))
        );
        assert_eq!(client.get_session(id).await.unwrap().commands.len(), 2);
        let listed = client.list_sessions().await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|session| session.session_id.as_str())
            .collect();
        assert_eq!(listed, ["one", id]);
        client.delete_session(id).await.unwrap();
        for error in [
            client.delete_session(id).await.unwrap_err(),
            client.get_session(id).await.unwrap_err(),
            client
                .session_execute(id, command("true"))
                .await
                .unwrap_err(),
            client.session_command("one", "none").await.unwrap_err(),
            client
                .follow_log(LogSource::command("one", "none"), LogOptions::new())
                .await
                .unwrap_err(),
        ] {
            assert_eq!(kinds(&error), (ErrorKind::NotFound, Delivery::Rejected));
            assert!(error.request_id().is_some());
        }
        let error = client.delete_session("").await.unwrap_err();
        assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
        daemon.end().await;
    }
}

#[tokio::test]
async fn logs_are_read_in_all_forms() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    client.create_session("s".into()).await.unwrap();
    let text = r"printf '\1\1\1\2\2\2\0\377'; printf 'err\1\1\1' >&2; echo";
    let id = client
        .session_execute("s", command(text))
        .await
        .unwrap()
        .command_id;
    let source = LogSource::command("s", &id);
    let stdout = b"\x01\x01\x01\x02\x02\x02\0\xff\n";
    let logs = client.logs(source.clone()).await.unwrap();
    assert_eq!(logs.stderr.unwrap(), "err\u{1}\u{1}\u{1}");
    for options in [LogOptions::new(), LogOptions::new().snapshot()] {
        let log = client.follow_log(source.clone(), options).await.unwrap();
        let outputs = read_all(log, 0).await.unwrap();
        assert_eq!(outputs, [stdout.to_vec(), b"err\x01\x01\x01".to_vec()]);
        // The order of the two channels is not recorded here, the length is.
        let log = client
            .follow_log(source.clone(), options.offset(14))
            .await
            .unwrap();
        let rest: usize = read_all(log, 14).await.unwrap().iter().map(Vec::len).sum();
        assert_eq!(rest, 1);
        let error = client
            .follow_log(source.clone(), options.offset(16))
            .await
            .unwrap_err();
        assert_eq!(error.status(), Some(416));
    }
    let log = client
        .follow_log(LogSource::Entrypoint, LogOptions::new())
        .await
        .unwrap();
    assert_eq!(read_all(log, 0).await.unwrap()[0], b"from the entrypoint\n");
    let logs = client.logs(LogSource::Entrypoint).await.unwrap();
    assert_eq!(logs.stdout.unwrap(), "from the entrypoint\n");
    let session = client.entrypoint_session().await.unwrap();
    assert_eq!(session.commands.len(), 1);
    daemon.end().await;
}

#[tokio::test]
async fn commands_are_fed_and_signaled() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    client.create_session("s".into()).await.unwrap();
    let start = async |text| {
        client
            .session_execute("s", in_background(text))
            .await
            .unwrap()
            .command_id
    };

    let id = start("cat; echo over").await;
    let give = |input| client.session_input("s", &id, input);
    give(CommandInput::line("a line")).await.unwrap();
    give(CommandInput::line("")).await.unwrap();
    give(CommandInput::raw(&b"\0raw\xff"[..])).await.unwrap();
    give(CommandInput::line("last").then_eof()).await.unwrap();
    let log = client.follow_log(LogSource::command("s", &id), LogOptions::new());
    let outputs = read_all(log.await.unwrap(), 0).await.unwrap();
    assert_eq!(outputs[0], b"a line\n\n\0raw\xfflast\nover\n");
    let error = give(CommandInput::eof()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
    let not_text = CommandInput {
        is_line: true,
        ..CommandInput::raw(&b"\xff"[..])
    };
    let error = give(not_text).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));

    let id = start("echo begun; exec 0<&-; sleep 1000").await;
    let source = LogSource::command("s", &id);
    let mut log = client.follow_log(source, LogOptions::new()).await.unwrap();
    assert!(matches!(
        log.next().await,
        Some(Ok(LogEvent::Output { .. }))
    ));
    let signal = Signal::TERM;
    client.session_signal("s", &id, signal).await.unwrap();
    // The shell may say that it was terminated.
    while let Some(event) = log.next().await {
        event.unwrap();
    }
    assert!(log.next().await.is_none());
    let found = client.session_command("s", &id).await.unwrap();
    assert_eq!(found.exit_code, Some(143));
    let error = client.session_signal("s", &id, signal).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
    daemon.end().await;
}

async fn run(client: &HttpTransport, text: &str, input: bool) -> Result<ExecConnection, Error> {
    client
        .execute_stream(ExecStreamRequest {
            request: ExecRequest::new(text),
            input,
            ..ExecStreamRequest::default()
        })
        .await
}

#[tokio::test]
async fn a_command_is_streamed() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let mut exec = run(&client, "cat; echo done >&2; exit 3", true)
        .await
        .unwrap();
    let long: Bytes = vec![b'x'; 100_000].into();
    exec.control.write(long.clone()).await.unwrap();
    exec.control.close_input().await.unwrap();
    let mut outputs = [Vec::new(), Vec::new()];
    let mut end = None;
    while let Some(event) = exec.events.next().await {
        match event.unwrap() {
            ExecEvent::Output { channel, bytes, .. } => {
                outputs[usize::from(channel == Channel::Stderr)].extend(bytes);
            }
            ExecEvent::Ended { termination, .. } => end = termination.exit_code(),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(outputs, [long.to_vec(), b"done\n".to_vec()]);
    assert_eq!(end, Some(3));
    let error = exec.control.write("late".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);

    let mut exec = run(&client, "sleep 1000", false).await.unwrap();
    exec.control
        .write("nobody reads this".into())
        .await
        .unwrap();
    let event = exec.events.next().await.unwrap().unwrap();
    assert!(matches!(event, ExecEvent::Refused { .. }), "{event:?}");
    exec.control.signal(Signal::KILL).await.unwrap();
    let event = exec.events.next().await.unwrap().unwrap();
    let termination = Termination::Signaled { signal: 9 };
    let ExecEvent::Ended {
        termination: ended,
        usage,
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(ended, termination);
    assert!(usage.is_some_and(|usage| !usage.wall_time.is_zero()));
    assert!(exec.events.next().await.is_none());

    let error = run(&client, " ", false).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::Rejected));
    daemon.end().await;
}

/// What a terminal shows until `wanted` is in it.
async fn shows(pty: &mut PtyConnection, wanted: &str) -> String {
    let mut shown = Vec::new();
    loop {
        match pty.events.next().await {
            Some(Ok(PtyEvent::Output { bytes })) => shown.extend(bytes),
            event => panic!("{event:?} behind {:?}", String::from_utf8_lossy(&shown)),
        }
        let text = String::from_utf8_lossy(&shown);
        if text.contains(wanted) {
            return text.into_owned();
        }
    }
}

/// What comes after all that a terminal shows.
async fn end_of(pty: &mut PtyConnection) -> PtyEvent {
    loop {
        match pty.events.next().await.unwrap().unwrap() {
            PtyEvent::Output { .. } => {}
            end => return end,
        }
    }
}

/// Returns the exit code of a terminal that has exited.
fn code_of(end: &PtyEvent) -> Option<i32> {
    match end {
        PtyEvent::Exited { exit_code, .. } => *exit_code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn terminals_are_shared_and_end() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let request = PtyRequest {
        id: "a terminal".to_owned(),
        env: [("GREETING".to_owned(), "good day".to_owned())].into(),
        size: Some(PtySize {
            rows: 20,
            cols: 100,
        }),
        ..PtyRequest::default()
    };
    let mut pty = client.open_pty(request.clone()).await.unwrap();
    assert_eq!(pty.offset, Some(0));
    let error = client.open_pty(request).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Conflict, Delivery::Rejected));
    pty.control
        .write("echo \"$GREETING\" && stty size\n".into())
        .await
        .unwrap();
    let shown = shows(&mut pty, "20 100\r\n").await;
    assert!(shown.contains("good day\r\n"), "{shown}");

    let info = client.pty_info("a terminal").await.unwrap();
    assert!(info.active);
    assert_eq!(client.list_ptys().await.unwrap(), [info]);
    let size = PtySize { cols: 90, rows: 30 };
    assert_eq!(
        client.resize_pty("a terminal", size).await.unwrap().cols,
        90
    );

    // A second client, from the beginning; one that only watches.
    let again = PtyAttachRequest::new("a terminal").offset(0).read_only();
    let mut other = client.connect_pty(again).await.unwrap();
    assert_eq!(other.offset, Some(0));
    shows(&mut other, "20 100\r\n").await;
    other.control.write("echo ignored\n".into()).await.unwrap();
    pty.control
        .write("stty size; exit 3\n".into())
        .await
        .unwrap();
    for pty in [&mut pty, &mut other] {
        let shown = shows(pty, "30 90\r\n").await;
        assert!(!shown.contains("ignored"), "{shown}");
        let end = end_of(pty).await;
        assert_eq!(code_of(&end), Some(3));
        assert!(pty.events.next().await.is_none());
    }
    // A client that comes too late receives how it ended.
    let late = PtyAttachRequest::new("a terminal");
    let mut late = client.connect_pty(late).await.unwrap();
    shows(&mut late, "30 90\r\n").await;
    let end = end_of(&mut late).await;
    assert_eq!(code_of(&end), Some(3));
    daemon.end().await;
}

#[tokio::test]
async fn a_lazy_terminal_starts_with_its_first_client() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let id = client
        .create_pty(PtyRequest {
            id: "lazy".to_owned(),
            lazy_start: true,
            ..PtyRequest::default()
        })
        .await
        .unwrap();
    let mut pty = client
        .connect_pty(PtyAttachRequest::new(&id))
        .await
        .unwrap();
    pty.control.write("echo $((40+2))\n".into()).await.unwrap();
    shows(&mut pty, "42\r\n").await;
    client.delete_pty(&id).await.unwrap();
    let end = end_of(&mut pty).await;
    assert_eq!(code_of(&end), Some(137));
    daemon.end().await;
}

async fn interpret(
    client: &HttpTransport,
    context: Option<&str>,
    code: &str,
) -> Result<Vec<InterpreterEvent>, Error> {
    let request = InterpretRequest {
        code: code.to_owned(),
        context_id: context.map(str::to_owned),
        ..InterpretRequest::default()
    };
    let mut stream = client.interpret(request).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(comparable(event?));
    }
    Ok(events)
}

fn ended(outcome: InterpreterOutcome) -> InterpreterEvent {
    InterpreterEvent::Ended {
        outcome,
        termination: None,
        usage: None,
    }
}

/// Returns an event without what differs from run to run.
fn comparable(event: InterpreterEvent) -> InterpreterEvent {
    match event {
        InterpreterEvent::Ended {
            outcome,
            termination,
            usage,
        } => {
            assert!(
                termination.is_some() && usage.is_some(),
                "{termination:?} {usage:?}"
            );
            ended(outcome)
        }
        event => event,
    }
}

fn completed() -> InterpreterEvent {
    ended(InterpreterOutcome::Completed)
}

fn output(channel: Channel, text: &str) -> InterpreterEvent {
    InterpreterEvent::Output {
        channel,
        bytes: text.to_owned().into(),
    }
}

#[tokio::test]
async fn interpreters_keep_their_state() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let context = client
        .create_context(ContextRequest::default())
        .await
        .unwrap();
    let id = Some(context.id.as_str());
    assert_eq!(
        client.list_contexts().await.unwrap(),
        std::slice::from_ref(&context)
    );
    assert_eq!(
        interpret(&client, id, "x = 40").await.unwrap(),
        [completed()]
    );
    let events = interpret(&client, id, "print(x + 2)").await.unwrap();
    assert_eq!(events, [output(Channel::Stdout, "42\n"), completed()]);
    let events = interpret(&client, id, "x + 3").await.unwrap();
    assert!(
        matches!(&events[..], [InterpreterEvent::Display(shown), _] if shown.text == "43"),
        "{events:?}"
    );
    let events = interpret(&client, None, "x").await.unwrap();
    assert!(
        matches!(&events[..], [InterpreterEvent::Error { name, .. }, last] if name == "NameError" && *last == completed()),
        "{events:?}"
    );
    daemon.end().await;
}

#[tokio::test]
async fn an_interrupted_interpreter_keeps_its_state_until_its_worker_ends() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let context = client
        .create_context(ContextRequest::default())
        .await
        .unwrap();
    let id = Some(context.id.as_str());
    interpret(&client, id, "x = 40").await.unwrap();
    let code = "print('begun', flush=True)\nimport time\ntime.sleep(1000)";
    let request = InterpretRequest {
        code: code.to_owned(),
        context_id: Some(context.id.clone()),
        ..InterpretRequest::default()
    };
    let mut stream = client.interpret(request).await.unwrap();
    assert_eq!(
        stream.next().await.unwrap().unwrap(),
        output(Channel::Stdout, "begun\n")
    );
    client.interrupt_context(&context.id).await.unwrap();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(comparable(event.unwrap()));
    }
    assert_eq!(last, Some(ended(InterpreterOutcome::Interrupted)));
    // Its state is still there, until its worker is not.
    let events = interpret(&client, id, "print(x)").await.unwrap();
    assert_eq!(events[0], output(Channel::Stdout, "40\n"));
    let events = interpret(&client, id, "import os; os._exit(3)")
        .await
        .unwrap();
    assert!(
        matches!(
            events.last(),
            Some(InterpreterEvent::Ended {
                outcome: InterpreterOutcome::WorkerEnded { .. },
                ..
            })
        ),
        "{events:?}"
    );
    client.restart_context(&context.id).await.unwrap();
    assert_eq!(
        interpret(&client, id, "1;").await.unwrap().last(),
        Some(&completed())
    );
    daemon.end().await;
}

#[tokio::test]
async fn a_deleted_interpreter_is_not_found() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let context = client
        .create_context(ContextRequest::default())
        .await
        .unwrap();
    let id = Some(context.id.as_str());
    let error = interpret(&client, id, "").await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::Rejected));
    client.delete_context(&context.id).await.unwrap();
    let gone = (ErrorKind::NotFound, Delivery::Rejected);
    let error = interpret(&client, id, "1").await.unwrap_err();
    assert_eq!(kinds(&error), gone);
    assert_eq!(
        kinds(&client.interrupt_context(&context.id).await.unwrap_err()),
        gone
    );
    assert_eq!(
        kinds(&client.delete_context(&context.id).await.unwrap_err()),
        gone
    );
    daemon.end().await;
}
