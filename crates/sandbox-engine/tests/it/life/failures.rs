//! A task that panics releases what it owns, and every caller that waits for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::spawner::{Direct, SpawnError, SpawnSpec, Spawned};
use sandbox_engine::{
    CommandOptions, CommandState, Engine, Environment, ExecError, PtyOptions, PtySize, PtyState,
    RunError, RunOptions, SessionEnd, SessionExecError, SessionOptions, Signal, SignalError,
    Spawner, Termination,
};
use tokio_util::sync::CancellationToken;

use crate::guard::{eventually, pid_of, unique_sleep};

/// Starts processes whose exits panic when the test says so, and with them the tasks that await them.
#[derive(Debug, Clone, Default)]
pub(super) struct Failing(Arc<Mutex<CancellationToken>>);

impl Failing {
    fn engine(&self) -> Engine {
        self.engine_with("/bin/bash")
    }

    pub(super) fn engine_with(&self, shell: &str) -> Engine {
        let mut environment = Environment::of_this_process();
        // So that no profile is read.
        environment.set("HOME", "/nonexistent");
        let engine = Engine::builder().spawner(self.clone()).shell(shell);
        let engine = engine.environment(environment);
        engine.cold().build().unwrap()
    }

    /// Fails the tasks of what was started so far.
    pub(super) fn fail(&self) {
        std::mem::take(&mut *self.0.lock().unwrap()).cancel();
    }
}

impl Spawner for Failing {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        let mut fails = Some(Box::pin(self.0.lock().unwrap().clone().cancelled_owned()));
        Box::pin(async move {
            let spawned = Direct::new().spawn(spec).await?;
            let mut exit = spawned.exit;
            let exit = poll_fn(move |context| {
                if let Some(failing) = &mut fails
                    && failing.as_mut().poll(context).is_ready()
                {
                    fails = None;
                    // Without the hook, which would print a trace.
                    std::panic::resume_unwind(Box::new("the test fails this task"));
                }
                exit.as_mut().poll(context)
            });
            Ok(Spawned {
                exit: Box::pin(exit),
                ..spawned
            })
        })
    }
}

/// What must happen, and soon.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("{what} is waited for without end"))
}

fn is_lost(termination: &Termination) -> bool {
    matches!(termination, Termination::Lost { .. })
}

#[tokio::test]
async fn a_session_whose_task_fails_has_ended() {
    let failing = Failing::default();
    let engine = failing.engine();
    let create = || engine.sessions().create("s", SessionOptions::default());
    let session = create().await.unwrap();
    let (behind, before) = (unique_sleep(), unique_sleep());
    let start = |text: &str| session.execute(text, CommandOptions::default());
    soon(
        "a command",
        start(&format!("sleep {behind} &")).unwrap().ended(),
    )
    .await;
    let running = start(&format!("sleep {before}")).unwrap();
    let queued = start("echo queued").unwrap();
    eventually("it runs", || pid_of(&before).is_some()).await;
    assert!(pid_of(&behind).is_some());

    failing.fail();
    let ended = soon("the running command", running.ended()).await;
    assert!(is_lost(&ended), "{ended:?}");
    let ended = soon("the queued command", queued.ended()).await;
    assert!(matches!(ended, Termination::NotStarted { .. }), "{ended:?}");
    let signaled = soon("a signal", running.signal(Signal::TERM)).await;
    assert_eq!(signaled, Err(SignalError::Ended));
    let Err(SessionExecError::Ended { end, .. }) = start("echo late") else {
        panic!("a session whose task failed takes commands");
    };
    assert!(matches!(end, SessionEnd::Shell { termination } if is_lost(&termination)));
    eventually("its processes end", || {
        pid_of(&behind).is_none() && pid_of(&before).is_none()
    })
    .await;
    // What it did can be looked at until it is deleted, which frees the id.
    assert_eq!(engine.sessions().get("s").unwrap().commands().len(), 3);
    assert!(soon("a deletion", engine.sessions().delete("s")).await);
    assert!(!engine.sessions().delete("s").await);
    create().await.unwrap();
    soon("a shutdown", engine.shutdown()).await;
}

