//! Sessions, their logs and their input.

use std::sync::{Arc, Mutex};

use sandbox_daemon::{Access, Config, Server};
use sandbox_process::{
    Channel, ErrorKind, LogEvent, LogOptions, OutputReader, Process, SessionCommand,
    SessionExecuteRequest, Signal, Termination, parse_session_command_logs,
};
use sandbox_tests::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PATIENCE;

/// The specification's session, line by line.
async fn state_stays_between_commands(sandbox: Sandbox) {
    let process = &sandbox.process;
    let id = "my-session";
    process.create_session(id).await.unwrap();
    assert_eq!(
        process.create_session(id).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    process
        .execute_session_command(id, "cd /tmp; X='a b'".into())
        .await
        .unwrap();
    let result = process
        .execute_session_command(id, "pwd; echo $X; echo oops >&2; (exit 3)".into())
        .await
        .unwrap();
    assert_eq!(result.stdout.as_deref(), Some("/tmp\na b\n"));
    assert_eq!(result.stderr.as_deref(), Some("oops\n"));
    assert_eq!(result.exit_code, Some(3));
    assert_eq!(result.termination, Termination::Exited { code: 3 });
    let marked = parse_session_command_logs(result.output.unwrap().as_bytes());
    assert_eq!(marked.stdout, b"/tmp\na b\n");
    let request = SessionExecuteRequest {
        run_async: true,
        ..":".into()
    };
    let started = process.execute_session_command(id, request).await.unwrap();
    assert_eq!((started.exit_code, started.stdout), (None, None));
    let started = process.session(id).command(started.cmd_id);
    assert_eq!(started.wait().await.unwrap().exit_code(), Some(0));

    let command = process
        .get_session_command(id, &result.cmd_id)
        .await
        .unwrap();
    assert_eq!(
        (command.exit_code, command.id),
        (Some(3), result.cmd_id.clone())
    );
    let logs = process
        .get_session_command_logs(id, &result.cmd_id)
        .await
        .unwrap();
    assert_eq!(
        (logs.stdout.as_str(), logs.stderr.as_str()),
        ("/tmp\na b\n", "oops\n")
    );
    let sessions = process.list_sessions().await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].commands.len(), 3);
    assert_eq!(process.get_session(id).await.unwrap(), sessions[0]);
    process.delete_session(id).await.unwrap();
    let gone = process.get_session(id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone:?}");
    assert!(
        process
            .get_entrypoint_session()
            .await
            .unwrap_err()
            .is_not_found()
    );
    sandbox.shutdown().await;
}
on_every_transport!(state_stays_between_commands);

async fn handlers_of_both_kinds_get_everything(sandbox: Sandbox) {
    let process = &sandbox.process;
    process.create_session("s").await.unwrap();
    // Characters that come in two pieces, and bytes that are none.
    let text = "printf 'caf\\303'; sleep 0.2; printf '\\251\\n'; echo e >&2; printf '\\377'";
    let command = start(process, text).await;
    let stdout = Arc::new(Mutex::new(String::new()));
    let mut stderr = String::new();
    let collected = Arc::clone(&stdout);
    let follow = process.get_session_command_logs_async(
        "s",
        command.id(),
        move |piece: String| {
            let collected = Arc::clone(&collected);
            async move {
                tokio::task::yield_now().await;
                collected.lock().unwrap().push_str(&piece);
            }
        },
        |piece: String| stderr.push_str(&piece),
    );
    tokio::time::timeout(PATIENCE, follow)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*stdout.lock().unwrap(), "caf\u{e9}\n\u{fffd}");
    assert_eq!(stderr, "e\n");
    // By now the exit code is there.
    assert_eq!(command.info().await.unwrap().exit_code, Some(0));
    sandbox.shutdown().await;
}
on_every_transport!(handlers_of_both_kinds_get_everything);

async fn logs_are_followed_from_an_offset(sandbox: Sandbox) {
    let process = &sandbox.process;
    process.create_session("s").await.unwrap();
    let command = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three";
    let command = start(process, command).await;
    command.wait().await.unwrap();
    let options = LogOptions::new().offset(4);
    let mut log = command.follow(options).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = log.next().await {
        if let LogEvent::Output {
            channel,
            offset,
            bytes,
        } = event.unwrap()
        {
            events.push((channel, offset, bytes));
        }
    }
    let expect = [
        (Channel::Stderr, 4, "two\n".into()),
        (Channel::Stdout, 8, "three\n".into()),
    ];
    assert_eq!(events, expect);
    sandbox.shutdown().await;
}
on_every_transport!(logs_are_followed_from_an_offset);

