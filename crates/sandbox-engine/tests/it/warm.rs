//! What a program can find out is the same in a cold start and in a warm one.
//!
//! Each program is run by an engine that keeps nothing and by one that does, and what they say is compared.

use std::time::{Duration, Instant};

use sandbox_engine::code::{Language, Program};
use sandbox_engine::{Engine, Environment, Outcome, OutputMode, RunOptions, Termination};

use crate::guard::{eventually, text};

/// What a program prints after this is of the test's own, and not compared.
const PARENT: &str = "\nimport os; print('parent', getattr(os, 'getp' + 'pid')())\n";

fn cold() -> Engine {
    Engine::builder().warm(false).build().unwrap()
}

fn program(code: &str) -> Program {
    Program {
        language: Language::Python,
        code: code.to_owned(),
        argv: vec!["a b".to_owned(), String::new(), "é".to_owned()],
    }
}

async fn run(engine: &Engine, code: &str) -> Outcome {
    let options = RunOptions {
        output: OutputMode::Split,
        ..RunOptions::default()
    };
    engine.run_code(program(code), options).await.unwrap()
}

/// An engine with a server for programs like this one.
async fn warmed(like: &str) -> Engine {
    let engine = Engine::builder().build().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_warm(&run(&engine, &format!("{like}{PARENT}")).await) {
        assert!(Instant::now() < deadline, "no program is warm");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    engine
}

fn is_warm(outcome: &Outcome) -> bool {
    let said = text(outcome);
    let parent = said.lines().find_map(|line| line.strip_prefix("parent "));
    parent.is_some_and(|parent| parent != std::process::id().to_string())
}

/// What the two said, which is the same.
async fn same(warm: &Engine, code: &str) -> Outcome {
    let (expect, found) = (run(&cold(), code).await, run(warm, code).await);
    assert_eq!(found.termination, expect.termination, "{code}");
    let channels = |outcome: &Outcome| {
        let split = outcome.output.split.clone().unwrap();
        split.map(|channel| comparable(&String::from_utf8_lossy(&channel.to_vec())))
    };
    assert_eq!(channels(&found), channels(&expect), "{code}");
    assert_eq!(found.artifacts, expect.artifacts, "{code}");
    found
}

/// The file of a run has a name of its own, and objects have addresses.
fn comparable(text: &str) -> String {
    let without = |text: &str, before: &str, is_own: fn(char) -> bool| {
        let mut parts = text.split(before);
        let mut clean = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            clean.push_str(before);
            clean.push_str(part.trim_start_matches(is_own));
        }
        clean
    };
    let text = without(text, "sandbox-run-", |c| c.is_ascii_alphanumeric());
    without(&text, " at 0x", |c| c.is_ascii_hexdigit())
}

#[tokio::test]
async fn a_forked_program_sees_what_a_started_one_sees() {
    let warm = warmed("").await;
    for code in PROGRAMS {
        same(&warm, code).await;
    }
    // Still warm after all of it.
    assert!(is_warm(&run(&warm, PARENT).await));
    warm.shutdown().await;
}

#[tokio::test]
async fn forked_programs_differ_where_started_ones_do() {
    let warm = warmed("").await;
    for code in [
        "import random; print(random.random())",
        "import uuid; print(uuid.uuid4())",
        "import os; print(os.urandom(8))",
        "import tempfile; print(tempfile.mktemp())",
        "import secrets; print(secrets.token_hex())",
        "import os; print(os.getpid())",
    ] {
        let (one, other) = (run(&warm, code).await, run(&warm, code).await);
        assert_ne!(text(&one), text(&other), "{code}");
    }
    warm.shutdown().await;
}

#[tokio::test]
async fn a_forked_program_leads_a_group_and_ends_with_all_its_own() {
    let warm = warmed("").await;
    let code = "import os; print(os.getpgid(0) == os.getpid(), os.getsid(0))";
    let said = text(&same(&warm, code).await);
    assert!(said.starts_with("True "), "{said}");

    let sleep = crate::guard::unique_sleep();
    let code = format!(
        "import subprocess, time\nprint('x')\n\
         subprocess.Popen(['setsid', 'sleep', '{sleep}'], start_new_session=True)\ntime.sleep(60)"
    );
    let options = RunOptions {
        timeout: Some(Duration::from_millis(900)),
        ..RunOptions::default()
    };
    let outcome = warm.run_code(program(&code), options).await.unwrap();
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    assert_eq!(text(&outcome), "x\n");
    eventually("its child has ended", || {
        crate::guard::pid_of(&sleep).is_none()
    })
    .await;
    assert!(is_warm(&run(&warm, PARENT).await));
    warm.shutdown().await;
}

