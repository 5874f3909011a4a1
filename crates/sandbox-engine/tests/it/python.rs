//! Python code, without charts.

use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{Engine, Environment, Outcome, RunOptions, Termination};

use crate::guard::{engine, text, within_a_limit};

fn python(code: &str, argv: &[&str]) -> Program {
    Program {
        language: Language::Python,
        code: code.to_owned(),
        argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
    }
}

async fn run(code: &str, argv: &[&str]) -> Outcome {
    engine()
        .run_code(python(code, argv), RunOptions::default())
        .await
        .unwrap()
}

async fn check(code: &str, exit_code: i32, output: &str) {
    let outcome = run(code, &[]).await;
    assert_eq!(text(&outcome), output, "{code}");
    assert_eq!(outcome.termination.exit_code(), Some(exit_code), "{code}");
}

#[tokio::test]
async fn programs_run_as_files_of_their_own() {
    check("print(1)", 0, "1\n").await;
    check(
        "import sys; print(__name__, sys.argv, '__file__' in globals())",
        0,
        "__main__ ['-'] True\n",
    )
    .await;
    check("import sys; sys.exit(3)", 3, "").await;
    check("import sys; sys.exit('bye')", 1, "bye\n").await;
    check("import sys; sys.exit(300)", 44, "").await;
    check("import os; os.kill(os.getpid(), 9)", 137, "").await;
    check("import sys; print(sys.path[0] == '')", 0, "True\n").await;
    check("if 1:\r\n\tprint('crlf')\r\n", 0, "crlf\n").await;
    check("print('é漢😀')", 0, "é漢😀\n").await;
    check(
        "import subprocess; print('1'); subprocess.run(['echo','2']); print('3')",
        0,
        "1\n2\n3\n",
    )
    .await;
    check("", 0, "").await;
}

#[tokio::test]
async fn arguments_are_verbatim() {
    let argv = ["a b", "; id", "$(id)", "*", "'\"", "", "-x", "é"];
    let outcome = run("import sys\nfor a in sys.argv[1:]: print(ascii(a))", &argv).await;
    let expect = "'a b'\n'; id'\n'$(id)'\n'*'\n'\\'\"'\n''\n'-x'\n'\\xe9'\n";
    assert_eq!(text(&outcome), expect);
}

#[tokio::test]
async fn tracebacks_quote_the_program_and_nothing_of_ours() {
    let outcome = run(
        "def f():\n    raise ValueError('boom')\nprint('before')\nf()",
        &[],
    )
    .await;
    let text = text(&outcome);
    assert_eq!(outcome.termination.exit_code(), Some(1), "{text}");
    assert!(
        text.starts_with("before\nTraceback (most recent call last):\n"),
        "{text}"
    );
    assert!(text.contains("line 4, in <module>\n    f()\n"), "{text}");
    assert!(
        text.contains("line 2, in f\n    raise ValueError('boom')\n"),
        "{text}"
    );
    assert!(
        text.ends_with("ValueError: boom\n") && !text.contains("sandbox>"),
        "{text}"
    );
}

#[tokio::test]
async fn time_limits_keep_the_output() {
    within_a_limit(async |limit| {
        let options = RunOptions {
            timeout: Some(limit),
            ..RunOptions::default()
        };
        let program = python("print('x'); import time; time.sleep(1000)", &[]);
        let outcome = engine().run_code(program, options).await.unwrap();
        assert_eq!(outcome.termination, Termination::TimedOut { limit });
        (text(&outcome) == "x\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_missing_python_names_what_to_install() {
    let mut environment = Environment::empty();
    environment.set("PATH", "/nonexistent");
    let engine = Engine::builder().environment(environment).build().unwrap();
    let error = engine
        .run_code(python("1", &[]), RunOptions::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, CodeError::Runtime(RuntimeError::Missing { .. })),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(
        message.contains("python3") && message.contains("apt-get install"),
        "{message}"
    );
}

#[tokio::test]
async fn a_broken_python_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let shim = directory.path().join("python3");
    std::fs::write(&shim, "#!/bin/sh\necho no such version >&2; exit 127\n").unwrap();
    make_executable(&shim);
    let engine = Engine::builder().python(&shim).build().unwrap();
    let error = engine
        .run_code(python("1", &[]), RunOptions::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, CodeError::Runtime(RuntimeError::Broken { .. })),
        "{error:?}"
    );
    assert!(error.to_string().contains("no such version"), "{error}");
}

#[tokio::test]
async fn a_shim_is_resolved_once_with_its_environment() {
    let directory = tempfile::tempdir().unwrap();
    let shim = directory.path().join("python3");
    let log = directory.path().join("log");
    let script = format!(
        "#!/bin/sh\necho run >> {}\nSHIMMED=yes exec /usr/bin/env python3 \"$@\"\n",
        log.display()
    );
    std::fs::write(&shim, script).unwrap();
    make_executable(&shim);
    let engine = Engine::builder().python(&shim).build().unwrap();
    for _ in 0..3 {
        let program = python("import os; print(os.environ['SHIMMED'])", &[]);
        let outcome = engine
            .run_code(program, RunOptions::default())
            .await
            .unwrap();
        assert_eq!(text(&outcome), "yes\n");
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "run\n");
}

#[tokio::test]
async fn a_shim_that_chooses_another_is_resolved_again() {
    let home = tempfile::tempdir().unwrap();
    let (shim, chosen) = (
        home.path().join("python3"),
        home.path().join(".tool-versions"),
    );
    let script =
        "#!/bin/sh\nCHOSEN=$(cat \"$HOME/.tool-versions\") exec /usr/bin/env python3 \"$@\"\n";
    std::fs::write(&shim, script).unwrap();
    make_executable(&shim);
    let mut environment = Environment::of_this_process();
    environment.set("HOME", home.path());
    let engine = Engine::builder().python(&shim).environment(environment);
    let engine = engine.build().unwrap();
    for version in ["one", "two"] {
        std::fs::write(&chosen, version).unwrap();
        for _ in 0..2 {
            let program = python("import os; print(os.environ['CHOSEN'])", &[]);
            let outcome = engine.run_code(program, RunOptions::default()).await;
            assert_eq!(text(&outcome.unwrap()), format!("{version}\n"));
        }
    }
    engine.shutdown().await;
}

fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn nothing_is_left_in_the_temporary_directory() {
    let outcome = run("print(__file__)", &[]).await;
    let file = std::path::PathBuf::from(text(&outcome).trim());
    assert!(file.ends_with("main.py") && file.is_absolute());
    assert!(!file.parent().unwrap().exists());
}
