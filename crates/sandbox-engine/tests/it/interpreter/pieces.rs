//! What pieces of Python leave for later ones, and for the end of their context.

use std::time::{Duration, Instant};

use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, Ending, ExecuteOptions, Execution};
use sandbox_engine::limits::{EXIT_GRACE, QUEUED_EXECUTIONS};

use super::{ended, fail, limited, make, run, run_with};
use crate::guard::{engine, eventually, pid_of, unique_sleep};

async fn context(engine: &Engine) -> Context {
    make(engine, Language::Python).await
}

#[tokio::test]
async fn warnings_and_sources_are_of_each_piece() {
    let engine = engine();
    let c = context(&engine).await;
    let warn = "import warnings; warnings.warn('careful')";
    for _ in 0..2 {
        let said = run(&c, warn).await;
        assert!(
            said.contains("UserWarning: careful\n  import warnings"),
            "{said}"
        );
    }
    let twice = run(&c, "for _ in range(2): warnings.warn('in a loop')").await;
    assert_eq!(
        twice.matches("in a loop").count(),
        2,
        "shown and quoted: {twice}"
    );
    run(
        &c,
        "def f():\n  return 1 / 0\nclass A:\n  x = 1\nclass B:\n  def m(self): pass",
    )
    .await;
    run(&c, "class A:\n  x = 2").await;
    for (code, expect) in [
        (
            "import inspect; print(inspect.getsource(f))",
            "def f():\n  return 1 / 0\n\n",
        ),
        ("print(inspect.getsource(B.m))", "  def m(self): pass\n\n"),
        (
            "print(inspect.getsource(B))",
            "class B:\n  def m(self): pass\n\n",
        ),
        ("print(inspect.getsource(A))", "class A:\n  x = 2\n\n"),
        (
            "import __main__; print(hasattr(__main__, '__file__'))",
            "False\n",
        ),
    ] {
        assert_eq!(run(&c, code).await, expect, "{code}");
    }
    let said = run(
        &c,
        "import traceback\ntry: f()\nexcept ZeroDivisionError: traceback.print_exc()",
    )
    .await;
    assert!(said.contains("in f\n    return 1 / 0\n"), "{said}");
    let (_, ended) = run_with(&c, "f()", limited(60)).await;
    assert_eq!(
        ended.failure.clone().unwrap().traceback,
        "Traceback (most recent call last):\n  File \"<stdin>\", line 1\n    f()\n  File \"<stdin>\", line 2\n    \
         return 1 / 0\nZeroDivisionError: division by zero\n"
    );
    // The texts of long ago are forgotten.
    run(&c, "def g(): return 2").await;
    let count = "import linecache\nprint(len([name for name in linecache.cache if name.startswith('<cell ')]) <= 1024)";
    let many: Vec<_> = (0..QUEUED_EXECUTIONS)
        .map(|_| c.execute("pass", limited(60)).unwrap())
        .collect();
    for execution in many {
        ended_well(&execution).await;
    }
    assert_eq!(run(&c, count).await, "True\n");
    assert_eq!(fail(&c, "inspect.getsource(g)").await, "OSError");
    engine.shutdown().await;
}

async fn ended_well(execution: &Execution) {
    assert_eq!(ended(execution).await.1.failure, None);
}

