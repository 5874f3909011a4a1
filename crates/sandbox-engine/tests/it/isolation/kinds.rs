//! All kinds of things to run, isolated.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use sandbox_engine::code::{CodeError, Language, Program};
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::isolation::{Access, Isolation, IsolationError, Level};
use sandbox_engine::{
    CommandOptions, Engine, Outcome, OutputMode, PtyOptions, Recorded, RunError, RunOptions,
    Session, SessionOptions, Signal, SpawnError, Termination,
};

use super::{Machine, can_isolate};
use crate::guard::text;
use crate::interpreter::ended;

/// A path at which no isolated process can write.
const OUTSIDE: &str = "/usr/sandbox-isolation-test";

fn options() -> RunOptions {
    RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    }
}

async fn run_code(
    machine: &Machine,
    language: Language,
    code: &str,
    options: RunOptions,
) -> Outcome {
    let program = Program {
        language,
        code: code.to_owned(),
        argv: vec!["an argument".to_owned()],
    };
    machine.engine.run_code(program, options).await.unwrap()
}

#[tokio::test]
async fn programs_run_isolated() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let python = format!(
        "import os, sys\n\
         print(os.getpid(), sys.argv[1], open(__file__).readline().strip())\n\
         open('f', 'w').write('x')\n\
         try: open('{OUTSIDE}', 'w')\n\
         except OSError as error: print(error.strerror)"
    );
    let javascript = format!(
        "const fs = require('fs'); console.log(process.argv[1]);\n\
         try {{ fs.writeFileSync('{OUTSIDE}', 'x') }} catch (error) {{ console.log(error.code) }}"
    );
    let module = "import fs from 'fs'; console.log(process.argv[1]); export {}";
    let typescript = "import { name } from './local'; const text: string = name; console.log(text)";
    std::fs::write(
        machine.path("local.ts"),
        "export const name: string = 'local'",
    )
    .unwrap();
    for (language, code, expect) in [
        (
            Language::Python,
            &*python,
            "2 an argument import os, sys\nRead-only file system\n",
        ),
        (Language::JavaScript, &javascript, "an argument\nEROFS\n"),
        (Language::JavaScript, module, "an argument\n"),
        (Language::TypeScript, typescript, "local\n"),
        (Language::Bash, "echo $1; echo $$", "an argument\n2\n"),
    ] {
        let outcome = run_code(&machine, language, code, options()).await;
        assert_eq!(text(&outcome), expect, "{language:?}");
        assert_eq!(outcome.termination, Termination::Exited { code: 0 });
        assert_eq!(outcome.level, Level::Namespaces);
    }
    assert_eq!(std::fs::read(machine.path("f")).unwrap(), b"x");
}

#[tokio::test]
async fn charts_come_out_of_the_isolation() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let code = "try:\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    print('none')\n\
                else:\n    plt.plot([1, 2]); plt.show()";
    let outcome = run_code(&machine, Language::Python, code, options()).await;
    match text(&outcome).as_str() {
        "none\n" => eprintln!("skipped: no matplotlib"),
        "" => assert_eq!(outcome.artifacts.len(), 1),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_no_program_can_have_is_refused() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let root = tempfile::tempdir().unwrap();
    for isolation in [
        Isolation::builder().run_as(1, 1),
        Isolation::builder().root_dir(root.path()),
    ] {
        let program = Program {
            language: Language::Python,
            code: "print(1)".into(),
            argv: Vec::new(),
        };
        let options = RunOptions {
            isolation: Some(isolation.build().unwrap()),
            ..RunOptions::default()
        };
        match machine.engine.run_code(program, options).await {
            Err(CodeError::Run(RunError::Spawn(SpawnError::Isolation(
                IsolationError::Unsupported { .. },
            )))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The engine reads what a program imports, and must not read for it what it does not see.
#[tokio::test]
async fn no_import_shows_what_is_hidden() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    std::fs::write(machine.path("secret.ts"), "export const name = 'secret'").unwrap();
    let isolation = Isolation::builder().hide(machine.path("secret.ts"));
    let isolation = || Some(isolation.clone().build().unwrap());
    let options = RunOptions {
        isolation: isolation(),
        ..RunOptions::default()
    };
    let code = "import { name } from './secret'; console.log(name)";
    let outcome = run_code(&machine, Language::TypeScript, code, options).await;
    assert!(!text(&outcome).contains("'secret'"), "{}", text(&outcome));
    assert_eq!(outcome.termination, Termination::Exited { code: 1 });
}

/// A program could put a script in the place of a runtime, for the engine to run it without isolation.
#[tokio::test]
async fn a_shim_of_a_runtime_runs_isolated() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let shim = machine.path("python3");
    std::fs::write(&shim, format!("#!/bin/sh\ntouch {OUTSIDE} || exit 7\n")).unwrap();
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", machine.work_dir.path().display());
    let options = RunOptions {
        env: vec![("PATH".to_owned(), path)],
        ..options()
    };
    let program = Program {
        language: Language::Python,
        code: "print(1)".into(),
        argv: Vec::new(),
    };
    let refused = machine.engine.run_code(program, options).await.unwrap_err();
    assert!(refused.to_string().contains("code: 7"), "{refused}");
    assert!(!std::path::Path::new(OUTSIDE).exists());
}

async fn session(machine: &Machine) -> Session {
    let options = SessionOptions {
        isolation: Some(Isolation::strict()),
        ..SessionOptions::default()
    };
    let sessions = machine.engine.sessions();
    sessions.create("s", options).await.unwrap()
}

async fn in_session(session: &Session, command: &str) -> (String, Termination) {
    let command = session.execute(command, CommandOptions::default()).unwrap();
    let ended = command.ended().await;
    assert_eq!(command.level(), Level::Namespaces);
    let recorded = Recorded::of(&command, OutputMode::Merged).await;
    (text(&recorded.collect().await), ended)
}

#[tokio::test]
async fn sessions_run_isolated() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let session = session(&machine).await;
    assert_eq!(session.level(), Level::Namespaces);
    let check = async |command: &str, expect: &str, code: i32| {
        let (output, ended) = in_session(&session, command).await;
        assert_eq!(output, expect, "{command}");
        assert_eq!(ended, Termination::Exited { code }, "{command}");
    };
    check("echo $$; x=1; cd /usr", "2\n", 0).await;
    check("echo $x; pwd; false", "1\n/usr\n", 1).await;
    let outside = format!("(echo x > {OUTSIDE}) 2>/dev/null || echo no");
    check(&outside, "no\n", 0).await;
    // The pipes of the session cannot be removed or replaced.
    check(
        "rm -rf /tmp/sandbox-session-* 2>/dev/null; echo still here",
        "still here\n",
        0,
    )
    .await;
    let long = format!("echo begun; : {}", "x".repeat(256 * 1024));
    check(&long, "begun\n", 0).await;
    check("sleep 60 & echo begun", "begun\n", 0).await;
}

#[tokio::test]
async fn commands_of_isolated_sessions_are_signaled_and_limited() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let session = session(&machine).await;
    let limited = CommandOptions {
        timeout: Some(Duration::from_millis(200)),
        ..CommandOptions::default()
    };
    let limited = session.execute("sleep 60", limited).unwrap();
    assert!(matches!(
        limited.ended().await,
        Termination::TimedOut { .. }
    ));
    let (output, _) = in_session(&session, "echo after").await;
    assert_eq!(output, "after\n");
    // A program says so: a shell that is about to execute one does not die of the signal.
    let command = "sh -c 'echo ready; exec sleep 60'; echo $?";
    let command = session.execute(command, CommandOptions::default()).unwrap();
    let mut cursor = command.record().follow(0).unwrap();
    assert!(cursor.next().await.is_some());
    command.signal(Signal::TERM).await.unwrap();
    assert_eq!(command.ended().await, Termination::Exited { code: 0 });
    let user = CommandOptions {
        user: Some("nobody".to_owned()),
        ..CommandOptions::default()
    };
    let refused = session.execute("id", user).unwrap_err();
    assert!(refused.to_string().contains("isolated"), "{refused}");
    assert!(machine.engine.sessions().delete("s").await);
}

