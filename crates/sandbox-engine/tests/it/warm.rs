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
    same_in(&cold(), warm, code).await
}

async fn same_in(cold: &Engine, warm: &Engine, code: &str) -> Outcome {
    let (expect, found) = (run(cold, code).await, run(warm, code).await);
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

#[tokio::test]
async fn what_was_installed_meanwhile_is_there() {
    let home = tempfile::tempdir().unwrap();
    let mut environment = Environment::of_this_process();
    environment.set("HOME", home.path());
    let engine = |is_warm: bool| {
        let engine = Engine::builder().environment(environment.clone());
        engine.warm(is_warm).build().unwrap()
    };
    let (cold, engine) = (engine(false), engine(true));
    let deadline = Instant::now() + Duration::from_secs(30);
    let code = format!("import site; print('site', site.getusersitepackages()){PARENT}");
    let said = loop {
        let outcome = run(&engine, &code).await;
        if is_warm(&outcome) {
            break text(&outcome);
        }
        assert!(Instant::now() < deadline, "no program is warm");
    };
    let directory = said
        .lines()
        .find_map(|line| line.strip_prefix("site "))
        .unwrap();
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(format!("{directory}/installed.py"), "answer = 42\n").unwrap();
    // A virtual environment has no directory of its user's, and neither of the two finds it.
    let code = "import installed; print(installed.answer)";
    let said = text(&same_in(&cold, &engine, code).await);
    assert!(said == "42\n" || is_virtual(&cold).await, "{said}");
    engine.shutdown().await;
}

async fn is_virtual(engine: &Engine) -> bool {
    let code = "import sys; print(sys.prefix != sys.base_prefix)";
    text(&run(engine, code).await) == "True\n"
}

#[tokio::test]
async fn programs_that_draw_see_what_they_see_in_a_cold_start() {
    let Some(python) = std::env::var_os("SANDBOX_TEST_PYTHON") else {
        println!("passed over: SANDBOX_TEST_PYTHON names no interpreter with matplotlib");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let engine = |is_warm: bool| {
        Engine::builder()
            .python(&python)
            .work_dir(directory.path())
            .warm(is_warm)
            .build()
            .unwrap()
    };
    let (cold, warm) = (engine(false), engine(true));
    let until_warm = async |like: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_warm(&run(&warm, &format!("{like}{PARENT}")).await) {
            assert!(Instant::now() < deadline, "no program is warm: {like}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    for like in ["", "import numpy", "import matplotlib.pyplot"] {
        until_warm(like).await;
    }
    for code in DRAWING {
        same_in(&cold, &warm, code).await;
    }
    let code = "import numpy as np; print(np.random.rand())";
    let (one, other) = (run(&warm, code).await, run(&warm, code).await);
    assert_ne!(text(&one), text(&other));

    for (name, content, code) in [
        (
            "matplotlibrc",
            "lines.linewidth: 7\n",
            "import matplotlib.pyplot as p; print(p.rcParams['lines.linewidth'])",
        ),
        (
            "numpy.py",
            "print('mine')\n",
            "import numpy; print(numpy.__name__)",
        ),
        ("json.py", "print('mine')\n", "import matplotlib.pyplot"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        let said = text(&same_in(&cold, &warm, code).await);
        assert!(said.contains("mine") || said.contains('7'), "{said}");
        std::fs::remove_file(&path).unwrap();
    }
    for like in ["", "import numpy", "import matplotlib.pyplot"] {
        until_warm(like).await;
    }
    warm.shutdown().await;
}

const DRAWING: &[&str] = &[
    "import numpy as np; print(np.arange(3), np.random.get_state()[2:], np.geterr(), np.get_printoptions())",
    "import numpy as np; np.random.seed(1); print(np.random.rand(), np.random.normal(size=2))",
    "import numpy as np; a = np.ones((600, 600)); print((a @ a).sum(), np.linalg.inv(np.eye(300)).sum())",
    "import random\nimport numpy\nrandom.seed(3); print(random.random())",
    "import numpy as np\nprint(np.array([1, 2]) / 0)",
    "import numpy as np\nraise ValueError(np.float64(1))",
    "import sys, numpy\nprint(list(sys.modules))",
    "import warnings, numpy\nprint(warnings.filters)",
    "import os\nos.environ['MPLBACKEND'] = 'svg'\nimport matplotlib.pyplot as plt\nprint(plt.get_backend())",
    "import matplotlib.pyplot as plt\nprint(plt.get_backend(), sorted(plt.rcParams.items(), key=str), plt.get_fignums())",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2], [3, 4]); plt.title('é'); plt.show()",
    "import matplotlib.pyplot as plt, numpy as np\nplt.bar(['a', 'b'], np.array([1, 2])); plt.show(); plt.pie([1, 2]); plt.show()",
    "import matplotlib; matplotlib.use('svg')\nfrom matplotlib import pyplot as plt\nplt.plot([1]); plt.show(); print(plt.get_backend())",
    "import matplotlib.pyplot as plt\nfrom datetime import datetime\nplt.plot([datetime(2024, 1, 1), datetime(2024, 1, 2)], [1, 2]); plt.show()",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.plot([1], [1, 2])",
    "import matplotlib.pyplot as plt, io\nb = io.BytesIO(); plt.plot([1, 2]); plt.savefig(b); print(len(b.getvalue()))",
    "import matplotlib.pyplot as plt\nfig, axes = plt.subplots(2); axes[0].hist([1, 2, 2]); axes[1].boxplot([1, 2, 3]); plt.show()",
];

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
    "import threading; print(threading.enumerate().__len__(), threading.current_thread().name)",
    "import atexit
atexit.register(print, 'first'); atexit.register(print, 'second'); print('body')",
    "def f(): pass\nopened = open('/dev/fd/1', 'w'); opened.write('left open')",
    "class A:\n    def __del__(self): print('deleted')\na = A(); print('end')",
    "def g():\n    try: yield\n    finally: print('closed')\none = g(); next(one)",
    "import sys\nclass A:\n    def __del__(self): print('deleted')\na = A(); sys.intern_me = lambda: a",
    "import os\nclass A:\n    def __del__(self): print('deleted')\na = A(); os.PathLike.left = lambda: a",
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
