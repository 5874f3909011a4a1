//! Tests of how translators start and end.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::*;
use crate::Engine;
use crate::procfs::{self, Stat};
use crate::termination::Termination;

/// A pool with an engine to start its processes.
struct Pool {
    engine: Engine,
    translators: Arc<Translators>,
}

impl Pool {
    fn new(change: impl FnOnce(&mut Bounds)) -> Self {
        let mut bounds = Bounds::default();
        change(&mut bounds);
        Self {
            engine: Engine::builder().build().unwrap(),
            translators: Translators::bounded(bounds),
        }
    }

    /// Requests the translation of a TypeScript program.
    async fn ask(&self, code: &str) -> Result<Vec<u8>, Fault> {
        let request = [b"\0", code.as_bytes()];
        self.translators
            .ask(self.engine.core().launcher(), &request)
            .await
    }

    async fn works(&self) {
        let response = self.ask("let a: number = 1").await.unwrap();
        // The program is no module, and requires nothing.
        assert!(response.starts_with(b"\x000\0let a = 1"), "{response:?}");
    }

    /// Returns the processes that wait for a request.
    fn idle(&self) -> Vec<u32> {
        let idle = self.translators.idle();
        idle.iter().map(|process| process.pid).collect()
    }

    async fn end(&self) {
        self.engine.shutdown().await;
    }
}

fn signal(pid: u32, signal: Signal) {
    kill_process(procfs::process_id(pid).unwrap(), signal).unwrap();
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the process is reaped: it is not even a zombie.
async fn is_reaped(pid: u32) {
    eventually("it is reaped", || Stat::of(pid).is_none()).await;
}

/// Stops a process and waits until it is stopped.
async fn stop(pid: u32) {
    signal(pid, Signal::STOP);
    eventually("it is stopped", || {
        Stat::of(pid).is_some_and(|stat| stat.state == b'T')
    })
    .await;
}

#[tokio::test]
async fn one_process_does_all_that_comes_one_by_one() {
    let pool = Pool::new(|_| ());
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    for _ in 0..20 {
        pool.works().await;
    }
    assert_eq!(pool.idle(), [pid]);
    assert_ne!(pid, std::process::id());
    pool.end().await;
    is_reaped(pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_so_many_work_at_a_time() {
    let pool = Arc::new(Pool::new(|bounds| bounds.processes = 3));
    let many: Vec<_> = (0..40)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.works().await })
        })
        .collect();
    for one in many {
        one.await.unwrap();
    }
    assert!((1..=3).contains(&pool.idle().len()), "{:?}", pool.idle());
    assert!(Bounds::default().processes <= TRANSLATORS);
    pool.engine.shutdown().await;
}

#[tokio::test]
async fn programs_that_are_too_deep_end_only_their_translator() {
    let pool = Pool::new(|_| ());
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    for code in [
        "[".repeat(1_000_000),
        "a=>".repeat(1_000_000),
        "a?".repeat(1_000_000),
    ] {
        let fault = pool.ask(&code).await.unwrap_err();
        assert!(matches!(fault, Fault::TooDeep), "{fault:?}");
        assert!(pool.idle().is_empty());
        pool.works().await;
    }
    is_reaped(pid).await;
    pool.end().await;
}

/// Node.js reads sums of a million terms; what else it reads has at most some 20,000 levels.
#[tokio::test]
async fn the_stack_is_as_large_as_generated_code_needs() {
    let sum = format!("1{}", "+1".repeat(200_000));
    let levels = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let pool = Pool::new(|_| ());
    for code in [&sum, &levels] {
        pool.ask(code).await.unwrap();
    }
    pool.end().await;
    let small = Pool::new(|bounds| bounds.settings.stack_bytes = 2 * 1024 * 1024);
    let fault = small.ask(&levels).await.unwrap_err();
    assert!(matches!(fault, Fault::TooDeep), "{fault:?}");
    small.end().await;
}

#[tokio::test]
async fn a_translator_without_memory_ends_alone() {
    let pool = Pool::new(|bounds| {
        bounds.settings.memory_bytes = 256 * 1024 * 1024;
        bounds.settings.stack_bytes = 16 * 1024 * 1024;
    });
    let fault = pool.ask(&"1,".repeat(4 << 20)).await.unwrap_err();
    assert!(matches!(fault, Fault::TooLarge), "{fault:?}");
    pool.works().await;
    pool.end().await;
}

#[tokio::test]
async fn a_response_is_bounded() {
    let pool = Pool::new(|bounds| bounds.response_bytes = 1000);
    let fault = pool.ask(&"a;".repeat(1000)).await.unwrap_err();
    assert!(matches!(fault, Fault::TooLarge), "{fault:?}");
    pool.works().await;
    pool.end().await;
}

