//! Every name asks the carrier for its operation, with everything that it was given.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandbox_process::{
    CallOptions, CodeRunParams, Delivery, Error, ErrorKind, Language, LogOptions, Process,
    PtyAttachRequest, PtySize, PythonToolbox, SessionExecuteRequest, Termination,
    TypeScriptToolbox, blocking,
};

use crate::script::{Answers, Script};

fn scripted() -> (Script, Process) {
    let script = Script::default();
    (script.clone(), Process::with_api(script))
}

#[track_caller]
fn check(script: &Script, expect: &[&str]) {
    assert_eq!(script.asked(), expect);
}

#[tokio::test]
async fn commands_and_programs() {
    let (script, process) = scripted();
    assert_eq!(process.version().await.unwrap(), "v1");
    process.exec("ls").await.unwrap();
    process
        .exec("ls")
        .cwd("src")
        .env("K", "V")
        .timeout(Duration::from_millis(1500))
        .split_output()
        .await
        .unwrap();
    check(
        &script,
        &[
            "version",
            "execute ls None {} None None",
            r#"execute ls Some("src") {"K": "V"} Some(1.5s) Some(true)"#,
        ],
    );

    let params = CodeRunParams {
        argv: vec!["a b".into()],
        env: [("K".to_owned(), "V".to_owned())].into(),
    };
    process.code_run("1").params(params).await.unwrap();
    let other = process.code_run("1").language(Language::JavaScript);
    other.await.unwrap();
    let keyed = process.with_options(CallOptions::new().idempotency_key("k"));
    keyed.exec("once").await.unwrap();
    check(
        &script,
        &[
            r#"code_run python 1 ["a b"] {"K": "V"}"#,
            "code_run javascript 1 [] {}",
            "options k",
            "execute once None {} None None",
        ],
    );
}

#[tokio::test]
async fn sessions() {
    let (script, process) = scripted();
    process.create_session("s").await.unwrap();
    assert_eq!(process.get_session("s").await.unwrap().session_id, "s");
    assert_eq!(process.list_sessions().await.unwrap().len(), 1);
    let request = SessionExecuteRequest {
        run_async: true,
        suppress_input_echo: true,
        ..SessionExecuteRequest::new("x")
    };
    let started = process.execute_session_command("s", request).await.unwrap();
    assert_eq!(started.cmd_id, "c");
    process.get_session_command("s", "c").await.unwrap();
    process.get_session_command_logs("s", "c").await.unwrap();
    let nothing = |_: String| {};
    process
        .get_session_command_logs_async("s", "c", nothing, nothing)
        .await
        .unwrap();
    let options = LogOptions::new().offset(7).snapshot();
    let follow = process.follow_session_command_logs("s", "c", options);
    assert!(follow.await.unwrap().next().await.is_none());
    process
        .send_session_command_input("s", "c", "data")
        .await
        .unwrap();
    process
        .signal_session_command("s", "c", "INT")
        .await
        .unwrap();
    let unknown = process.signal_session_command("s", "c", "NONE").await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::InvalidInput);
    process.get_entrypoint_session().await.unwrap();
    process.get_entrypoint_logs().await.unwrap();
    process
        .get_entrypoint_logs_async(nothing, async |_: String| {})
        .await
        .unwrap();
    process.delete_session("s").await.unwrap();
    let log = r#"Command { session_id: "s", command_id: "c" }"#;
    check(
        &script,
        &[
            "create_session s",
            "get_session s",
            "list_sessions",
            "session_execute s x true true",
            "session_command s c",
            &format!("logs {log}"),
            &format!("follow_log {log} 0 true"),
            &format!("follow_log {log} 7 false"),
            r#"session_input s c b"data" true false"#,
            "session_signal s c 2",
            "entrypoint_session",
            "logs Entrypoint",
            "follow_log Entrypoint 0 true",
            "delete_session s",
        ],
    );
}

