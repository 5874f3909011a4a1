//! Ends that come at the same time, with real processes: every waiter gets a result, and nothing is left running.
//!
//! Each race runs for a moment; `SANDBOX_RACE_SECONDS` sets how long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteError, ExecuteOptions};
use sandbox_engine::{
    CommandOptions, Engine, PtyOptions, PtySize, ResizePtyError, SessionExecError, SessionOptions,
    Signal, SignalError, Termination,
};

use crate::guard::{engine, eventually, pid_of, unique_sleep};
use crate::session::{exited, output};

/// Rounds of a race, each with a pause of another length between its two sides.
struct Rounds {
    until: Instant,
    number: u32,
    longest: Duration,
}

impl Rounds {
    /// At least as many rounds as there are pauses.
    fn new(longest: Duration) -> Self {
        let seconds = std::env::var("SANDBOX_RACE_SECONDS");
        let seconds = seconds.map_or(0.4, |seconds| seconds.parse().unwrap());
        Self {
            until: Instant::now() + Duration::from_secs_f64(seconds),
            number: 0,
            longest,
        }
    }
}

impl Iterator for Rounds {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let goes_on = self.number < PAUSES || Instant::now() < self.until;
        goes_on.then(|| {
            // A permutation of the pauses, so that a short run meets short and long ones.
            let pause = self.longest * (self.number * 7 % PAUSES) / PAUSES;
            self.number += 1;
            pause
        })
    }
}

const PAUSES: u32 = 16;

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("{what} is waited for without end"))
}

/// Lets a moment pass that no event marks: the race is for what happens in it.
async fn pause(length: Duration) {
    let until = Instant::now() + length;
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
}

async fn session(engine: &Engine, shell: &str) -> sandbox_engine::Session {
    let options = SessionOptions {
        shell: Some(shell.into()),
        ..SessionOptions::default()
    };
    soon("a session", engine.sessions().create("s", options))
        .await
        .unwrap()
}

async fn a_session_is_deleted_while_its_shell_ends(shell: &'static str) {
    let engine = engine();
    for length in Rounds::new(Duration::from_millis(4)) {
        let session = session(&engine, shell).await;
        let sleep = unique_sleep();
        let text = format!("sleep {sleep} >/dev/null 2>&1 &");
        let start = |text: &str| session.execute(text, CommandOptions::default());
        soon("a command", start(&text).unwrap().ended()).await;
        eventually("the child", || pid_of(&sleep).is_some()).await;
        let last = start("exit 3").unwrap();
        // Refused if the shell has ended already.
        let waiting = start("echo waiting");
        pause(length).await;
        assert!(soon("a deletion", engine.sessions().delete("s")).await);
        assert_eq!(pid_of(&sleep), None, "{shell}: a child is left");
        let ended = soon("the last command", last.ended()).await;
        let killed = matches!(
            ended,
            Termination::Signaled { .. } | Termination::NotStarted { .. }
        );
        assert!(killed || ended == exited(3), "{shell}: {ended:?}");
        if let Ok(waiting) = waiting {
            let ended = soon("the waiting command", waiting.ended()).await;
            assert!(
                matches!(ended, Termination::NotStarted { .. }),
                "{shell}: {ended:?}"
            );
            assert_eq!(output(&waiting).await[0], "", "{shell}");
        }
    }
    soon("a shutdown", engine.shutdown()).await;
}
in_every_shell!(on_two_threads: a_session_is_deleted_while_its_shell_ends);

/// A caller with the result of the command that ended the shell never gets that shell.
async fn a_result_of_the_end_comes_after_the_end(shell: &'static str) {
    let engine = engine();
    let ends = [
        "exit 7",
        "exec sh -c 'exit 7'",
        "set -e; (exit 7)",
        "trap 'exit 7' EXIT; exit 3",
    ];
    let ends = ends.into_iter().cycle();
    for (_, text) in Rounds::new(Duration::ZERO).zip(ends) {
        let session = session(&engine, shell).await;
        let last = session.execute(text, CommandOptions::default()).unwrap();
        let waiting = session.execute("echo hi", CommandOptions::default());
        assert_eq!(
            soon("the end", last.ended()).await,
            exited(7),
            "{shell}: {text}"
        );
        let next = session.execute("echo hi", CommandOptions::default());
        assert!(
            matches!(next, Err(SessionExecError::Ended { .. })),
            "{shell}: {text}: {next:?}"
        );
        if let Ok(waiting) = waiting {
            let ended = soon("a waiting command", waiting.ended()).await;
            assert!(matches!(ended, Termination::NotStarted { .. }), "{ended:?}");
        }
        assert!(soon("a deletion", engine.sessions().delete("s")).await);
    }
    soon("a shutdown", engine.shutdown()).await;
}
in_every_shell!(on_two_threads: a_result_of_the_end_comes_after_the_end);

