//! Terminals.

use sandbox_engine::{Engine, Pty, PtyOptions, PtySize, PtyState, ResizePtyError, Termination};

use super::{Causes, Choices, EXITED, Fate, Open, Stage, Waiters, explore, settle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Settle,
    Output,
    Typing,
    Resizing,
    Exit,
    Deletion,
    Shutdown,
    Failure,
}

#[test]
fn a_terminal_ends_once_in_every_order() {
    explore(3, async |choices| run(choices).await);
}

async fn run(choices: &mut Choices) {
    use Happening::{Deletion, Exit, Failure, Output, Resizing, Settle, Shutdown, Typing};
    let stage = Stage::default();
    let engine = Engine::builder().spawner(stage.clone()).shell("/bin/sh");
    let engine = engine.cold().build().unwrap();
    let pty = engine
        .ptys()
        .create("t", PtyOptions::default())
        .await
        .unwrap();
    let mut waiters = Waiters::default();
    waiters.add("the end", ended(pty.clone()));
    waiters.add("what is shown", read(pty.clone()));

    let left = vec![Output, Typing, Resizing, Exit, Deletion, Shutdown, Failure];
    let mut open = Open::new(Settle, left);
    let mut causes = Causes::new();
    let may = |_: &Open<Happening>, what: Happening| {
        stage.plays() || !matches!(what, Output | Exit | Failure)
    };
    while let Some(happening) = open.next(choices, may) {
        match happening {
            Settle => {
                settle().await;
                causes.settled();
            }
            Output => stage.write(0, b"output"),
            Typing => waiters.add("typing", types(pty.clone())),
            Resizing => waiters.add("a change of size", resize(pty.clone())),
            Exit => stage.end(Fate::Exit(EXITED)),
            Failure => stage.end(Fate::Fail),
            Deletion => {
                let engine = engine.clone();
                waiters.add("a deletion", async move {
                    engine.ptys().delete("t").await;
                });
            }
            Shutdown => {
                let engine = engine.clone();
                waiters.add("a shutdown", async move { engine.shutdown().await });
            }
        }
        if matches!(happening, Exit | Failure | Deletion | Shutdown) {
            causes.add(happening);
        }
    }
    if causes.causes.is_empty() {
        assert!(engine.ptys().delete("t").await);
        causes.add(Deletion);
    }
    waiters.done().await;

    let PtyState::Ended(ended) = pty.state() else {
        panic!("{:?}", pty.state());
    };
    let is_lost = matches!(ended, Termination::Lost { .. });
    let explains = |cause: &Happening| match cause {
        Exit => ended == EXITED,
        Failure => is_lost,
        // It is killed, and may have exited meanwhile, or not be let die.
        _ => ended == EXITED || is_lost,
    };
    assert!(
        causes.causes.iter().any(explains),
        "{ended:?} of {:?}",
        causes.causes
    );
    assert_eq!(engine.ptys().list().len(), 0);
    // Its id is free.
    engine
        .ptys()
        .create("t", PtyOptions::default())
        .await
        .unwrap();
    stage.end(Fate::Exit(EXITED));
    settle().await;
    engine.shutdown().await;
}

async fn ended(pty: Pty) {
    let ended = pty.ended().await;
    assert_eq!(pty.state(), PtyState::Ended(ended));
}

async fn read(pty: Pty) {
    let mut output = pty.output(None).unwrap();
    while output.next().await.is_some() {}
    assert!(matches!(pty.state(), PtyState::Ended(_)));
}

async fn types(pty: Pty) {
    // Refused by one that has ended.
    let _ = pty.input().write("typed".into()).await;
}

async fn resize(pty: Pty) {
    let resized = pty.resize(PtySize::new(90, 30).unwrap()).await;
    assert!(
        matches!(resized, Ok(()) | Err(ResizePtyError::Ended)),
        "{resized:?}"
    );
}