#[tokio::test]
async fn pieces_await_at_their_top_level() {
    let engine = engine();
    let c = context(&engine).await;
    let first =
        "import asyncio\nasync def f(x):\n  await asyncio.sleep(0)\n  return x\nprint(await f(1))";
    assert_eq!(run(&c, first).await, "1\n");
    for (code, expect) in [
        ("loop = asyncio.get_running_loop() if await f(1) else 0", ""),
        (
            "print(await f(2), asyncio.get_running_loop() is loop)",
            "2 True\n",
        ),
        (
            "print([x async for x in (await f(i) for i in range(2))])",
            "[0, 1]\n",
        ),
        ("for i in range(2): print(await f(i))", "0\n1\n"),
        ("print(asyncio.run(f(3)))", "3\n"),
        ("print(await f(4))", "4\n"),
        (
            "def f2():\n  async def g(): return 5\n  return g()\nprint(await f2())",
            "5\n",
        ),
    ] {
        assert_eq!(run(&c, code).await, expect, "{code}");
    }
    let options = ExecuteOptions {
        shows_value: true,
        ..limited(60)
    };
    let (_, ended) = run_with(&c, "x = 1\nawait f(x + 1)", options).await;
    assert_eq!(ended.value[0].content.clone().unwrap(), "2");
    assert_eq!(fail(&c, "await f(1)\n1/0").await, "ZeroDivisionError");
    assert_eq!(fail(&c, "def g(): await f(1)").await, "SyntaxError");
    run(&c, "await f(1)\nimport sys; sys.exit(3)").await;
    // An interrupt reaches what is awaited, and the loop goes on.
    let code = "try: await asyncio.sleep(600)\nfinally: print('cleanup')";
    let (output, ended) = run_with(&c, code, limited(1)).await;
    let limit = Duration::from_secs(1);
    let keeps_state = true;
    assert_eq!(ended.ending, Ending::TimedOut { limit, keeps_state });
    assert_eq!(output, "cleanup\n");
    assert_eq!(run(&c, "print(await f(6))").await, "6\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn tasks_go_on_between_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let c = context(&engine).await;
    let mark = directory.path().join("mark");
    let code = "import asyncio\nasync def work():\n  for i in range(3): await asyncio.sleep(0.01)\n  open('mark', 'w').close()\n\
                task = asyncio.ensure_future(work()); await asyncio.sleep(0)";
    run(&c, code).await;
    eventually("the task has ended", || mark.exists()).await;
    assert_eq!(
        run(&c, "print(await task, task.done())").await,
        "None True\n"
    );
    // One that fails, or blocks, harms no piece.
    run(
        &c,
        "async def bad(): 1/0\nlost = asyncio.ensure_future(bad()); await asyncio.sleep(0)",
    )
    .await;
    run(&c, "async def stop(): raise SystemExit\nlost = asyncio.ensure_future(stop())\nawait asyncio.sleep(0) if 0 else None").await;
    assert_eq!(run(&c, "print('alive')").await, "alive\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_deleted_context_ends_as_a_program_does() {
    let directory = tempfile::tempdir().unwrap();
    let left =
        |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    let engine = Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let opens = |name: &str| {
        format!(
            "import atexit\ndef f(): pass\nopened = open('{name}', 'w'); opened.write('left ')\n\
             atexit.register(lambda: opened.write('at exit'))\nprint('ready')"
        )
    };
    let c = context(&engine).await;
    assert_eq!(run(&c, &opens("idle")).await, "ready\n");
    assert!(engine.contexts().delete(c.id()).await);
    assert_eq!(left("idle"), "left at exit");

    let c = context(&engine).await;
    run(&c, &opens("restarted")).await;
    assert!(c.restart().await);
    assert_eq!(left("restarted"), "left at exit");

    // Something runs, and a task waits.
    run(&c, &opens("busy")).await;
    let code = "import asyncio, sys, time\nasync def wait():\n  try: await asyncio.sleep(600)\n  finally: opened.write('task ')\n\
                t = asyncio.ensure_future(wait()); await asyncio.sleep(0)\n\
                try: print('begun'); time.sleep(600)\nfinally: print('cleanup', file=sys.stderr)";
    let running = c.execute(code, limited(60)).unwrap();
    let mut cursor = running.record().follow(0).unwrap();
    assert!(cursor.next().await.is_some());
    assert!(engine.contexts().delete(c.id()).await);
    assert_eq!(left("busy"), "left task at exit");
    assert_eq!(ended(&running).await.1.ending, Ending::Deleted);

    // What does not end is ended.
    let c = context(&engine).await;
    run(&c, &opens("stuck")).await;
    let sleep = unique_sleep();
    let code = format!(
        "import subprocess, threading, time\nsubprocess.Popen(['sleep', '{sleep}'])\n\
         threading.Thread(target=time.sleep, args=(600,)).start()"
    );
    run(&c, &code).await;
    let begin = Instant::now();
    assert!(engine.contexts().delete(c.id()).await);
    assert!(begin.elapsed() >= EXIT_GRACE && pid_of(&sleep).is_none());
    let c = context(&engine).await;
    run(&c, &opens("shutdown")).await;
    engine.shutdown().await;
    assert_eq!(left("shutdown"), "left at exit");
}