#[tokio::test]
async fn whatever_is_asked_for_that_a_server_has_not_starts_cold() {
    let warm = warmed("").await;
    let options = |env: &[(&str, &str)], cwd: Option<&str>| RunOptions {
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        cwd: cwd.map(Into::into),
        ..RunOptions::default()
    };
    for options in [
        options(&[("PYTHONHASHSEED", "5")], None),
        options(&[("TZ", "Asia/Tokyo")], None),
        options(&[], Some("/")),
    ] {
        let outcome = warm.run_code(program(PARENT), options).await.unwrap();
        assert!(!is_warm(&outcome), "{}", text(&outcome));
    }
    let outcome = run(&warm, &format!("import os; os.getppid(){PARENT}")).await;
    assert!(!is_warm(&outcome));
    // Another environment is another server.
    let set = [("SANDBOX_TEST".to_owned(), "1".to_owned())];
    warm.update_environment(&set, &[], None).unwrap();
    let code = format!("import os; print(os.environ['SANDBOX_TEST']){PARENT}");
    assert!(!is_warm(&run(&warm, &code).await));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let outcome = run(&warm, &code).await;
        assert!(text(&outcome).starts_with("1\n"), "{}", text(&outcome));
        if is_warm(&outcome) {
            break;
        }
        assert!(Instant::now() < deadline, "no program is warm");
    }
    warm.shutdown().await;
}

#[tokio::test]
async fn an_engine_that_may_not_keeps_nothing() {
    let engine = cold();
    for _ in 0..3 {
        assert!(!is_warm(&run(&engine, PARENT).await));
    }
    engine.shutdown().await;
    let mut environment = Environment::of_this_process();
    environment.set("PYTHONPATH", "/nonexistent");
    let engine = Engine::builder().environment(environment).build().unwrap();
    for _ in 0..3 {
        assert!(!is_warm(&run(&engine, PARENT).await));
    }
    engine.shutdown().await;
}

const PROGRAMS: &[&str] = &[
    "print(1)",
    "",
    "import sys; print(sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, sys.prefix)",
    "import sys; print(list(sys.modules))",
    "import sys; print(sys.meta_path, sys.path_hooks, sorted(sys.path_importer_cache))",
    "import sys; print(sys.stdin, sys.stdout, sys.stderr, sys.stdin.seekable(), sys.stdout.line_buffering)",
    "import sys; print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.warnoptions, sys._xoptions)",
    "print(sorted(globals()), __name__, __doc__, __spec__, type(__loader__), __builtins__)",
    "import os; print(list(os.environ.items()), os.getcwd(), sorted(os.listdir('.')))",
    "import os, resource; print(os.umask(0), os.getpriority(0, 0), os.sched_getaffinity(0), os.getuid())
print([resource.getrlimit(kind) for kind in range(15)])",
    "import signal; print([(s, signal.getsignal(s)) for s in signal.valid_signals()], signal.pthread_sigmask(0, []))",
    "import os
for fd in range(64):
    try: print(fd, os.get_inheritable(fd), os.readlink(f'/dev/fd/{fd}').partition(':')[0])
    except OSError: pass",
    "import os; os.system('ls /dev/fd | wc -l; umask; ulimit -c; pwd')",
    "import locale, time; print(locale.getlocale(), locale.getpreferredencoding(), time.tzname)",
    "import threading, gc; print(threading.enumerate().__len__(), threading.current_thread().name, gc.get_threshold(), gc.isenabled(), gc.get_freeze_count())",
    "import atexit
atexit.register(print, 'first'); atexit.register(print, 'second'); print('body')",
    "def f():\n    raise ValueError('boom')\nprint('before')\nf()",
    "1 +",
    "import sys; sys.exit('bye')",
    "import sys; sys.exit(300)",
    "import os; os._exit(7)",
    "import os; os.abort()",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "print(input())",
    "import sys\ndef depth():\n    frame, n = sys._getframe(), 0\n    while frame: frame, n = frame.f_back, n + 1\n    return n\nprint(depth())",
    "def f(): return f()\nf()",
    "import socket, ssl; print(socket.socket().type, socket.__name__, ssl.OPENSSL_VERSION)",
    "import multiprocessing as m
def f(x): return x * 2
if __name__ == '__main__':
    for kind in 'fork', 'spawn':
        with m.get_context(kind).Pool(2) as pool: print(pool.map(f, [1, 2, 3]))",
    "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True))",
    "import asyncio
async def f(): await asyncio.sleep(0); return 4
print(asyncio.run(f()))",
    "import os
pid = os.fork()
if pid: print(os.waitpid(pid, 0)[1])
else: os._exit(3)",
    "import threading
t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()",
    "import warnings; warnings.warn('w')",
    "import sys; print(sys.gettrace(), sys.getprofile(), sys.excepthook, sys.breakpointhook, sys.audit)",
    "import os; print(open('/' + 'proc/self/oom_score_adj').read(), os.getpgrp() == os.getpid())",
];
