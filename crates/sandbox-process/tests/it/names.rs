//! Every method asks the transport for its operation, with everything that it was given.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandbox_process::{
    CallOptions, CodeRunParams, Delivery, Error, ErrorKind, InvalidPtySize, Language, LogOptions,
    Process, PtySize, PythonToolbox, SessionExecuteRequest, Signal, Termination, TypeScriptToolbox,
    blocking,
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
    let exec = process.exec("ls").cwd("src").env("K", "V");
    let exec = exec.envs([("L", "W")]).timeout(Duration::from_millis(1500));
    exec.merge_stderr().await.unwrap();
    let command = process.command("make").arg("-j8").args(["it's", ""]);
    command.cwd(Path::new("/d")).await.unwrap();
    let command = process.command("make").arg("all").spawn();
    command.piped_stdin().kill_on_drop().await.unwrap();
    check(
        &script,
        &[
            "version",
            "execute ls None {} None Some(true)",
            r#"execute ls Some("src") {"K": "V", "L": "W"} Some(1.5s) Some(false)"#,
            r#"execute exec ${ZSH_VERSION:+command} 'make' '-j8' 'it'\''s' '' Some("/d") {} None Some(true)"#,
            "stream exec ${ZSH_VERSION:+command} 'make' 'all' true killed",
        ],
    );

    let params = CodeRunParams {
        argv: vec!["a b".into()],
        env: [("K".to_owned(), "V".to_owned())].into(),
    };
    process.code_run("1").params(params).await.unwrap();
    let other = process.code_run("1").language(Language::JavaScript);
    other.arg("a").args(["b"]).env("K", "V").await.unwrap();
    let keyed = process.with_options(CallOptions::new().idempotency_key("k"));
    keyed.exec("once").await.unwrap();
    check(
        &script,
        &[
            r#"code_run python 1 ["a b"] {"K": "V"}"#,
            r#"code_run javascript 1 ["a", "b"] {"K": "V"}"#,
            "options k",
            "execute once None {} None Some(true)",
        ],
    );
}

/// Nothing is sent that could only be refused or misunderstood.
#[tokio::test]
async fn what_cannot_be_sent_is_an_error() {
    let (script, process) = scripted();
    let no_text = OsStr::from_bytes(b"\xff");
    let invalid = [
        process.exec("ls").cwd(no_text).await.unwrap_err(),
        process.command("").await.unwrap_err(),
        process.command("-x").await.unwrap_err(),
        process.command("a").arg("b\0").await.unwrap_err(),
        process
            .session("s")
            .run("ls")
            .cwd(no_text)
            .await
            .unwrap_err(),
        process.create_pty("t").cwd(no_text).await.unwrap_err(),
    ];
    for error in invalid {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        assert_eq!(error.delivery(), Delivery::NotSent, "{error:?}");
    }
    let size = PtySize { rows: 0, cols: 80 };
    let created = process.create_pty("t").size(size);
    for error in [
        created.await.unwrap_err(),
        process.pty("t").resize(size).await.unwrap_err(),
        process.resize_pty_session("t", size).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<InvalidPtySize>().unwrap();
        assert_eq!(Err(*source), PtySize::new(0, 80));
    }
    check(&script, &[]);
}

const LOG: &str = r#"Command { session_id: "s", command_id: "c" }"#;

/// Each name of the official SDKs.
#[tokio::test]
async fn sessions_by_the_names_of_the_sdks() {
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
    process
        .send_session_command_input("s", "c", "data")
        .await
        .unwrap();
    process.get_entrypoint_session().await.unwrap();
    process.get_entrypoint_logs().await.unwrap();
    process
        .get_entrypoint_logs_async(nothing, async |_: String| {})
        .await
        .unwrap();
    process.delete_session("s").await.unwrap();
    check(
        &script,
        &[
            "create_session s",
            "get_session s",
            "list_sessions",
            "session_execute s x true true",
            "session_command s c",
            &format!("logs {LOG}"),
            &format!("follow_log {LOG} 0 true"),
            r#"session_input s c b"data" true false"#,
            "entrypoint_session",
            "logs Entrypoint",
            "follow_log Entrypoint 0 true",
            "delete_session s",
        ],
    );
}

