//! Contexts of Python, and what does not depend on the language.

use std::time::{Duration, Instant};

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{
    Context, ContextOptions, CreateContextError, Ending, ExecuteError, ExecuteOptions, Execution,
    StartError,
};
use sandbox_engine::limits::{INTERRUPT_GRACE, QUEUED_EXECUTION_BYTES, QUEUED_EXECUTIONS};
use sandbox_engine::{Engine, Termination};

use super::{ended, fail, limited, make, run, run_with};
use crate::guard::{PATIENCE, engine, eventually, pid_of, unique_sleep};

async fn context(engine: &Engine) -> Context {
    make(engine, Language::Python).await
}

#[tokio::test]
async fn state_persists_and_contexts_are_separate() {
    let engine = engine();
    let (a, b) = (context(&engine).await, context(&engine).await);
    assert_eq!(run(&a, "x = 1\ndef f(): return x").await, "");
    assert_eq!(run(&a, "print(f())").await, "1\n");
    assert_eq!(fail(&b, "x").await, "NameError");
    assert_eq!(
        fail(&engine.contexts().default_context(), "x").await,
        "NameError"
    );
    let classes = "class C: pass\nimport pickle\nprint(type(pickle.loads(pickle.dumps(C()))) is C)";
    assert_eq!(run(&a, classes).await, "True\n");
    let names: Vec<_> = engine
        .contexts()
        .list()
        .iter()
        .map(|c| c.id().to_owned())
        .collect();
    assert_eq!(names, [a.id(), b.id()]);
    assert!(engine.contexts().delete(a.id()).await);
    assert!(!engine.contexts().delete(a.id()).await);
    assert!(matches!(
        a.execute("1", ExecuteOptions::default()),
        Err(ExecuteError::Deleted)
    ));
    engine.shutdown().await;
}

