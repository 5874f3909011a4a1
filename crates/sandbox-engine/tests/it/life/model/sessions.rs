//! Shell sessions: the shells are real, since what is said to them is, and the test lets their commands go on.

use std::path::Path;
use std::time::Duration;

use sandbox_engine::{
    Command, CommandOptions, CommandState, Engine, Session, SessionEnd, SessionOptions, Signal,
    SignalError, Termination,
};

use super::super::failures::Failing;
use super::{Choices, Open, Waiters, explore};
use crate::session::{exited, output};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Settle,
    /// A command that goes on when the test says so.
    Command,
    /// It goes on to its end, which is reported.
    Report,
    /// A command that ends the shell.
    Ending,
    Signal,
    /// The shell is killed.
    Death,
    Deletion,
    Shutdown,
    Failure,
}

#[test]
fn a_session_ends_once_in_every_order() {
    explore(2, async |choices| {
        // The clock is the kernel's: the shells do not wait for ours.
        tokio::time::resume();
        run(choices).await;
    });
}

async fn run(choices: &mut Choices) {
    use Happening::{Death, Deletion, Ending, Failure, Report, Settle, Shutdown};
    let failing = Failing::default();
    let engine = failing.engine_with("/bin/dash");
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &gate,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    // Held, so that neither side waits in `open`.
    let held = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&gate)
        .unwrap();
    let session = engine.create_session("s", SessionOptions::default());
    let session = session.await.unwrap();
    let pid = session
        .execute("echo $$", CommandOptions::default())
        .unwrap();
    pid.ended().await;
    let pid: i32 = output(&pid).await[0].trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();

    let mut waiters = Waiters::default();
    let mut commands = Vec::new();
    let left = vec![
        Happening::Command,
        Report,
        Ending,
        Happening::Signal,
        Death,
        Deletion,
        Shutdown,
        Failure,
    ];
    let mut open = Open::new(Settle, left);
    let may = |open: &Open<Happening>, what: Happening| {
        !open.has(Happening::Command) || !matches!(what, Report | Happening::Signal)
    };
    while let Some(happening) = open.next(choices, may) {
        match happening {
            // Only makes another order likely; nothing depends on how much happens meanwhile.
            Settle => tokio::time::sleep(Duration::from_millis(3)).await,
            Happening::Command => give(&session, &waiting_for(&gate), &mut commands, &mut waiters),
            Report => {
                use std::io::Write;
                (&held).write_all(b"go\n").unwrap();
            }
            Ending => give(&session, "exit 3", &mut commands, &mut waiters),
            Happening::Signal => {
                if let Some(command) = commands.first().cloned() {
                    waiters.add("a signal", signal(command));
                }
            }
            // It may have ended.
            Death => drop(rustix::process::kill_process(pid, Signal::KILL)),
            Failure => failing.fail(),
            Deletion => waiters.add("a deletion", delete(engine.clone())),
            Shutdown => {
                let engine = engine.clone();
                waiters.add("a shutdown", async move { engine.shutdown().await });
            }
        }
    }
    let deleted = tokio::time::timeout(Duration::from_secs(20), engine.delete_session("s")).await;
    deleted.expect("a deletion is waited for without end");
    waiters.done().await;

    let end = session.ended().expect("an end");
    for command in &commands {
        let CommandState::Ended(ended) = command.state() else {
            panic!("{command:?}");
        };
        let is_possible = match &ended {
            Termination::Exited { code: 0 } => command.text() != "exit 3",
            Termination::Exited { code: 3 } => {
                command.text() == "exit 3" && matches!(end, SessionEnd::Shell { .. })
            }
            Termination::Signaled { .. }
            | Termination::NotStarted { .. }
            | Termination::Lost { .. } => true,
            ended => *ended == exited(137) || *ended == exited(143),
        };
        assert!(is_possible, "{}: {ended:?} in {end:?}", command.text());
    }
    // Nothing is left, and the id is free.
    assert!(rustix::process::test_kill_process(pid).is_err() || is_zombie(pid));
    let again = engine.create_session("s", SessionOptions::default()).await;
    if again.is_ok() {
        assert!(engine.delete_session("s").await);
    }
    tokio::time::timeout(Duration::from_secs(20), engine.shutdown())
        .await
        .expect("a shutdown is waited for without end");
}

fn waiting_for(gate: &Path) -> String {
    format!("read word <{}", gate.display())
}

fn give(session: &Session, text: &str, commands: &mut Vec<Command>, waiters: &mut Waiters) {
    // Refused by a session that has ended.
    let Ok(command) = session.execute(text, CommandOptions::default()) else {
        assert!(session.ended().is_some());
        return;
    };
    commands.push(command.clone());
    let session = session.clone();
    waiters.add("a command", async move {
        let ended = command.ended().await;
        if command.text() == "exit 3" {
            assert!(
                session.ended().is_some(),
                "{ended:?} is seen before the end"
            );
        }
        let mut log = command.record().follow(0).unwrap();
        while log.next().await.is_some() {}
        assert_eq!(command.state(), CommandState::Ended(ended));
    });
}

async fn signal(command: Command) {
    let sent = command.signal(Signal::TERM).await;
    let is_known = matches!(sent, Ok(()) | Err(SignalError::Ended | SignalError::Queued));
    assert!(is_known, "{sent:?}");
}

async fn delete(engine: Engine) {
    engine.delete_session("s").await;
}

/// One whose task failed is reaped when nothing waits for it any more.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}