#[tokio::test]
async fn terminals() {
    let (script, process) = scripted();
    let size = PtySize {
        rows: 40,
        cols: 150,
    };
    let handle = process
        .create_pty_session("t")
        .cwd("/workspace")
        .envs([("VAR".to_owned(), "value".to_owned())].into())
        .pty_size(size)
        .await
        .unwrap();
    assert_eq!(handle.session_id(), "t");
    handle.wait_for_connection().await.unwrap();
    handle.send_input("ls\n").await.unwrap();
    handle.resize(size).await.unwrap();
    handle.kill().await.unwrap();
    let detached = process.create_pty_session("t").cwd("/").detached();
    assert_eq!(detached.await.unwrap(), "t");
    process.connect_pty_session("t").await.unwrap();
    let request = PtyAttachRequest::new("t").offset(9);
    let mut handle = process.attach_pty_session(request).await.unwrap();
    handle.disconnect();
    assert!(!handle.is_connected());
    assert_eq!(process.list_pty_sessions().await.unwrap()[0].id, "t");
    process.get_pty_session_info("t").await.unwrap();
    process.kill_pty_session("t").await.unwrap();
    process.resize_pty_session("t", size).await.unwrap();
    check(
        &script,
        &[
            r#"open_pty t Some("/workspace") {"VAR": "value"} 40 150"#,
            r#"type b"ls\n""#,
            "resize_pty t 40 150",
            "delete_pty t",
            r#"create_pty t Some("/")"#,
            "connect_pty t None",
            "connect_pty t Some(9)",
            "list_ptys",
            "pty_info t",
            "delete_pty t",
            "resize_pty t 40 150",
        ],
    );
}

#[tokio::test]
async fn interpreters() {
    let (script, process) = scripted();
    let python = process.code_interpreter();
    python.create_context(Some("/d")).await.unwrap();
    let typed = python.create_context(None).language(Language::TypeScript);
    typed.await.unwrap();
    python.list_contexts().await.unwrap();
    let run = python.run_code("1").context("c").env("K", "V");
    run.timeout(Duration::from_millis(1))
        .stream()
        .await
        .unwrap();
    let unlimited = python.run_code("1").timeout(Duration::MAX);
    unlimited.stream().await.unwrap();
    python.interrupt_context("c").await.unwrap();
    python.restart_context("c").await.unwrap();
    python.delete_context("c").await.unwrap();
    check(
        &script,
        &[
            r#"create_context Some("/d") None"#,
            r#"create_context None Some("typescript")"#,
            "list_contexts",
            r#"interpret 1 Some("c") Some(1ms) {"K": "V"}"#,
            &format!("interpret 1 None {:?} {{}}", Some(Duration::MAX)),
            "interrupt_context c",
            "restart_context c",
            "delete_context c",
        ],
    );
}

#[test]
fn without_a_runtime() {
    let (script, process) = scripted();
    let process = blocking::Process::new(process).unwrap();
    process.create_session("s").unwrap();
    process.execute_session_command("s", "x".into()).unwrap();
    process.wait(process.exec("ls")).unwrap();
    let handle = process.create_pty_session("t", PtySize::default()).unwrap();
    handle.send_input(Bytes::from("ls")).unwrap();
    process.list_contexts().unwrap();
    process.delete_context("c").unwrap();
    check(
        &script,
        &[
            "create_session s",
            "session_execute s x false false",
            "execute ls None {} None None",
            "open_pty t None {} 24 80",
            r#"type b"ls""#,
            "list_contexts",
            "delete_context c",
        ],
    );
}

#[tokio::test]
async fn the_way_is_made_before_each_operation() {
    let script = Script::default();
    let made = script.clone();
    let process = Process::new(PythonToolbox, Arc::new(script.clone()), move || {
        drop(sandbox_process::ProcessApi::with_options(
            &made,
            CallOptions::new(),
        ));
        async { Ok(()) }
    });
    process.exec("ls").await.unwrap();
    process.delete_session("s").await.unwrap();
    check(
        &script,
        &[
            "options ",
            "execute ls None {} None None",
            "options ",
            "delete_session s",
        ],
    );

    let asleep = || async { Err(Error::new(ErrorKind::Connect, Delivery::NotSent, "asleep")) };
    let process = Process::new(PythonToolbox, Arc::new(script.clone()), asleep);
    let error = process.exec("ls").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Connect, "asleep")
    );
    assert!(process.list_pty_sessions().await.is_err());
    check(&script, &[]);
}

#[tokio::test]
async fn old_daemons_run_programs_by_commands() {
    let script = Script::new(Answers {
        runs_no_code: true,
        termination: Termination::Exited { code: 0 },
        ..Answers::default()
    });
    let ready = || async { Ok(()) };
    let process = Process::new(TypeScriptToolbox, Arc::new(script.clone()), ready);
    let response = process
        .code_run("let x: number")
        .env("K", "V")
        .await
        .unwrap();
    assert_eq!(
        (response.exit_code, response.result.as_str()),
        (Some(0), "done")
    );
    let asked = script.asked().join("\n");
    assert!(
        asked.contains("ts-node") && asked.contains("let x: number"),
        "{asked}"
    );
    assert!(asked.contains(r#"{"K": "V"}"#), "{asked}");

    // A toolbox knows one language.
    let python = process.code_run("1").language(Language::Python);
    assert_eq!(python.await.unwrap_err().kind(), ErrorKind::Unsupported);
    check(&script, &[]);
}