#[tokio::test]
async fn a_session_whose_start_fails_is_not_there() {
    let failing = Failing::default();
    let engine = failing.engine();
    let stalled = tempfile::tempdir().unwrap();
    let shell = stalled.path().join("shell");
    let sleep = unique_sleep();
    std::fs::write(&shell, format!("#!/bin/sh\nexec sleep {sleep}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&shell, mode).unwrap();
    let options = SessionOptions {
        shell: Some(shell),
        ..SessionOptions::default()
    };
    let create = tokio::spawn({
        let engine = engine.clone();
        async move { engine.sessions().create("s", options).await }
    });
    eventually("it starts", || pid_of(&sleep).is_some()).await;
    failing.fail();
    assert!(soon("a session", create).await.unwrap().is_err());
    assert!(engine.sessions().get("s").is_none());
    eventually("its process ends", || pid_of(&sleep).is_none()).await;
    let again = engine.sessions().create("s", SessionOptions::default());
    soon("a session", again).await.unwrap();
    soon("a shutdown", engine.shutdown()).await;
}

#[tokio::test]
async fn a_terminal_whose_task_fails_has_ended() {
    let failing = Failing::default();
    let engine = failing.engine();
    let create = || engine.ptys().create("t", PtyOptions::default());
    let pty = create().await.unwrap();
    let sleep = unique_sleep();
    let mut output = pty.output(None).unwrap();
    let typed = format!("(trap '' HUP; sleep {sleep} & sleep {sleep})\n");
    pty.input().write(typed.into()).await.unwrap();
    eventually("it runs", || pid_of(&sleep).is_some()).await;

    failing.fail();
    let ended = soon("the terminal", pty.ended()).await;
    assert!(is_lost(&ended), "{ended:?}");
    assert_eq!(pty.state(), PtyState::Ended(ended));
    soon("its output", async {
        while output.next().await.is_some() {}
    })
    .await;
    let size = PtySize::new(90, 30).unwrap();
    assert!(soon("a change of size", pty.resize(size)).await.is_err());
    eventually("its processes end", || pid_of(&sleep).is_none()).await;
    assert!(!soon("a deletion", engine.ptys().delete("t")).await);
    create().await.unwrap();
    assert!(soon("a deletion", engine.ptys().delete("t")).await);
    soon("a shutdown", engine.shutdown()).await;
}

#[tokio::test]
async fn a_run_whose_task_fails_is_lost() {
    let failing = Failing::default();
    let engine = failing.engine();
    let sleep = unique_sleep();
    let command = format!("(setsid sleep {sleep} &); sleep {sleep}");
    let run = tokio::spawn({
        let (engine, command) = (engine.clone(), command.clone());
        async move { engine.exec(&command, RunOptions::default()).await }
    });
    eventually("it runs", || pid_of(&sleep).is_some()).await;
    failing.fail();
    let outcome = soon("a run", run).await.unwrap();
    assert!(
        matches!(outcome, Err(ExecError::Run(RunError::Lost(_)))),
        "{outcome:?}"
    );
    eventually("its processes end", || pid_of(&sleep).is_none()).await;

    let started = engine.start(&command, RunOptions::default()).await.unwrap();
    let mut log = started.record().follow(0).unwrap();
    eventually("it runs", || pid_of(&sleep).is_some()).await;
    failing.fail();
    let ended = soon("a command", started.ended()).await;
    assert!(is_lost(&ended), "{ended:?}");
    assert_eq!(started.state(), CommandState::Ended(ended));
    soon("its log", async { while log.next().await.is_some() {} }).await;
    eventually("its processes end", || pid_of(&sleep).is_none()).await;
    soon("a shutdown", engine.shutdown()).await;
}

#[tokio::test]
async fn a_context_whose_task_fails_is_removed() {
    let failing = Failing::default();
    let engine = failing.engine();
    let sleep = unique_sleep();
    let code = format!("import subprocess; subprocess.run(['sleep', '{sleep}'])");
    let make = || {
        engine
            .contexts()
            .create(Language::Python, ContextOptions::default())
    };

    // While it runs code, and more waits; and while it is idle.
    let context = make().await.unwrap();
    let idle = make().await.unwrap();
    let default = engine.contexts().default_context();
    let start = |code: &str| context.execute(code, ExecuteOptions::default()).unwrap();
    let first = default.execute("1", ExecuteOptions::default()).unwrap();
    assert_eq!(soon("code", first.ended()).await.ending, Ending::Completed);
    let (running, queued) = (start(&code), start("1"));
    eventually("it runs", || pid_of(&sleep).is_some()).await;
    failing.fail();
    let ended = soon("code that runs", running.ended()).await;
    assert!(
        matches!(&ended.ending, Ending::WorkerEnded { termination } if is_lost(termination)),
        "{ended:?}"
    );
    let ended = soon("code that waits", queued.ended()).await;
    assert_eq!(ended.ending, Ending::Deleted);
    for context in [&context, &idle, &default] {
        eventually("it has ended", || {
            context.execute("1", ExecuteOptions::default()).is_err()
        })
        .await;
        assert!(!soon("an interrupt", context.interrupt()).await);
        assert!(!soon("a restart", context.restart()).await);
    }
    eventually("they are removed", || engine.contexts().list().is_empty()).await;
    assert!(!soon("a deletion", engine.contexts().delete(context.id())).await);
    eventually("its processes end", || pid_of(&sleep).is_none()).await;
    // The default context is there without being made, so there is another one.
    let again = engine.contexts().default_context();
    let first = again.execute("1", ExecuteOptions::default()).unwrap();
    assert_eq!(soon("code", first.ended()).await.ending, Ending::Completed);
    soon("a shutdown", engine.shutdown()).await;
}
