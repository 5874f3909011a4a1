//! Interpreter contexts.

use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions, Ending, ExecuteOptions};

use super::{Choices, EXITED, Fate, Open, Stage, Waiters, explore, settle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Settle,
    /// Code is given; twice, so that one piece waits for the other.
    First,
    Second,
    /// The worker reports that the code has ended.
    Done,
    Exit,
    Interrupt,
    Restart,
    Deletion,
    Shutdown,
    Failure,
}

#[test]
fn a_context_ends_once_in_every_order() {
    explore(2, async |choices| run(choices).await);
}

async fn run(choices: &mut Choices) {
    use Happening::{
        Deletion, Done, Exit, Failure, First, Interrupt, Restart, Second, Settle, Shutdown,
    };
    let stage = Stage::default();
    let engine = Engine::builder()
        .spawner(stage.clone())
        .shell("/bin/sh")
        // It is not executed, but must be there.
        .python(std::env::current_exe().unwrap());
    let engine = engine.cold().build().unwrap();
    let context = engine
        .contexts()
        .create(Language::Python, ContextOptions::default())
        .await
        .unwrap();
    let id = context.id().to_owned();
    let mut waiters = Waiters::default();

    let left = vec![
        First, Second, Done, Exit, Interrupt, Restart, Deletion, Shutdown, Failure,
    ];
    let mut open = Open::new(Settle, left);
    let may = |open: &Open<Happening>, what: Happening| match what {
        Done | Exit | Failure => stage.plays(),
        // The order of the two makes no difference.
        Second => !open.has(First),
        _ => true,
    };
    while let Some(happening) = open.next(choices, may) {
        match happening {
            Settle => settle().await,
            First | Second => execute(&context, &mut waiters),
            Done => stage.write(4, b"\x01\0\0\0D"),
            Exit => stage.end(Fate::Exit(EXITED)),
            Failure => stage.end(Fate::Fail),
            Interrupt => {
                let context = context.clone();
                waiters.add("an interrupt", async move {
                    context.interrupt().await;
                });
            }
            Restart => {
                let context = context.clone();
                waiters.add("a restart", async move {
                    context.restart().await;
                });
            }
            Deletion => {
                let (engine, id) = (engine.clone(), id.clone());
                waiters.add("a deletion", async move {
                    engine.contexts().delete(&id).await;
                });
            }
            Shutdown => {
                let engine = engine.clone();
                waiters.add("a shutdown", async move { engine.shutdown().await });
            }
        }
    }
    engine.contexts().delete(&id).await;
    waiters.done().await;
    assert_eq!(engine.contexts().list().len(), 0);
    assert!(context.execute("late", ExecuteOptions::default()).is_err());
    assert!(!context.interrupt().await);
}

fn execute(context: &Context, waiters: &mut Waiters) {
    // Refused by one that was deleted.
    let Ok(execution) = context.execute("code", ExecuteOptions::default()) else {
        return;
    };
    waiters.add("code", async move {
        let ended = execution.ended().await;
        let is_known = matches!(
            ended.ending,
            Ending::Completed
                | Ending::Restarted
                | Ending::Deleted
                | Ending::WorkerEnded { .. }
                | Ending::NotStarted { .. }
        );
        assert!(is_known, "{ended:?}");
        let mut log = execution.record().follow(0).unwrap();
        while log.next().await.is_some() {}
        assert_eq!(execution.ended().await, ended);
    });
}
