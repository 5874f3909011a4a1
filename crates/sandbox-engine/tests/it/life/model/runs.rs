//! Commands that are processes of their own.

use std::time::Duration;

use sandbox_engine::record::Piece;
use sandbox_engine::{Command, CommandState, Engine, RunOptions, Signal, SignalError, Termination};

use super::{Causes, Choices, EXITED, Fate, Open, Stage, Waiters, explore, settle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Settle,
    Output,
    Exit,
    Signal,
    TimeLimit,
    Shutdown,
    Failure,
}

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_run_ends_once_in_every_order() {
    explore(3, async |choices| run(choices).await);
}

async fn run(choices: &mut Choices) {
    use Happening::{Exit, Failure, Output, Settle, Shutdown, TimeLimit};
    let stage = Stage::default();
    let engine = Engine::builder().spawner(stage.clone()).shell("/bin/sh");
    let engine = engine.cold().build().unwrap();
    let options = RunOptions {
        timeout: Some(LIMIT),
        ..RunOptions::default()
    };
    let command = engine.start("played", options).await.unwrap();
    let mut waiters = Waiters::default();
    waiters.add("the end", ended(command.clone()));
    waiters.add("the log", read(command.clone()));

    let mut open = Open::new(
        Settle,
        vec![
            Output,
            Exit,
            Happening::Signal,
            TimeLimit,
            Shutdown,
            Failure,
        ],
    );
    let mut causes = Causes::new();
    let mut written = 0;
    let may = |_: &Open<Happening>, what: Happening| {
        stage.plays() || !matches!(what, Output | Exit | Failure)
    };
    while let Some(happening) = open.next(choices, may) {
        match happening {
            Settle => {
                settle().await;
                causes.settled();
            }
            Output => {
                stage.write(1, b"output");
                if causes.causes.is_empty() {
                    written += 6;
                }
            }
            Exit => {
                stage.end(Fate::Exit(EXITED));
                causes.add(Exit);
            }
            Failure => {
                stage.end(Fate::Fail);
                causes.add(Failure);
            }
            Happening::Signal => waiters.add("a signal", signal(command.clone())),
            TimeLimit => {
                // Whatever else has happened was first.
                causes.settled();
                // A little longer, so that its task has seen it.
                tokio::time::sleep(LIMIT + Duration::from_millis(10)).await;
                causes.add(TimeLimit);
                causes.settled();
            }
            Shutdown => {
                let engine = engine.clone();
                waiters.add("a shutdown", async move { engine.shutdown().await });
                causes.add(Shutdown);
            }
        }
    }
    if causes.causes.is_empty() {
        stage.end(Fate::Exit(EXITED));
        causes.add(Exit);
    }
    waiters.done().await;

    check(&command, &causes, written);
    let state = command.state();
    settle().await;
    assert_eq!(command.state(), state);
}

/// Checks that a command has ended by one of the causes.
fn check(command: &Command, causes: &Causes<Happening>, written: u64) {
    use Happening::{Exit, Failure, Shutdown, TimeLimit};
    let CommandState::Ended(ended) = command.state() else {
        panic!("{:?}", command.state());
    };
    let is_lost = matches!(ended, Termination::Lost { .. });
    let explains = |cause: &Happening| match cause {
        Exit => ended == EXITED,
        Failure => is_lost,
        // It is killed, and may have exited meanwhile, or not be let die.
        Shutdown => ended == EXITED || is_lost,
        TimeLimit => ended == Termination::TimedOut { limit: LIMIT } || is_lost,
        _ => false,
    };
    assert!(
        causes.causes.iter().any(explains),
        "{ended:?} of {:?}",
        causes.causes
    );
    if ended == EXITED && causes.causes == [Exit] {
        assert!(command.record().length() >= written, "output is lost");
    }
}

async fn ended(command: Command) {
    let ended = command.ended().await;
    assert_eq!(command.state(), CommandState::Ended(ended));
}

async fn read(command: Command) {
    let mut log = command.record().follow(0).unwrap();
    while let Some(piece) = log.next().await {
        assert!(matches!(piece, Piece::Data { .. }), "{piece:?}");
    }
    assert!(matches!(command.state(), CommandState::Ended(_)));
}

async fn signal(command: Command) {
    let sent = command.signal(Signal::TERM).await;
    assert!(matches!(sent, Ok(()) | Err(SignalError::Ended)), "{sent:?}");
}