#[tokio::test]
async fn work_has_a_deadline() {
    let pool = Pool::new(|bounds| bounds.time = Duration::from_secs(30));
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    stop(pid).await;
    let hurried = Pool {
        engine: pool.engine.clone(),
        translators: Translators::bounded(Bounds {
            time: Duration::from_millis(50),
            ..pool.translators.bounds
        }),
    };
    hurried
        .translators
        .idle()
        .append(&mut pool.translators.idle());
    let fault = hurried.ask("1").await.unwrap_err();
    assert!(matches!(fault, Fault::TooSlow { .. }), "{fault:?}");
    is_reaped(pid).await;
    pool.works().await;
    pool.end().await;
}

#[tokio::test]
async fn a_request_waits_for_its_turn_and_not_for_ever() {
    let pool = Pool::new(|bounds| {
        bounds.processes = 1;
        bounds.wait = Duration::from_millis(50);
    });
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    stop(pid).await;
    let mut first = std::pin::pin!(pool.works());
    let second = tokio::select! {
        biased;
        () = &mut first => panic!("a stopped process does not work"),
        fault = pool.ask("1") => fault.unwrap_err(),
    };
    assert!(
        matches!(second, Fault::NotStarted(SpawnError::Exhausted(_))),
        "{second:?}"
    );
    signal(pid, Signal::CONT);
    first.await;
    assert_eq!(pool.idle(), [pid]);
    pool.end().await;
}

#[tokio::test]
async fn a_translator_that_is_killed_fails_its_request_only() {
    let pool = Pool::new(|_| ());
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    stop(pid).await;
    let mut asked = std::pin::pin!(pool.ask("let a: number = 1"));
    let fault = tokio::select! {
        biased;
        fault = &mut asked => panic!("a stopped process does not work: {fault:?}"),
        () = async { signal(pid, Signal::KILL) } => asked.await.unwrap_err(),
    };
    assert!(matches!(fault, Fault::Failed { .. }), "{fault:?}");
    is_reaped(pid).await;
    pool.works().await;
    // A process that is killed while idle fails no request.
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    signal(pid, Signal::KILL);
    is_reaped(pid).await;
    pool.works().await;
    pool.end().await;
}

#[tokio::test]
async fn a_request_that_is_dropped_ends_its_translator() {
    let pool = Pool::new(|_| ());
    pool.works().await;
    let [pid] = pool.idle()[..] else {
        panic!("one is idle")
    };
    stop(pid).await;
    {
        let mut asked = std::pin::pin!(pool.ask("1"));
        tokio::select! {
            biased;
            _ = &mut asked => panic!("a stopped process does not work"),
            () = async {} => {}
        }
    }
    is_reaped(pid).await;
    pool.works().await;
    pool.end().await;
}

#[tokio::test]
async fn an_unused_translator_ends() {
    let pool = Pool::new(|bounds| bounds.settings.idle = Duration::from_millis(50));
    pool.works().await;
    eventually("none is idle", || pool.idle().is_empty()).await;
    // Whatever stage of its end a request meets, it gets a response.
    for _ in 0..20 {
        pool.works().await;
        tokio::time::sleep(Duration::from_millis(48)).await;
    }
    pool.end().await;
}

#[tokio::test]
async fn a_translator_without_a_request_or_at_work_is_not_idle() {
    // A process takes longer to get its first request than this, and to translate it.
    let pool = Pool::new(|bounds| bounds.settings.idle = Duration::from_millis(1));
    for _ in 0..5 {
        pool.works().await;
        eventually("none is idle", || pool.idle().is_empty()).await;
    }
    pool.end().await;
}

#[tokio::test]
async fn a_translator_that_has_grown_ends() {
    let pool = Pool::new(|bounds| bounds.settings.resident_bytes = 0);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        pool.works().await;
        seen.extend(pool.idle());
    }
    for pid in seen {
        is_reaped(pid).await;
    }
    assert!(pool.idle().is_empty());
    pool.end().await;
}

/// As when the engine is killed: nothing is left to end it, and it works on something long.
#[tokio::test]
async fn the_end_of_its_socket_ends_a_translator_at_work() {
    let engine = Engine::builder().build().unwrap();
    let (mut line, theirs) = UnixStream::pair().unwrap();
    let spec = process::spec(Settings::default(), theirs.into()).unwrap();
    let spawned = engine.core().launcher().spawn(spec).await.unwrap();
    let code = "1,".repeat(8 << 20);
    line.write_all(&(code.len() as u64 + 1).to_le_bytes())
        .unwrap();
    line.write_all(b"\0").unwrap();
    line.write_all(code.as_bytes()).unwrap();
    drop(line);
    let ended = timeout(Duration::from_secs(60), spawned.exit).await;
    let ended = ended.expect("it ends").unwrap();
    assert_eq!(ended.termination, Termination::Exited { code: 0 });
}