#[tokio::test]
async fn terminals_run_isolated() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let options = PtyOptions {
        isolation: Some(Isolation::strict()),
        env: vec![("PS1".to_owned(), String::new())],
        ..PtyOptions::default()
    };
    let pty = machine.engine.ptys().create("t", options).await.unwrap();
    assert_eq!(pty.level(), Level::Namespaces);
    let line = format!("echo pid=$$; (echo x > {OUTSIDE}) 2>/dev/null || exit 9\n");
    pty.input().write(line.into_bytes().into()).await.unwrap();
    assert_eq!(pty.ended().await, Termination::Exited { code: 9 });
}

#[tokio::test]
async fn contexts_run_isolated() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    for (language, set, get, outside) in [
        (
            Language::Python,
            "x = 1",
            "import os; print(x, os.getpid())",
            format!("open('{OUTSIDE}', 'w')"),
        ),
        (
            Language::JavaScript,
            "const x = 1",
            "console.log(x, process.pid)",
            format!("require('fs').writeFileSync('{OUTSIDE}', 'x')"),
        ),
    ] {
        let options = ContextOptions {
            isolation: Some(Isolation::strict()),
            ..ContextOptions::default()
        };
        let context = machine.engine.contexts().create(language, options).await;
        let context = context.unwrap();
        assert_eq!(context.level(), Level::Namespaces);
        let run = async |code: &str| {
            let execution = context.execute(code, ExecuteOptions::default());
            ended(&execution.unwrap()).await
        };
        assert_eq!(run(set).await.1.ending, Ending::Completed);
        assert_eq!(run(get).await.0, "1 2\n");
        let (_, ended) = run(&outside).await;
        assert!(ended.failure.is_some(), "{language:?}: {ended:?}");
    }
}

#[tokio::test]
async fn an_engine_isolates_by_default() {
    if !can_isolate().await {
        return;
    }
    let work_dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .shell("/bin/bash")
        .work_dir(work_dir.path())
        .isolation(Isolation::strict());
    let engine = engine.build().unwrap();
    let outcome = engine.exec("echo $$", RunOptions::default()).await.unwrap();
    assert_eq!(
        (text(&outcome).as_str(), outcome.level),
        ("2\n", Level::Namespaces)
    );
    let session = engine.sessions().create("s", SessionOptions::default());
    assert_eq!(session.await.unwrap().level(), Level::Namespaces);
    let pty = engine.ptys().create("t", PtyOptions::default());
    assert_eq!(pty.await.unwrap().level(), Level::Namespaces);
    let context = engine.contexts().default_context();
    let code = "import os; print(os.getpid())";
    let execution = context.execute(code, ExecuteOptions::default()).unwrap();
    assert_eq!(ended(&execution).await.0, "2\n");
    let program = Program {
        language: Language::Python,
        code: code.to_owned(),
        argv: Vec::new(),
    };
    let outcome = engine
        .run_code(program, RunOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (text(&outcome).as_str(), outcome.level),
        ("2\n", Level::Namespaces)
    );
    // Another isolation takes the place of the default one.
    let options = RunOptions {
        isolation: Some(
            Isolation::builder()
                .bind("/opt", Access::Read)
                .build()
                .unwrap(),
        ),
        ..RunOptions::default()
    };
    engine.exec("true", options).await.unwrap();
}