async fn input_is_given_and_signals_are_sent(sandbox: Sandbox) {
    let process = &sandbox.process;
    process.create_session("s").await.unwrap();
    let command = start(process, "read a; echo \"<$a>\"; cat; echo end").await;
    command.write_line("a line").await.unwrap();
    let mut stdin = command.stdin();
    stdin.write_all(b"raw\xff").await.unwrap();
    stdin.shutdown().await.unwrap();
    let mut all = Vec::new();
    let log = command.follow(LogOptions::new()).await.unwrap();
    OutputReader::from(log).read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"<a line>\nraw\xffend\n");
    let late = command.write_line("late").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict, "{late:?}");

    let command = start(process, "echo ready; sleep 60").await;
    let mut log = command.follow(LogOptions::new()).await.unwrap();
    log.next().await.unwrap().unwrap();
    command.signal(Signal::TERM).await.unwrap();
    let outcome = command.wait().await.unwrap();
    assert_eq!(
        (outcome.exit_code(), &*outcome.stdout),
        (Some(143), &b"ready\n"[..])
    );
    sandbox.shutdown().await;
}
on_every_transport!(input_is_given_and_signals_are_sent);

async fn commands_have_places_and_limits_of_their_own(sandbox: Sandbox) {
    let process = &sandbox.process;
    process.create_session("s").await.unwrap();
    let session = process.session("s");
    let run = session.run("pwd; echo $A; cd /; A=y").id("mine");
    let outcome = run.cwd("/usr").env("A", "x").await.unwrap();
    assert_eq!(outcome.stdout, "/usr\nx\n");
    assert_eq!(
        session.command("mine").info().await.unwrap().exit_code,
        Some(0)
    );
    let run = session.run("echo part; sleep 1000");
    let outcome = run
        .timeout(std::time::Duration::from_secs(3))
        .await
        .unwrap();
    assert_eq!(outcome.stdout, "part\n");
    assert_eq!(outcome.termination, Termination::TimedOut);

    // Where the state of the shell is, and what ends it.
    let outcome = session.run("echo ${A-none} >&2; echo out").await.unwrap();
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        (&b"out\n"[..], &b"none\n"[..])
    );
    assert!(!outcome.session_ended);
    let outcome = session.run("exit 3").await.unwrap();
    assert_eq!(
        (outcome.exit_code(), outcome.session_ended),
        (Some(3), true)
    );
    let late = session.run("true").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict, "{late:?}");
    sandbox.shutdown().await;
}
on_every_transport!(commands_have_places_and_limits_of_their_own);

#[tokio::test]
async fn the_entrypoint_has_a_session_of_its_own() {
    let engine = sandbox_engine::Engine::builder().shell("/bin/bash");
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(listen, Access::Open, engine.build().unwrap());
    let command = ["sh", "-c", "echo out; echo err >&2; exit 3"];
    config.entrypoint = Some(command.map(Into::into).to_vec());
    let server = Server::bind(config).await.unwrap();
    let process = Process::connect(server.url()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async { drop(stopped.await) }));

    let (mut stdout, mut stderr) = (String::new(), String::new());
    let follow = process.get_entrypoint_logs_async(
        |piece: String| stdout.push_str(&piece),
        |piece: String| stderr.push_str(&piece),
    );
    let in_time = tokio::time::timeout(PATIENCE, follow).await;
    in_time.unwrap().unwrap();
    assert_eq!((stdout.as_str(), stderr.as_str()), ("out\n", "err\n"));
    let logs = process.get_entrypoint_logs().await.unwrap();
    assert_eq!((logs.stdout, logs.stderr), (stdout, stderr));
    let session = process.get_entrypoint_session().await.unwrap();
    assert_eq!(session.session_id, "entrypoint");
    assert_eq!(session.commands[0].exit_code, Some(3));
    assert_eq!(process.list_sessions().await.unwrap(), []);
    let kept = process.delete_session("entrypoint").await.unwrap_err();
    assert_eq!(kept.kind(), ErrorKind::InvalidInput, "{kept:?}");
    drop(stop);
    task.await.unwrap();
}

async fn start(process: &Process, command: &str) -> SessionCommand {
    let spawn = process.session("s").spawn(command);
    spawn.suppress_input_echo().await.unwrap()
}