#[tokio::test]
async fn sessions_by_their_handles() {
    let (script, process) = scripted();
    let session = process.create_session("s").await.unwrap();
    assert_eq!(session.id(), "s");
    assert_eq!(session.info().await.unwrap().session_id, "s");
    session.run("x").await.unwrap();
    let own = session.run("y").cwd("/d").env("K", "V").user("u").id("c");
    own.timeout(Duration::from_secs(1)).await.unwrap();
    let command = session.spawn("x").suppress_input_echo().await.unwrap();
    assert_eq!((command.session_id(), command.id()), ("s", "c"));
    command.info().await.unwrap();
    command.logs().await.unwrap();
    let options = LogOptions::new().offset(7).snapshot();
    let mut log = command.follow(options).await.unwrap();
    assert!(log.next().await.is_none());
    command.wait().await.unwrap();
    command.write_line("line").await.unwrap();
    command.write("bytes").await.unwrap();
    command.close_stdin().await.unwrap();
    command.signal(Signal::INT).await.unwrap();
    command.kill().await.unwrap();
    process.entrypoint_session().await.unwrap();
    process.entrypoint_logs().await.unwrap();
    process.follow_entrypoint(options).await.unwrap();
    session.delete().await.unwrap();
    check(
        &script,
        &[
            "create_session s",
            "get_session s",
            "session_execute s x false false",
            r#"session_execute s y false false (Some("c"), Some("/d"), Some("u"), Some(1s), {"K": "V"})"#,
            "session_execute s x true true",
            "session_command s c",
            &format!("logs {LOG}"),
            &format!("follow_log {LOG} 7 false"),
            &format!("follow_log {LOG} 0 true"),
            "session_command s c",
            r#"session_input s c b"line" true false"#,
            r#"session_input s c b"bytes" false false"#,
            r#"session_input s c b"" false true"#,
            "session_signal s c 2",
            "session_signal s c 9",
            "entrypoint_session",
            "logs Entrypoint",
            "follow_log Entrypoint 7 false",
            "delete_session s",
        ],
    );
}

const SIZE: PtySize = PtySize {
    rows: 40,
    cols: 150,
};

/// Each name of the official SDKs.
#[tokio::test]
async fn terminals_by_the_names_of_the_sdks() {
    let (script, process) = scripted();
    let handle = process
        .create_pty_session("t")
        .cwd("/workspace")
        .envs([("VAR", "value")])
        .pty_size(SIZE)
        .await
        .unwrap();
    assert_eq!(handle.session_id(), "t");
    handle.wait_for_connection().await.unwrap();
    handle.send_input("ls\n").await.unwrap();
    handle.resize(SIZE).await.unwrap();
    handle.kill().await.unwrap();
    let mut handle = process.connect_pty_session("t").await.unwrap();
    handle.wait(|_: Bytes| {}).await.unwrap();
    assert_eq!(process.list_pty_sessions().await.unwrap()[0].id, "t");
    process.get_pty_session_info("t").await.unwrap();
    process.kill_pty_session("t").await.unwrap();
    process.resize_pty_session("t", SIZE).await.unwrap();
    check(
        &script,
        &[
            r#"open_pty t Some("/workspace") {"VAR": "value"} 40 150"#,
            r#"type b"ls\n""#,
            "resize_pty t 40 150",
            "delete_pty t",
            "connect_pty t None false",
            "list_ptys",
            "pty_info t",
            "delete_pty t",
            "resize_pty t 40 150",
        ],
    );
}

#[tokio::test]
async fn terminals_by_their_handles() {
    let (script, process) = scripted();
    let handle = process.create_pty("t").env("VAR", "value").size(SIZE);
    let handle = handle.await.unwrap();
    assert_eq!(handle.id(), "t");
    handle.write("ls\n").await.unwrap();
    handle.resize(SIZE).await.unwrap();
    handle.kill().await.unwrap();
    let pty = process.create_pty("t").cwd("/").detached().await.unwrap();
    assert_eq!(pty.id(), "t");
    pty.attach().await.unwrap();
    let mut handle = process
        .pty("t")
        .attach()
        .offset(9)
        .read_only()
        .await
        .unwrap();
    handle.disconnect();
    assert!(!handle.is_connected());
    assert_eq!(process.list_ptys().await.unwrap()[0].id, "t");
    pty.info().await.unwrap();
    pty.resize(SIZE).await.unwrap();
    pty.kill().await.unwrap();
    check(
        &script,
        &[
            r#"open_pty t None {"VAR": "value"} 40 150"#,
            r#"type b"ls\n""#,
            "resize_pty t 40 150",
            "delete_pty t",
            r#"create_pty t Some("/")"#,
            "connect_pty t None false",
            "connect_pty t Some(9) true",
            "list_ptys",
            "pty_info t",
            "resize_pty t 40 150",
            "delete_pty t",
        ],
    );
}

