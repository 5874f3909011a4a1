//! Sessions, their logs and their input.

use std::sync::{Arc, Mutex};

use sandbox_daemon::{Access, Config, Server};
use sandbox_process::{
    Channel, CommandInput, ErrorKind, LogEvent, LogOptions, Process, SessionExecuteRequest,
    Termination, parse_session_command_logs,
};

use super::{PATIENCE, carriers};

fn in_background(command: &str) -> SessionExecuteRequest {
    SessionExecuteRequest {
        run_async: true,
        suppress_input_echo: true,
        ..command.into()
    }
}

/// The specification's session, line by line.
#[tokio::test]
async fn state_stays_between_commands() {
    for sandbox in carriers().await {
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
        assert_eq!(sessions[0].commands.len(), 2);
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
        sandbox.end().await;
    }
}

#[tokio::test]
async fn handlers_of_both_kinds_get_everything() {
    for sandbox in carriers().await {
        let process = &sandbox.process;
        process.create_session("s").await.unwrap();
        // Characters that come in two pieces, and bytes that are none.
        let text = "printf 'caf\\303'; sleep 0.2; printf '\\251\\n'; echo e >&2; printf '\\377'";
        let id = start(process, text).await;
        let stdout = Arc::new(Mutex::new(String::new()));
        let mut stderr = String::new();
        let collected = Arc::clone(&stdout);
        let follow = process.get_session_command_logs_async(
            "s",
            &id,
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
        let told = process.get_session_command("s", &id).await.unwrap();
        assert_eq!(told.exit_code, Some(0));
        sandbox.end().await;
    }
}

#[tokio::test]
async fn logs_are_followed_from_an_offset() {
    for sandbox in carriers().await {
        let process = &sandbox.process;
        process.create_session("s").await.unwrap();
        let command = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three";
        let result = process
            .execute_session_command("s", command.into())
            .await
            .unwrap();
        let id = result.cmd_id;
        let options = LogOptions::new().offset(4);
        let mut log = process
            .follow_session_command_logs("s", &id, options)
            .await
            .unwrap();
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
        sandbox.end().await;
    }
}

#[tokio::test]
async fn input_is_given_and_signals_are_sent() {
    for sandbox in carriers().await {
        let process = &sandbox.process;
        process.create_session("s").await.unwrap();
        let id = start(process, "read a; echo \"<$a>\"; cat; echo end").await;
        process
            .send_session_command_input("s", &id, "a line")
            .await
            .unwrap();
        let raw = CommandInput::raw(&b"raw\xff"[..]).then_eof();
        process
            .send_session_command_bytes("s", &id, raw)
            .await
            .unwrap();
        let mut all = Vec::new();
        let mut log = process
            .follow_session_command_logs("s", &id, LogOptions::new())
            .await
            .unwrap();
        while let Some(event) = log.next().await {
            if let LogEvent::Output { bytes, .. } = event.unwrap() {
                all.extend_from_slice(&bytes);
            }
        }
        assert_eq!(all, b"<a line>\nraw\xffend\n");
        let late = process
            .send_session_command_input("s", &id, "late")
            .await
            .unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict, "{late:?}");

        let id = start(process, "echo ready; sleep 60").await;
        let mut log = process
            .follow_session_command_logs("s", &id, LogOptions::new())
            .await
            .unwrap();
        log.next().await.unwrap().unwrap();
        process
            .signal_session_command("s", &id, "TERM")
            .await
            .unwrap();
        while let Some(event) = log.next().await {
            event.unwrap();
        }
        let told = process.get_session_command("s", &id).await.unwrap();
        assert_eq!(told.exit_code, Some(143));
        sandbox.end().await;
    }
}

#[tokio::test]
async fn commands_have_places_and_limits_of_their_own() {
    for sandbox in carriers().await {
        let process = &sandbox.process;
        process.create_session("s").await.unwrap();
        let request = SessionExecuteRequest {
            cwd: Some("/usr".into()),
            env: [("A".to_owned(), "x".to_owned())].into(),
            command_id: Some("mine".into()),
            ..SessionExecuteRequest::new("pwd; echo $A; cd /; A=y")
        };
        let result = process.execute_session_command("s", request).await.unwrap();
        assert_eq!(result.stdout.as_deref(), Some("/usr\nx\n"));
        assert_eq!(result.cmd_id, "mine");
        let request = SessionExecuteRequest {
            timeout: Some(std::time::Duration::from_secs(3)),
            ..SessionExecuteRequest::new("echo part; sleep 1000")
        };
        let result = process.execute_session_command("s", request).await.unwrap();
        assert_eq!(result.stdout.as_deref(), Some("part\n"));
        assert_eq!(result.termination, Termination::TimedOut);
        sandbox.end().await;
    }
}

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

async fn start(process: &Process, command: &str) -> String {
    let started = process
        .execute_session_command("s", in_background(command))
        .await
        .unwrap();
    assert_eq!((started.exit_code, started.stdout), (None, None));
    started.cmd_id
}
