//! Tests of how servers start and end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::code::{Language, Program};
use crate::limits::WARM_MESSAGE_BYTES;
use crate::warm::{World, versions};
use crate::{Engine, Environment, RunOptions};

async fn run(engine: &Engine, code: &str, argv: Vec<String>) -> String {
    let program = Program {
        language: Language::Python,
        code: code.to_owned(),
        argv,
    };
    let outcome = engine.run_code(program, RunOptions::default()).await;
    let output = outcome.unwrap().output.merged.to_vec();
    String::from_utf8(output).unwrap()
}

/// Prints the id of the parent, by words that the scan of the text does not know.
const PARENT: &str = "import os; print(getattr(os, 'getp' + 'pid')())";

async fn is_warm(engine: &Engine, argv: Vec<String>) -> bool {
    run(engine, PARENT, argv).await.trim() != std::process::id().to_string()
}

async fn server(engine: &Engine) -> Option<Arc<Server>> {
    match &engine.programs().warm().unwrap().slots()[Stage::Bare as usize] {
        Slot::Ready(_, server) => Some(Arc::clone(server)),
        _ => None,
    }
}

async fn with_server() -> Engine {
    let engine = Engine::builder().build().unwrap();
    assert!(
        !is_warm(&engine, vec![]).await,
        "nothing is kept before it was used"
    );
    eventually(async || server(&engine).await.is_some()).await;
    engine
}

async fn eventually(condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "it did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_second_program_is_warm() {
    let engine = with_server().await;
    assert!(is_warm(&engine, vec![]).await);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_does_not_fit_a_message_starts_cold() {
    let engine = with_server().await;
    let long = |bytes: usize| vec!["x".repeat(bytes)];
    assert!(is_warm(&engine, long(WARM_MESSAGE_BYTES / 2)).await);
    assert!(!is_warm(&engine, long(WARM_MESSAGE_BYTES)).await);
    assert!(is_warm(&engine, vec![]).await);
    engine.shutdown().await;
}

#[tokio::test]
async fn an_unused_server_ends() {
    let engine = with_server().await;
    let Slot::Ready(key, _) = std::mem::take(&mut engine.programs().warm().unwrap().slots()[0])
    else {
        panic!("there is a server");
    };
    let impatient = Arc::new(Warm {
        slots: Mutex::default(),
        idle: Duration::from_millis(200),
        spares: Spares::new(),
    });
    impatient.slots()[0] = Slot::Wanted(key);
    impatient.prepare(Stage::Bare, engine.core().launcher());
    let held = Mutex::new(Weak::new());
    eventually(async || match &impatient.slots()[0] {
        Slot::Ready(_, server) => {
            *held.lock().unwrap() = Arc::downgrade(server);
            true
        }
        _ => false,
    })
    .await;
    eventually(async || held.lock().unwrap().upgrade().is_none()).await;
    assert!(matches!(impatient.slots()[0], Slot::Empty));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_server_that_does_not_respond_costs_only_time() {
    let engine = with_server().await;
    // Its parent is the server.
    let pid: i32 = run(&engine, PARENT, vec![]).await.trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    assert!(!is_warm(&engine, vec![]).await);
    eventually(async || rustix::process::test_kill_process(pid).is_err()).await;
    eventually(async || is_warm(&engine, vec![]).await).await;
    // A server that dies, too.
    let pid: i32 = run(&engine, PARENT, vec![]).await.trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    assert!(!is_warm(&engine, vec![]).await);
    eventually(async || is_warm(&engine, vec![]).await).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_program_outlives_its_server() {
    let engine = Engine::builder().reap_orphans().build().unwrap();
    eventually(async || is_warm(&engine, vec![]).await).await;
    for signal in ["SIGKILL", "SIGSTOP"] {
        let code = format!(
            "import os, signal, sys, time\n\
             os.kill(getattr(os, 'getp' + 'pid')(), signal.{signal})\ntime.sleep(0.3)\nprint('on')\nsys.exit(5)"
        );
        let program = Program {
            language: Language::Python,
            code,
            argv: vec![],
        };
        let outcome = engine
            .run_code(program, RunOptions::default())
            .await
            .unwrap();
        assert_eq!(outcome.output.merged.to_vec(), b"on\n");
        assert_eq!(outcome.termination.exit_code(), Some(5), "{signal}");
        eventually(async || is_warm(&engine, vec![]).await).await;
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn an_interpreter_that_is_not_fit_is_left_alone_for_a_while() {
    let mut environment = Environment::of_this_process();
    environment.set("PYTHONUTF8", "1");
    let directory = tempfile::tempdir().unwrap();
    let wrapper = directory.path().join("python3");
    // Every start writes to stderr.
    std::fs::write(&wrapper, "#!/bin/sh\necho noise >&2\nexec python3 \"$@\"\n").unwrap();
    let key = Key {
        world: World::now(versions(&environment, directory.path())),
        program: wrapper.clone(),
        env: environment,
        cwd: directory.path().into(),
    };
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&wrapper, mode).unwrap();
    let engine = Engine::builder().build().unwrap();
    let warm = Arc::clone(engine.programs().warm().unwrap());
    warm.slots()[Stage::Bare as usize] = Slot::Wanted(key.clone());
    warm.prepare(Stage::Bare, engine.core().launcher());
    let is_unfit =
        || matches!(&warm.slots()[Stage::Bare as usize], Slot::Unfit(of, _) if *of == key);
    eventually(async || is_unfit()).await;
    warm.prepare(Stage::Bare, engine.core().launcher());
    assert!(is_unfit());
    engine.shutdown().await;
}
