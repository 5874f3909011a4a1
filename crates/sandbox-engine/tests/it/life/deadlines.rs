//! A spawner that does not respond holds up no client without end.

use std::future::pending;
use std::pin::Pin;

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::ContextOptions;
use sandbox_engine::limits::SPAWN;
use sandbox_engine::spawner::{SpawnError, SpawnSpec, Spawned};
use sandbox_engine::{Engine, PtyOptions, RunOptions, SessionOptions, Spawner};
use tokio::time::Instant;

/// Never starts anything.
#[derive(Debug)]
struct Stuck;

impl Spawner for Stuck {
    fn spawn(
        &self,
        _: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_not_started_is_not_waited_for_without_end() {
    let engine = Engine::builder().spawner(Stuck).shell("/bin/sh");
    let engine = engine.cold().build().unwrap();
    let check = |refused: bool, began: Instant| {
        assert!(refused);
        assert_eq!(began.elapsed().as_secs(), SPAWN.as_secs());
    };
    let began = Instant::now();
    let made = engine
        .sessions()
        .create("s", SessionOptions::default())
        .await;
    check(made.is_err(), began);
    assert!(engine.sessions().get("s").is_none());

    let began = Instant::now();
    let run = engine.exec("true", RunOptions::default()).await;
    check(run.is_err(), began);

    let began = Instant::now();
    let options = ContextOptions::default();
    let made = engine.contexts().create(Language::Python, options).await;
    check(made.is_err(), began);

    // One that is deleted while it starts.
    let lazy = PtyOptions {
        is_lazy: true,
        ..PtyOptions::default()
    };
    let pty = engine.ptys().create("t", lazy).await.unwrap();
    let began = Instant::now();
    let starting = tokio::spawn({
        let (engine, pty) = (engine.clone(), pty.clone());
        async move { engine.ptys().start(&pty).await }
    });
    // The clock is set forward only when the other task cannot go on.
    tokio::time::sleep(SPAWN / 2).await;
    assert!(engine.ptys().delete("t").await);
    check(starting.await.unwrap().is_err(), began);
    assert!(engine.ptys().get("t").is_none());
}