#[tokio::test]
async fn interpreters() {
    let (script, process) = scripted();
    let python = process.code_interpreter();
    python.create_context(Some("/d")).await.unwrap();
    let typed = process.create_context(Language::TypeScript).cwd("/d");
    let context = typed.await.unwrap();
    assert_eq!(context.id(), "c");
    python.list_contexts().await.unwrap();
    process.list_contexts().await.unwrap();
    let run = python.run_code("1").context("c").env("K", "V");
    run.timeout(Duration::from_millis(1)).spawn().await.unwrap();
    let unlimited = process.default_context().run("1").timeout(Duration::MAX);
    unlimited.spawn().await.unwrap();
    context.run("1").envs([("K", "V")]).spawn().await.unwrap();
    process.default_context().interrupt().await.unwrap();
    context.restart().await.unwrap();
    context.delete().await.unwrap();
    python.delete_context("c").await.unwrap();
    check(
        &script,
        &[
            r#"create_context Some("/d") None"#,
            r#"create_context Some("/d") Some("typescript")"#,
            "list_contexts",
            "list_contexts",
            r#"interpret 1 Some("c") Some(1ms) {"K": "V"}"#,
            &format!("interpret 1 None {:?} {{}}", Some(Duration::MAX)),
            r#"interpret 1 Some("c") None {"K": "V"}"#,
            "interrupt_context default",
            "restart_context c",
            "delete_context c",
            "delete_context c",
        ],
    );
}

#[test]
fn without_a_runtime() {
    let (script, process) = scripted();
    let process = blocking::Process::new(process).unwrap();
    let session = process.create_session("s").unwrap();
    process.execute_session_command("s", "x".into()).unwrap();
    session.run("y").run().unwrap();
    let command = session.spawn("z").start().unwrap();
    command.write_line("line").unwrap();
    process.exec("ls").cwd("/d").run().unwrap();
    process.command("ls").arg("-l").spawn().start().unwrap();
    let handle = process.create_pty("t").create().unwrap();
    handle.write("ls").unwrap();
    let context = process.create_context(Language::Python).create().unwrap();
    process.list_contexts().unwrap();
    context.delete().unwrap();
    check(
        &script,
        &[
            "create_session s",
            "session_execute s x false false",
            "session_execute s y false false",
            "session_execute s z true false",
            r#"session_input s c b"line" true false"#,
            r#"execute ls Some("/d") {} None Some(true)"#,
            "stream exec ${ZSH_VERSION:+command} 'ls' '-l' false",
            "open_pty t None {} 24 80",
            r#"type b"ls""#,
            "create_context None None",
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
            "execute ls None {} None Some(true)",
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
    let outcome = process.code_run("let x: number").env("K", "V");
    let outcome = outcome.await.unwrap();
    assert_eq!(
        (outcome.exit_code(), &*outcome.stdout),
        (Some(0), &b"done"[..])
    );
    let asked = script.asked().join("\n");
    assert!(
        asked.contains("ts-node") && asked.contains("let x: number"),
        "{asked}"
    );
    assert!(asked.contains(r#"{"K": "V"}"#), "{asked}");

    // Other languages have the toolbox of this crate.
    let python = process.code_run("1").language(Language::Python);
    python.await.unwrap();
    let asked = script.asked().join("\n");
    assert!(asked.contains("python3 -u - <<'"), "{asked}");
    let other = process.code_run("1").language(Language::Ruby);
    assert_eq!(other.await.unwrap_err().kind(), ErrorKind::Unsupported);
    check(&script, &[]);
}