#[tokio::test]
async fn everything_that_is_written_arrives_before_the_end() {
    let engine = engine();
    let c = context(&engine).await;
    assert_eq!(run(&c, "import os, sys, subprocess, ctypes").await, "");
    for (code, output) in [
        ("print('a', end='')", "a"),
        ("os.write(1, b'raw') and None", "raw"),
        (
            "os.system('echo sub; printf tail >&2') and None",
            "sub\ntail",
        ),
        ("subprocess.run(['echo', 'hi']) and None", "hi\n"),
        ("ctypes.CDLL(None).printf(b'from C') and None", "from C"),
        ("print('\\ud800')", "\u{fffd}\n"),
        ("sys.stdout.buffer.write(b'\\xff') and None", "\u{fffd}"),
        (
            "if os.fork() == 0:\n print('child')\nelse: os.wait()",
            "child\n",
        ),
        (
            "if os.fork() == 0:\n sys.exit(3)\nprint(os.wait()[1] >> 8)",
            "3\n",
        ),
        (
            "import multiprocessing as m\np = m.get_context('fork').Process(target=print, args=('mp',))\np.start(); p.join()",
            "mp\n",
        ),
    ] {
        let (actual, ended) = run_with(&c, code, limited(60)).await;
        assert_eq!((actual.as_str(), &ended.failure), (output, &None), "{code}");
    }
    for code in [
        "import asyncio\nasync def f(): await asyncio.sleep(0); print('loop')\nasyncio.run(f())\nasyncio.run(f())",
        "import os\nprint(m.get_context('spawn').Pool(1).map(abs, [-1]))",
    ] {
        assert!(!run(&c, code).await.is_empty(), "{code}");
    }
    // Each channel is a pipe of its own, and still they are in order.
    let both = "for i in range(200):\n print(i)\n print('e', i, file=sys.stderr)";
    let expect: String = (0..200).map(|i| format!("{i}\ne {i}\n")).collect();
    assert_eq!(run(&c, both).await, expect);
    assert_eq!(run(&c, "print('x' * 3_000_000)").await.len(), 3_000_001);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_bounded_in_memory() {
    let engine = engine();
    let c = context(&engine).await;
    let code = "for i in range(100): print('x' * 999_999)";
    let execution = c.execute(code, limited(120)).unwrap();
    assert_eq!(execution.ended().await.ending, Ending::Completed);
    assert_eq!(execution.record().length(), 100_000_000);
    assert_eq!(execution.record().dropped(), 0);
    assert_eq!(run(&c, "print(1)").await, "1\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn input_is_at_its_end() {
    let engine = engine();
    let c = context(&engine).await;
    assert_eq!(fail(&c, "input()").await, "EOFError");
    assert_eq!(
        run(
            &c,
            "import subprocess\nprint(subprocess.run('cat').returncode)"
        )
        .await,
        "0\n"
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn exits_are_no_failures_and_exceptions_are_reported() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "import sys; kept = 1; sys.exit(3)").await;
    run(&c, "raise SystemExit('bye')").await;
    assert_eq!(run(&c, "print(kept)").await, "1\n");
    for (code, name, value, traceback) in [
        (
            "x = 1\n1/0",
            "ZeroDivisionError",
            "division by zero",
            "Traceback (most recent call last):\n  File \"<stdin>\", line 2\n    1/0\nZeroDivisionError: division by zero\n",
        ),
        (
            "raise ValueError",
            "ValueError",
            "",
            "Traceback (most recent call last):\n  File \"<stdin>\", line 1\n    raise ValueError\nValueError: \n",
        ),
        (
            "import json\njson.loads('')",
            "JSONDecodeError",
            "Expecting value: line 1 column 1 (char 0)",
            "Traceback (most recent call last):\n  File \"<stdin>\", line 2\n    json.loads('')\nJSONDecodeError: Expecting value: line 1 column 1 (char 0)\n",
        ),
        (
            "raise KeyboardInterrupt",
            "KeyboardInterrupt",
            "",
            "Traceback (most recent call last):\n  File \"<stdin>\", line 1\n    raise KeyboardInterrupt\nKeyboardInterrupt: \n",
        ),
        (
            "class E(Exception):\n def __str__(self): 1/0\nraise E",
            "E",
            "",
            "Traceback (most recent call last):\n  File \"<stdin>\", line 3\n    raise E\nE: \n",
        ),
    ] {
        let (_, ended) = run_with(&c, code, limited(60)).await;
        assert_eq!(ended.ending, Ending::Completed);
        let failure = ended.failure.clone().unwrap();
        assert_eq!(
            (
                failure.name.as_str(),
                failure.value.as_str(),
                failure.traceback.as_str()
            ),
            (name, value, traceback)
        );
    }
    assert_eq!(fail(&c, "def").await, "SyntaxError");
    assert_eq!(fail(&c, "'\0'").await, fail(&c, "'\0'").await);
    assert_eq!(fail(&c, "def r(): r()\nr()").await, "RecursionError");
    let (_, ended) = run_with(&c, "raise ValueError('x' * 50_000_000)", limited(60)).await;
    let failure = ended.failure.clone().unwrap();
    assert!(failure.value.len() < 1_100_000 && failure.value.contains("bytes left out"));
    assert_eq!(run(&c, "print(kept)").await, "1\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn variables_are_for_one_execution() {
    let engine = engine();
    let c = context(&engine).await;
    let with = |name: &str| ExecuteOptions {
        env: vec![(name.to_owned(), "é".to_owned())],
        ..limited(60)
    };
    let show =
        "import os; print(os.environ.get('A-B')); os.environ['A-B'] = '2'; os.environ['K'] = 'k'";
    assert_eq!(run_with(&c, show, with("A-B")).await.0, "é\n");
    assert_eq!(
        run(&c, "print(os.environ.get('A-B'), os.environ['K'])").await,
        "None k\n"
    );
    assert_eq!(
        run_with(&c, "1/0", with("K"))
            .await
            .1
            .failure
            .clone()
            .unwrap()
            .name,
        "ZeroDivisionError"
    );
    assert_eq!(run(&c, "print(os.environ['K'])").await, "k\n");
    assert!(matches!(
        c.execute("1", with("A=B")),
        Err(ExecuteError::Variable { .. })
    ));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_context_runs_in_turn_and_contexts_side_by_side() {
    let engine = engine();
    let (a, b) = (context(&engine).await, context(&engine).await);
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let wait =
        format!("import os, time\nwhile not os.path.exists({gate:?}): time.sleep(.01)\nn = 0");
    let slow = a.execute(&wait, limited(60)).unwrap();
    let behind: Vec<_> = (0..200)
        .map(|i| {
            a.execute(&format!("n += 1; print(n == {} and n)", i + 1), limited(60))
                .unwrap()
        })
        .collect();
    assert_eq!(run(&b, "print('b')").await, "b\n");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(ended(&slow).await.1.ending, Ending::Completed);
    for (i, execution) in behind.iter().enumerate() {
        assert_eq!(ended(execution).await.0, format!("{}\n", i + 1));
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn a_time_limit_interrupts_and_keeps_the_state() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "import time, os, subprocess; kept = 1").await;
    let background = unique_sleep();
    run(
        &c,
        &format!("server = subprocess.Popen(['sleep', '{background}'])"),
    )
    .await;
    let child = unique_sleep();
    for code in [
        "try: time.sleep(60)\nfinally: print('cleanup')",
        "while True: pass",
        &format!("os.system('sleep {child}')"),
        &format!("subprocess.run(['sleep', '{child}'])"),
    ] {
        let begin = Instant::now();
        let (output, ended) = run_with(&c, code, limited(1)).await;
        let limit = Duration::from_secs(1);
        assert_eq!(
            ended.ending,
            Ending::TimedOut {
                limit,
                keeps_state: true
            },
            "{code}"
        );
        assert!(begin.elapsed() >= limit);
        assert_eq!(
            output.is_empty(),
            !code.contains("cleanup"),
            "{code}: {output}"
        );
        assert_eq!(run(&c, "print(kept)").await, "1\n", "{code}");
    }
    eventually("the end of the child", || pid_of(&child).is_none()).await;
    // What was left running before by an execution that had ended is none of this one's.
    assert!(pid_of(&background).is_some());
    engine.shutdown().await;
    assert!(pid_of(&background).is_none());
}

#[tokio::test]
async fn code_that_heeds_no_interrupt_is_ended_with_its_worker() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "import time; kept = 1").await;
    let stubborn = "while 1:\n try: time.sleep(60)\n except KeyboardInterrupt: print('caught')";
    let begin = Instant::now();
    let (output, ended) = run_with(&c, stubborn, limited(1)).await;
    let limit = Duration::from_secs(1);
    assert_eq!(
        ended.ending,
        Ending::TimedOut {
            limit,
            keeps_state: false
        }
    );
    assert!(begin.elapsed() >= limit + INTERRUPT_GRACE);
    assert!(output.starts_with("caught\n"), "{output}");
    assert_eq!(fail(&c, "kept").await, "NameError");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_reported_immediately_and_replaced() {
    let engine = engine();
    let c = context(&engine).await;
    for (code, output, termination) in [
        (
            "import os; print('a', flush=True); os._exit(3)",
            "a\n",
            Termination::Exited { code: 3 },
        ),
        (
            "import os; os.kill(os.getpid(), 9)",
            "",
            Termination::Signaled {
                signal: 9,
                core_dumped: false,
            },
        ),
        (
            "import os; os.closerange(3, 2000)",
            "",
            Termination::Exited { code: 1 },
        ),
        (
            "import os; os.execv('/bin/true', ['true'])",
            "",
            Termination::Exited { code: 0 },
        ),
    ] {
        let begin = Instant::now();
        let (actual, ended) = run_with(&c, code, limited(60)).await;
        assert!(begin.elapsed() < PATIENCE, "{code}");
        match &ended.ending {
            Ending::WorkerEnded {
                termination: actual,
            } => assert_eq!(*actual, termination, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
        assert!(actual.starts_with(output), "{code}: {actual}");
        assert_eq!(run(&c, "print('alive')").await, "alive\n", "{code}");
    }
    // Between executions.
    let pid = run(
        &c,
        "import threading, os\nprint(os.getpid())\nt = threading.Timer(0.2, os._exit, (0,)); t.start()",
    )
    .await;
    let process = format!("/proc/{}", pid.trim());
    eventually("its end", || !std::path::Path::new(&process).exists()).await;
    assert_eq!(run(&c, "print('alive')").await, "alive\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn files_of_the_program_stand_in_for_nothing_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["signal", "ast", "ctypes", "struct", "codecs", "types"] {
        std::fs::write(directory.path().join(format!("{name}.py")), "1/0").unwrap();
    }
    let engine = Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let c = context(&engine).await;
    let options = ExecuteOptions {
        shows_value: true,
        ..limited(60)
    };
    let (_, ended) = run_with(&c, "1", options).await;
    assert_eq!((ended.value.len(), &ended.failure), (1, &None));
    assert_eq!(fail(&c, "import ast").await, "ZeroDivisionError");
    engine.shutdown().await;
}

#[tokio::test]
async fn descriptors_and_streams_of_the_program_do_no_harm() {
    let engine = engine();
    let c = context(&engine).await;
    run(
        &c,
        "import os, sys, io, builtins; os.close(0); os.close(1); os.close(2)",
    )
    .await;
    assert_eq!(run(&c, "print(1); sys.stdout.close()").await, "1\n");
    assert_eq!(
        run(
            &c,
            "print(2); kept = sys.stdout; sys.stdout = io.StringIO()"
        )
        .await,
        "2\n"
    );
    assert_eq!(run(&c, "print(3)").await, "");
    assert_eq!(
        run(
            &c,
            "kept.write(sys.stdout.getvalue()) and None; sys.stdout = kept"
        )
        .await,
        "3\n"
    );
    assert_eq!(run(&c, "print(4); builtins.print = None").await, "4\n");
    assert_eq!(
        run(&c, "sys.stdout.write('5') and None; del builtins.print").await,
        "5"
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn threads_print_during_and_after() {
    let engine = engine();
    let c = context(&engine).await;
    let code = "import threading, time\ndef work():\n for i in range(5): print('t'); time.sleep(.05)\n\
                t = threading.Thread(target=work); t.start(); t.join()";
    assert_eq!(run(&c, code).await, "t\n".repeat(5));
    // What is written between executions belongs to none.
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("written");
    let later = format!(
        "def later():\n while 'lock' not in globals(): time.sleep(.01)\n work(); open({written:?}, 'w')\n\
         t = threading.Thread(target=later); t.start()"
    );
    run(&c, &later).await;
    run(&c, "lock = True").await;
    eventually("the thread", || written.exists()).await;
    assert_eq!(run(&c, "print('next')").await, "next\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn background_children_delay_nothing() {
    let engine = engine();
    let c = context(&engine).await;
    let sleep = unique_sleep();
    let begin = Instant::now();
    run(
        &c,
        &format!("import subprocess; subprocess.Popen(['sleep', '{sleep}'])"),
    )
    .await;
    assert!(begin.elapsed() < PATIENCE);
    // What it is called is seen a moment after it was started.
    eventually("the child", || pid_of(&sleep).is_some()).await;
    assert!(engine.contexts().delete(c.id()).await);
    assert!(pid_of(&sleep).is_none());
    engine.shutdown().await;
}

#[tokio::test]
async fn deleting_ends_what_runs_and_what_waits() {
    let engine = engine();
    for _ in 0..5 {
        let c = context(&engine).await;
        let running = c
            .execute("import time; time.sleep(60)", limited(60))
            .unwrap();
        let waiting = c.execute("print(1)", limited(60)).unwrap();
        assert!(engine.contexts().delete(c.id()).await);
        for execution in [running, waiting] {
            let (output, ended) = ended(&execution).await;
            assert_eq!((output.as_str(), &ended.ending), ("", &Ending::Deleted));
        }
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn interrupts_and_restarts_are_asked_for() {
    let engine = engine();
    let c = context(&engine).await;
    assert!(!c.interrupt().await, "nothing runs");
    run(&c, "kept = 1").await;
    let wait = "import time\nprint('begun', flush=True)\ntime.sleep(60)";
    let begun = async |execution: &Execution| {
        let mut cursor = execution.record().follow(0).unwrap();
        assert!(cursor.next().await.is_some());
    };
    let running = c.execute(wait, limited(60)).unwrap();
    begun(&running).await;
    assert!(c.interrupt().await);
    let (_, end) = ended(&running).await;
    assert_eq!(end.ending, Ending::Interrupted);
    assert_eq!(end.failure.clone().unwrap().name, "KeyboardInterrupt");
    assert_eq!(run(&c, "print(kept)").await, "1\n");

    let running = c.execute(wait, limited(60)).unwrap();
    let waiting = c
        .execute("'kept' in globals() or print('new')", limited(60))
        .unwrap();
    begun(&running).await;
    assert!(c.restart().await);
    assert_eq!(ended(&running).await.1.ending, Ending::Restarted);
    assert_eq!(ended(&waiting).await.0, "new\n");
    assert!(c.restart().await, "also when nothing runs");
    assert_eq!(fail(&c, "time").await, "NameError");
    engine.shutdown().await;
    assert!(!c.restart().await);
}

#[tokio::test]
async fn values_are_shown_if_asked_for() {
    let engine = engine();
    let c = context(&engine).await;
    let shown = async |code: &str| {
        let options = ExecuteOptions {
            shows_value: true,
            ..limited(60)
        };
        let (_, ended) = run_with(&c, code, options).await;
        assert_eq!(ended.failure, None, "{code}");
        let forms = ended.value.iter().map(|form| {
            let content = form
                .content
                .clone()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            (form.media_type.clone(), content)
        });
        forms.collect::<Vec<_>>()
    };
    let form = |kind: &str, content: &str| (kind.to_owned(), Ok(content.to_owned()));
    assert_eq!(shown("a = 2\na * 3").await, [form("text/plain", "6")]);
    assert_eq!(shown("_ + 1").await, [form("text/plain", "7")]);
    assert_eq!(shown("a = 1").await, []);
    assert_eq!(shown("None").await, []);
    assert_eq!(shown("").await, []);
    let rich = "class R:\n def _repr_html_(self): return '<b>'\n def _repr_png_(self): return b'png'\n\
                \x20def _repr_json_(self): return {'a': 1}\n def _repr_svg_(self): 1/0\n def __repr__(self): return 'R'\nR()";
    assert_eq!(
        shown(rich).await,
        [
            form("text/plain", "R"),
            form("text/html", "<b>"),
            form("image/png", "png"),
            form("application/json", "{\"a\": 1}"),
        ]
    );
    let big = shown("class B(str):\n def __repr__(self): return 'x' * 20_000_000\nB()").await;
    assert_eq!(big, [("text/plain".to_owned(), Err(20_000_000))]);
    let (_, plain) = run_with(&c, "1", limited(60)).await;
    assert_eq!(plain.value, [], "nobody asked");
    engine.shutdown().await;
}

#[tokio::test]
async fn queues_have_an_end() {
    let engine = engine();
    let c = engine.contexts().default_context();
    let first = c
        .execute("import time; time.sleep(1)", limited(60))
        .unwrap();
    let mut taken = 0;
    let refused = loop {
        match c.execute("", limited(60)) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken <= QUEUED_EXECUTIONS + 1);
    };
    assert!(matches!(
        refused,
        ExecuteError::TooMany {
            limit: QUEUED_EXECUTIONS
        }
    ));
    assert_eq!(ended(&first).await.1.ending, Ending::Completed);
    let long = engine
        .contexts()
        .create(Language::Python, ContextOptions::default())
        .await
        .unwrap();
    let half = "#".repeat(QUEUED_EXECUTION_BYTES / 2);
    long.execute("import time; time.sleep(60)", limited(120))
        .unwrap();
    let refused = loop {
        if let Err(error) = long.execute(&half, limited(60)) {
            break error;
        }
    };
    assert!(
        matches!(refused, ExecuteError::TooLong { .. }),
        "{refused:?}"
    );
    engine.contexts().delete(long.id()).await;
    let missing = ContextOptions {
        cwd: Some("/no/such".into()),
        ..ContextOptions::default()
    };
    let error = engine
        .contexts()
        .create(Language::Python, missing)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CreateContextError::Start(StartError::Spawn(_))),
        "{error:?}"
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn a_python_that_does_not_begin_makes_no_context() {
    let directory = tempfile::tempdir().unwrap();
    let python = directory.path().join("python3");
    std::fs::copy("/bin/false", &python).unwrap();
    let engine = Engine::builder().python(&python).build().unwrap();
    let options = ContextOptions::default();
    let error = engine
        .contexts()
        .create(Language::Python, options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CreateContextError::Start(StartError::Silent { .. })),
        "{error:?}"
    );
    let execution = engine
        .contexts()
        .default_context()
        .execute("1", limited(60))
        .unwrap();
    let (_, ended) = ended(&execution).await;
    assert!(
        matches!(ended.ending, Ending::NotStarted { .. }),
        "{ended:?}"
    );
    engine.shutdown().await;
}
