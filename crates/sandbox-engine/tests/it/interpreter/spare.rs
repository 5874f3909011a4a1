//! Contexts whose worker was started before them: nothing shows it but its process id and start time.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions};
use sandbox_engine::resources::Limits;
use sandbox_engine::{Engine, Environment};

use super::{make, run};
use crate::guard::{builder, eventually};

const PID: &str = "import os; print(os.getpid())";

/// Returns the process id of the spare that is there after code has ended.
async fn spare(engine: &Engine) -> u32 {
    let context = make(engine, Language::Python).await;
    run(&context, "1").await;
    eventually("a spare", || engine.contexts().spare().is_some()).await;
    engine.contexts().spare().unwrap()
}

async fn pid(context: &Context) -> u32 {
    run(context, PID).await.trim().parse().unwrap()
}

async fn in_directory(engine: &Engine, directory: &Path) -> Context {
    let options = ContextOptions {
        cwd: Some(directory.to_owned()),
        ..ContextOptions::default()
    };
    let made = engine.contexts().create(Language::Python, options);
    made.await.unwrap()
}

fn environment(home: &Path) -> Environment {
    let mut environment = Environment::of_this_process();
    environment.set("HOME", home);
    // What the machine that tests sets of Python's would make every context start cold.
    let names: Vec<_> = environment
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in names
        .iter()
        .filter(|name| name.to_string_lossy().starts_with("PYTHON"))
    {
        environment.remove(name);
    }
    environment
}

/// Everything of an interpreter that a start could make differ.
const STATE: &str = "
import os, sys, gc, signal, threading, locale, time
print(sys.flags, sys.argv, sys.orig_argv, sys.path, sys.stdin, sys.stdout.encoding, sys.stderr.errors)
print(sorted(sys.modules), sorted(globals()), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count())
print(sorted(os.environ.items()), os.getcwd(), os.umask(0o77), os.getpgid(0) == os.getpid(), os.getsid(0))
print(sorted(os.listdir('/proc/self/fd')), [os.readlink('/proc/self/fd/0')], os.listdir('/proc/self/task').__len__())
print([signal.getsignal(number) for number in sorted(signal.valid_signals())], threading.enumerate().__len__())
print(locale.getlocale(), time.tzname, sys.getrecursionlimit(), len(sys.meta_path), sys.path_hooks.__len__())
print(sorted(sys.path_importer_cache), os.nice(0), open('/proc/self/cmdline').read(), os.getppid())
print(open('/proc/self/oom_score_adj').read(), open('/proc/self/limits').read().replace(open('/proc/self/limits').read(), ''))
";

#[tokio::test]
async fn a_context_takes_a_process_of_its_own_that_is_as_a_new_one() {
    let home = tempfile::tempdir().unwrap();
    let engine = builder()
        .environment(environment(home.path()))
        .build()
        .unwrap();
    let cold = make(&engine, Language::Python).await;
    let as_new = run(&cold, STATE).await;
    eventually("a spare", || engine.contexts().spare().is_some()).await;
    let waiting = engine.contexts().spare().unwrap();
    let warm = make(&engine, Language::Python).await;
    let address = |text: &str| {
        let parts = text
            .split("0x")
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        parts.collect::<Vec<_>>().join("")
    };
    assert_eq!(address(&run(&warm, STATE).await), address(&as_new));
    assert_eq!(pid(&warm).await, waiting);
    // Each has a seed of its own.
    let hash = "print(hash('a'))";
    assert_ne!(run(&warm, hash).await, run(&cold, hash).await);
    let next = spare(&engine).await;
    assert_ne!(next, waiting);
    engine.shutdown().await;
    assert!(!Path::new(&format!("/proc/{next}")).exists());
}

#[tokio::test]
async fn a_worker_that_would_differ_is_not_taken() {
    let home = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("d");
    std::fs::create_dir(&directory).unwrap();
    let engine = builder()
        .environment(environment(home.path()))
        .build()
        .unwrap();

    // Another directory, and then one of the same name.
    let before = spare(&engine).await;
    let there = in_directory(&engine, &directory).await;
    assert_ne!(pid(&there).await, before);
    eventually("a spare for the latest", || {
        engine.contexts().spare().is_some()
    })
    .await;
    let before = engine.contexts().spare().unwrap();
    std::fs::rename(&directory, place.path().join("e")).unwrap();
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("new"), "").unwrap();
    let there = in_directory(&engine, &directory).await;
    assert_ne!(pid(&there).await, before);
    assert_eq!(run(&there, "print(os.listdir('.'))").await, "['new']\n");

    // Limits.
    let before = spare(&engine).await;
    let limits = Limits {
        open_files: Some(200),
        ..Limits::default()
    };
    let options = ContextOptions {
        limits,
        ..ContextOptions::default()
    };
    let limited = engine.contexts().create(Language::Python, options).await;
    assert_ne!(pid(&limited.unwrap()).await, before);

    // A package that is installed with a path of its own.
    let before = spare(&engine).await;
    let c = make(&engine, Language::Python).await;
    assert_eq!(pid(&c).await, before);
    let site = run(&c, "import site; print(site.getusersitepackages())").await;
    spare(&engine).await;
    std::fs::create_dir_all(site.trim()).unwrap();
    std::fs::write(
        Path::new(site.trim()).join("x.pth"),
        place.path().to_str().unwrap(),
    )
    .unwrap();
    let c = make(&engine, Language::Python).await;
    let seen = format!(
        "import sys; print({:?} in sys.path)",
        place.path().to_str().unwrap()
    );
    assert_eq!(run(&c, &seen).await, "True\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_dies_or_stops_costs_only_time() {
    let home = tempfile::tempdir().unwrap();
    let engine = builder()
        .environment(environment(home.path()))
        .build()
        .unwrap();
    for signal in [Signal::KILL, Signal::STOP] {
        let before = spare(&engine).await;
        let process = Pid::from_raw(before.try_into().unwrap()).unwrap();
        kill_process(process, signal).unwrap();
        let c = make(&engine, Language::Python).await;
        assert_ne!(pid(&c).await, before);
        eventually("its end", || {
            !Path::new(&format!("/proc/{before}")).exists()
        })
        .await;
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn an_engine_that_starts_cold_has_no_worker_that_waits() {
    let engine = builder().cold().build().unwrap();
    for _ in 0..2 {
        let context = make(&engine, Language::Python).await;
        run(&context, "1").await;
        assert_eq!(engine.contexts().spare(), None);
    }
    engine.shutdown().await;
}
