//! Limits of everything that an engine runs.

use sandbox_engine::code::{Language, Program};
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::resources::{Limit, Limits};
use sandbox_engine::{CommandOptions, Engine, PtyOptions, RunOptions, SessionOptions, Termination};

use super::{by, can, memory, options, usage};
use crate::guard::{builder, text};

fn python(code: &str) -> Program {
    Program {
        language: Language::Python,
        code: code.to_owned(),
        argv: Vec::new(),
    }
}

async fn in_session(engine: &Engine, id: &str, command: &str) -> Termination {
    let session = engine.sessions().get(id).unwrap();
    let command = session.execute(command, CommandOptions::default()).unwrap();
    command.ended().await
}

#[tokio::test]
async fn programs_are_limited() {
    let engine = builder().build().unwrap();
    // A program from the pool, so that the next one could be one as well.
    for _ in 0..2 {
        let outcome = engine
            .run_code(python("print(1)"), RunOptions::default())
            .await
            .unwrap();
        assert_eq!(text(&outcome), "1\n");
        assert!(usage(&outcome).user_time > std::time::Duration::ZERO);
    }
    let limits = Limits {
        open_files: Some(33),
        ..Limits::default()
    };
    let code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))";
    let outcome = engine
        .run_code(python(code), options(limits))
        .await
        .unwrap();
    assert_eq!(text(&outcome), "(33, 33)\n");
    let javascript = |code: &str| Program {
        language: Language::JavaScript,
        ..python(code)
    };
    // The first one prepares a spare process, in which the next one could run.
    let plain = RunOptions::default();
    if engine.run_code(javascript("1"), plain).await.is_ok() {
        let code = r"const text = require('fs').readFileSync('/proc/self/limits', 'utf8');
            console.log(/Max open files +(\d+)/.exec(text)[1])";
        let outcome = engine.run_code(javascript(code), options(limits)).await;
        assert_eq!(text(&outcome.unwrap()), "33\n");
    }
    if can(&engine, &[Limit::Memory]) {
        let grows = python("b = b'x' * (1 << 30)");
        let outcome = engine.run_code(grows, options(memory())).await.unwrap();
        assert_eq!(outcome.termination, by(Limit::Memory));
    }
}

#[tokio::test]
async fn a_session_is_limited_as_a_whole() {
    let engine = builder().build().unwrap();
    if !can(&engine, &[Limit::Memory]) {
        return;
    }
    let session = SessionOptions {
        limits: memory(),
        ..SessionOptions::default()
    };
    engine.sessions().create("s", session).await.unwrap();
    let run = async |command| in_session(&engine, "s", command).await;
    assert_eq!(run("x=1").await, Termination::Exited { code: 0 });
    assert_eq!(run("tail /dev/zero").await, by(Limit::Memory));
    // The session has survived, and one kill explains one end.
    assert_eq!(run("[ $x = 1 ]").await, Termination::Exited { code: 0 });
    assert_eq!(run("(exit 137)").await, Termination::Exited { code: 137 });
    // The shell itself.
    assert_eq!(run("while :; do x=$x$x; done").await, by(Limit::Memory));
    assert!(engine.sessions().delete("s").await);
}

#[tokio::test]
async fn a_terminal_and_a_context_are_limited() {
    let engine = builder().build().unwrap();
    if !can(&engine, &[Limit::Memory]) {
        return;
    }
    let terminal = PtyOptions {
        limits: memory(),
        ..PtyOptions::default()
    };
    let pty = engine.ptys().create("t", terminal).await.unwrap();
    let input = pty.input();
    input
        .write(bytes::Bytes::from_static(b"exec tail /dev/zero\n"))
        .await
        .unwrap();
    assert_eq!(pty.ended().await, by(Limit::Memory));

    let context = ContextOptions {
        limits: memory(),
        ..ContextOptions::default()
    };
    let context = engine
        .contexts()
        .create(Language::Python, context)
        .await
        .unwrap();
    let execute = async |code| {
        let execution = context.execute(code, ExecuteOptions::default()).unwrap();
        execution.ended().await.ending.clone()
    };
    let termination = by(Limit::Memory);
    assert_eq!(
        execute("b = b'x' * (1 << 30)").await,
        Ending::WorkerEnded { termination }
    );
    // The next worker has the limit as well.
    assert_eq!(execute("1").await, Ending::Completed);
    let termination = by(Limit::Memory);
    assert_eq!(
        execute("b = b'x' * (1 << 30)").await,
        Ending::WorkerEnded { termination }
    );
    engine.contexts().delete(context.id()).await;
}