/// A shell that is killed between commands: a command has its own end, or has not been run.
async fn a_command_has_its_own_end_or_none(shell: &'static str) {
    let engine = engine();
    let mut ends = BTreeMap::<String, u32>::new();
    for length in Rounds::new(Duration::from_millis(3)) {
        let session = session(&engine, shell).await;
        let start = |text: &str| session.execute(text, CommandOptions::default());
        let pid = start("echo $$").unwrap();
        soon("a command", pid.ended()).await;
        let pid: i32 = output(&pid).await[0].trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let killer = tokio::spawn(async move {
            pause(length).await;
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
        });
        loop {
            let command = match start("echo hi") {
                Ok(command) => command,
                Err(SessionExecError::Ended { .. }) => break,
                Err(error) => panic!("{shell}: {error}"),
            };
            let ended = soon("a command", command.ended()).await;
            let said = output(&command).await;
            let kind = match &ended {
                Termination::Exited { code: 0 } => {
                    assert_eq!(said, ["hi\n", ""], "{shell}");
                    "exited"
                }
                Termination::NotStarted { .. } => {
                    assert_eq!(said, ["", ""], "{shell}");
                    "not started"
                }
                Termination::Signaled { signal: 9, .. } => "killed",
                ended => panic!("{shell}: {ended:?}"),
            };
            *ends.entry(kind.to_owned()).or_default() += 1;
            if kind != "exited" {
                assert!(session.ended().is_some(), "{shell}: {ended:?}");
            }
        }
        killer.await.unwrap();
        assert!(soon("a deletion", engine.sessions().delete("s")).await);
    }
    assert!(ends.contains_key("exited"), "{ends:?}");
    soon("a shutdown", engine.shutdown()).await;
}
in_every_shell!(on_two_threads: a_command_has_its_own_end_or_none);

async fn a_command_is_signaled_while_it_ends_or_its_session_is_deleted(shell: &'static str) {
    let engine = engine();
    for length in Rounds::new(Duration::from_millis(12)) {
        let session = session(&engine, shell).await;
        let texts = ["sleep 0.005; exit 4", "sleep 0.005", "sleep 60"];
        let text = texts[usize::try_from(length.as_micros()).unwrap() % texts.len()];
        let command = session.execute(text, CommandOptions::default()).unwrap();
        let signaled = async {
            pause(length).await;
            command.signal(Signal::KILL).await
        };
        let deleted = async {
            pause(length).await;
            engine.sessions().delete("s").await
        };
        let (signaled, deleted) = soon("both", async { tokio::join!(signaled, deleted) }).await;
        assert!(deleted);
        assert!(
            matches!(
                signaled,
                Ok(()) | Err(SignalError::Ended | SignalError::Queued | SignalError::NoProcess)
            ),
            "{signaled:?}"
        );
        soon("the command", command.ended()).await;
        assert!(session.ended().is_some());
    }
    soon("a shutdown", engine.shutdown()).await;
}
in_every_shell!(on_two_threads: a_command_is_signaled_while_it_ends_or_its_session_is_deleted);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_resized_and_deleted_while_its_shell_ends() {
    let engine = engine();
    for length in Rounds::new(Duration::from_millis(12)) {
        let create = engine.ptys().create("t", PtyOptions::default());
        let pty = soon("a terminal", create).await.unwrap();
        let mut shown = pty.output(None).unwrap();
        pty.input().write("exit 3\n".into()).await.unwrap();
        let resized = async {
            pause(length).await;
            pty.resize(PtySize::new(90, 30).unwrap()).await
        };
        let deleted = async {
            pause(length).await;
            engine.ptys().delete("t").await
        };
        let (resized, _) = soon("both", async { tokio::join!(resized, deleted) }).await;
        assert!(
            matches!(resized, Ok(()) | Err(ResizePtyError::Ended)),
            "{resized:?}"
        );
        let ended = soon("the terminal", pty.ended()).await;
        assert!(
            ended == exited(3) || matches!(ended, Termination::Signaled { .. }),
            "{ended:?}"
        );
        soon("its output", async {
            while shown.next().await.is_some() {}
        })
        .await;
        assert!(engine.ptys().list().is_empty());
    }
    soon("a shutdown", engine.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_is_deleted_while_its_code_ends() {
    let engine = engine();
    for length in Rounds::new(Duration::from_millis(10)) {
        let create = engine
            .contexts()
            .create(Language::Python, ContextOptions::default());
        let context = soon("a context", create).await.unwrap();
        let code = "import os; os._exit(3)";
        let execution = context.execute(code, ExecuteOptions::default()).unwrap();
        let waiting = context.execute("1", ExecuteOptions::default()).unwrap();
        pause(length).await;
        assert!(soon("a deletion", engine.contexts().delete(context.id())).await);
        for execution in [execution, waiting] {
            let ended = soon("code", execution.ended()).await;
            let is_known = matches!(
                ended.ending,
                Ending::WorkerEnded { .. }
                    | Ending::Deleted
                    | Ending::Completed
                    | Ending::NotStarted { .. }
            );
            assert!(is_known, "{ended:?}");
        }
        let late = context.execute("1", ExecuteOptions::default());
        assert!(matches!(late, Err(ExecuteError::Deleted)), "{late:?}");
    }
    soon("a shutdown", engine.shutdown()).await;
}
