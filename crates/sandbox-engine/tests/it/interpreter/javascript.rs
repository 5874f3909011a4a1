//! Contexts of JavaScript and TypeScript.

use std::time::{Duration, Instant};

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::{Engine, Termination};

use super::{ended, fail, limited, make, run, run_with};
use crate::guard::{PATIENCE, engine, eventually, pid_of, unique_sleep};

async fn context(engine: &Engine) -> Context {
    make(engine, Language::JavaScript).await
}

/// The media types and texts of a value.
async fn shown(context: &Context, code: &str) -> Vec<(String, Result<String, u64>)> {
    let options = ExecuteOptions {
        shows_value: true,
        ..limited(60)
    };
    let (_, ended) = run_with(context, code, options).await;
    assert_eq!(ended.failure, None, "{code}");
    let forms = ended.value.iter().map(|form| {
        let content = form.content.clone();
        let text = content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (form.media_type.clone(), text)
    });
    forms.collect()
}

fn form(kind: &str, content: &str) -> (String, Result<String, u64>) {
    (kind.to_owned(), Ok(content.to_owned()))
}

#[tokio::test]
async fn what_is_declared_stays_and_may_be_declared_anew() {
    let engine = engine();
    let (a, b) = (context(&engine).await, context(&engine).await);
    assert_eq!(a.language(), Language::JavaScript);
    let declared = "let x = 1; const y = 2; class C { m() { return 3 } }; var v = 4; function f() { return x }";
    assert_eq!(run(&a, declared).await, "");
    assert_eq!(
        run(&a, "console.log(x, y, new C().m(), v, f())").await,
        "1 2 3 4 1\n"
    );
    let again = "let x = 5; const y = 6; class C { m() { return 7 } }; var v = 8";
    run(&a, again).await;
    assert_eq!(
        run(&a, "console.log(x, y, new C().m(), v, f())").await,
        "5 6 7 8 5\n"
    );
    assert_eq!(fail(&a, "y = 1").await, "TypeError");
    assert_eq!(fail(&b, "x").await, "ReferenceError");
    assert_eq!(
        fail(&engine.contexts().default_context(), "f").await,
        "NameError",
        "that one is Python's"
    );
    assert!(engine.contexts().delete(a.id()).await);
    engine.shutdown().await;
}

#[tokio::test]
async fn await_is_good_outside_of_functions() {
    let engine = engine();
    let c = context(&engine).await;
    let sleep = "const sleep = (ms) => new Promise((r) => setTimeout(r, ms)); const late = await sleep(20).then(() => 7)";
    assert_eq!(run(&c, sleep).await, "");
    assert_eq!(
        run(
            &c,
            "for (const i of [1, 2]) { await sleep(5); console.log(late + i) }"
        )
        .await,
        "8\n9\n"
    );
    // A promise as the last value is waited for.
    let main = "async function main() { await sleep(50); console.log('done'); return 8 }\nmain()";
    assert_eq!(run(&c, main).await, "done\n");
    assert_eq!(
        shown(&c, "main()").await,
        [form("text/plain", "8"), form("application/json", "8")]
    );
    assert_eq!(
        fail(&c, "Promise.reject(new RangeError('r'))").await,
        "RangeError"
    );
    engine.shutdown().await;
}

#[tokio::test]
#[cfg_attr(
    not(feature = "typescript"),
    ignore = "needs the parser of the feature `typescript`"
)]
async fn modules_are_found_from_the_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("lib.cjs", "exports.a = 1");
    write(
        "lib.mjs",
        "export const a = 2; export default 3; export const b = import.meta.url",
    );
    write("data.json", "{\"a\": 4}");
    write("fs.js", "throw 1");
    std::fs::create_dir_all(directory.path().join("node_modules/own")).unwrap();
    write("node_modules/own/index.js", "module.exports = 5");
    let engine = Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let c = context(&engine).await;
    for (code, output) in [
        (
            "console.log(require('./lib.cjs').a, require('own'))",
            "1 5\n",
        ),
        ("console.log((await import('./lib.mjs')).default)", "3\n"),
        (
            "import three, { a as two } from './lib.mjs'; import * as all from './lib.mjs'",
            "",
        ),
        ("console.log(three, two, all.a)", "3 2 2\n"),
        ("import own from 'own'; console.log(own)", "5\n"),
        (
            "import { readFileSync } from 'fs'; console.log(JSON.parse(readFileSync('data.json')).a)",
            "4\n",
        ),
        ("export const kept = 6", ""),
        ("console.log(kept)", "6\n"),
        (
            "const { pathToFileURL: u } = require('url'); console.log(import.meta.url.startsWith(u(process.cwd()).href))",
            "true\n",
        ),
        ("function later() { return import('./lib.mjs') }", ""),
        ("console.log((await later()).a)", "2\n"),
    ] {
        assert_eq!(run(&c, code).await, output, "{code}");
    }
    assert_eq!(fail(&c, "import x from './none.mjs'").await, "Error");
    assert_eq!(fail(&c, "await import('no-such-package')").await, "Error");
    engine.shutdown().await;
}

#[tokio::test]
#[cfg_attr(
    not(feature = "typescript"),
    ignore = "needs the parser of the feature `typescript`"
)]
async fn types_are_taken_away() {
    let engine = engine();
    let c = make(&engine, Language::TypeScript).await;
    assert_eq!(c.language(), Language::TypeScript);
    run(
        &c,
        "enum E { A = 2 }\ninterface I { a: number }\nimport { join, type ParsedPath } from 'path'",
    )
    .await;
    run(&c, "const i: I = { a: E.A }; let p: ParsedPath | null = null; function id<T>(t: T): T { return t }").await;
    assert_eq!(
        run(&c, "console.log(id<number>(i.a), join('a', 'b'), p)").await,
        "2 a/b null\n"
    );
    let (_, ended) = run_with(&c, "let x: number = 1;\nlet = : number", limited(60)).await;
    let failure = ended.failure.clone().unwrap();
    assert_eq!(failure.name, "SyntaxError");
    assert!(!failure.value.contains("[stdin]"), "{failure:?}");
    assert!(
        failure.traceback.starts_with("[stdin]:2:7: "),
        "{failure:?}"
    );
    assert!(failure.traceback.contains("let = : number"), "{failure:?}");
    run(
        &c,
        "interface A {}\n\n\nfunction thrower(x: number): never {\n\n  throw new Error(`${x}`)\n}",
    )
    .await;
    let (_, ended) = run_with(&c, "interface B {}\n\nthrower(1)", limited(60)).await;
    let told = "Error: 1\n    at thrower ([stdin]:6:9)\n    at [stdin]:3:1\n";
    assert_eq!(ended.failure.clone().unwrap().traceback, told);
    let decorated = "const seen: string[] = []\nfunction d(_: unknown, key: string) { seen.push(key) }\nclass D { @d m() {} }";
    run(&c, decorated).await;
    assert_eq!(run(&c, "console.log(seen[0])").await, "m\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn everything_that_is_written_arrives_in_order() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "const { execSync, spawnSync } = require('child_process'); const inherit = { stdio: 'inherit' }").await;
    for (code, output) in [
        ("process.stdout.write('a')", "a"),
        ("require('fs').writeSync(1, 'raw'); undefined", "raw"),
        (
            "console.log(1); execSync('echo 2', inherit); console.log(3)",
            "1\n2\n3\n",
        ),
        (
            "console.log(1); console.error(2); execSync('echo 3', inherit); console.error(4)",
            "1\n2\n3\n4\n",
        ),
        (
            "process.stdout.write(Buffer.from([0xff])); undefined",
            "\u{fffd}",
        ),
        (
            "process.stdout.end('end'); console.log('more')",
            "endmore\n",
        ),
        (
            "process.stdout.write('b', () => console.log('written'))",
            "bwritten\n",
        ),
        ("require('fs').closeSync(1); require('fs').closeSync(2)", ""),
        (
            "console.log('open again'); console.error('both')",
            "open again\nboth\n",
        ),
    ] {
        assert_eq!(run(&c, code).await, output, "{code}");
    }
    let both = "for (let i = 0; i < 200; i++) { console.log(i); console.error('e', i) }";
    let expect: String = (0..200).map(|i| format!("{i}\ne {i}\n")).collect();
    assert_eq!(run(&c, both).await, expect);
    let large = "console.log('x'.repeat(3_000_000)); execSync('echo y', inherit); console.log('z')";
    assert!(run(&c, large).await.ends_with("x\ny\nz\n"));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_bounded_in_memory() {
    let engine = engine();
    let c = context(&engine).await;
    let code = "for (let i = 0; i < 100; i++) console.log('x'.repeat(999_999))";
    let execution = c.execute(code, limited(120)).unwrap();
    assert_eq!(execution.ended().await.ending, Ending::Completed);
    assert_eq!(
        (execution.record().length(), execution.record().dropped()),
        (100_000_000, 0)
    );
    assert_eq!(run(&c, "console.log(1)").await, "1\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn input_is_at_its_end() {
    let engine = engine();
    let c = context(&engine).await;
    let read = "const lines = require('readline').createInterface({ input: process.stdin });\n\
                for await (const line of lines) console.log(line);\n\
                console.log(JSON.stringify(require('fs').readFileSync(0, 'utf8')), require('child_process').spawnSync('cat').status)";
    assert_eq!(run(&c, read).await, "\"\" 0\n");
    assert_eq!(run(&c, read).await, "\"\" 0\n", "again");
    engine.shutdown().await;
}

#[tokio::test]
async fn exits_are_no_failures() {
    let engine = engine();
    let c = context(&engine).await;
    let exit =
        "let kept = 1; try { console.log('a'); process.exit(3) } finally { console.log('no') }";
    assert_eq!(run(&c, exit).await, "a\n");
    for code in [
        "await 1; process.exit(); console.log('no')",
        "setTimeout(() => process.exit(1), 5); await new Promise(() => {})",
        "setImmediate(() => process.exit(1)); await new Promise(() => {})",
        "process.nextTick(() => process.exit(1)); await new Promise(() => {})",
        "Promise.reject(1).catch(() => process.exit(1)); await new Promise(() => {})",
        "function f() { process.exit() } f()",
    ] {
        assert_eq!(run(&c, code).await, "", "{code}");
    }
    // While nothing runs it ends nothing.
    let directory = tempfile::tempdir().unwrap();
    let passed = directory.path().join("passed");
    let exit = format!(
        "setTimeout(() => process.exit(1), 1); setTimeout(() => require('fs').writeFileSync({passed:?}, ''), 2)"
    );
    run(&c, &exit).await;
    eventually("the timers", || passed.exists()).await;
    assert_eq!(run(&c, "console.log(kept)").await, "1\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn errors_have_lines_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lib.js");
    std::fs::write(
        &file,
        "exports.f = () => {\n  throw new Error('in a file')\n}",
    )
    .unwrap();
    let engine = Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let c = context(&engine).await;
    run(&c, "function f() {\n  null.x\n}").await;
    let in_file = format!(
        "Error: in a file\n    at exports.f ({}:2:9)\n    at [stdin]:1:18\n",
        file.display()
    );
    for (code, name, value, traceback) in [
        (
            "1\nthrow new TypeError('t')",
            "TypeError",
            "t",
            "TypeError: t\n    at [stdin]:2:7\n",
        ),
        (
            "f()",
            "TypeError",
            "Cannot read properties of null (reading 'x')",
            "TypeError: Cannot read properties of null (reading 'x')\n    at f ([stdin]:2:8)\n    at [stdin]:1:1\n",
        ),
        (
            "await 1;\nclass E extends Error { name = 'Own' }\nthrow new E('e', { cause: 'c' })",
            "Own",
            "e",
            "Own: e\n    at [stdin]:3:7 {\n  [cause]: 'c'\n}\n",
        ),
        ("require('./lib').f()", "Error", "in a file", &in_file),
        ("throw 42", "Uncaught", "42", "Uncaught 42\n"),
        (
            "throw { a: 1 }",
            "Uncaught",
            "{ a: 1 }",
            "Uncaught { a: 1 }\n",
        ),
        ("throw null", "Uncaught", "null", "Uncaught null\n"),
        (
            "throw undefined",
            "Uncaught",
            "undefined",
            "Uncaught undefined\n",
        ),
        (
            "let a;\nlet b = +* 3",
            "SyntaxError",
            "Unexpected token '*'",
            "[stdin]:2\nlet b = +* 3\n         ^\nSyntaxError: Unexpected token '*'\n",
        ),
    ] {
        let (_, ended) = run_with(&c, code, limited(60)).await;
        assert_eq!(ended.ending, Ending::Completed, "{code}");
        let told = ended.failure.clone().expect(code);
        let told = [told.name, told.value, told.traceback];
        let expect = [name, value, traceback];
        if code.contains("Own") {
            // How the name stands in front differs between versions.
            assert_eq!((&*told[0], &*told[1]), (name, value));
            continue;
        }
        assert_eq!(told.each_ref().map(String::as_str), expect, "{code}");
    }
    assert_eq!(fail(&c, "function r() { r() }; r()").await, "RangeError");
    let (_, ended) = run_with(&c, "throw new Error('x'.repeat(50_000_000))", limited(60)).await;
    let failure = ended.failure.clone().unwrap();
    assert!(failure.value.len() < 1_100_000 && failure.value.contains("bytes left out"));
    engine.shutdown().await;
}

#[tokio::test]
async fn errors_that_nothing_waits_for_are_reported_and_end_nothing() {
    let engine = engine();
    let c = context(&engine).await;
    let rejected = "let kept = 1; Promise.reject(new RangeError('r')); console.log('on')";
    let expect = "on\nUncaught (in promise) RangeError: r\n    at [stdin]:1:30\n";
    assert_eq!(run(&c, rejected).await, expect);
    let late = "setTimeout(() => { throw new Error('late') }, 1); await new Promise((r) => setTimeout(r, 50)); console.log(kept)";
    let output = run(&c, late).await;
    assert!(
        output.starts_with("Uncaught Error: late\n") && output.ends_with("\n1\n"),
        "{output}"
    );
    // A listener is called instead.
    let listens = "process.once('uncaughtException', (e) => console.log('mine', e.message)); ";
    assert_eq!(run(&c, &format!("{listens}{late}")).await, "mine late\n1\n");
    // As Node.js does by an option.
    let strict = "process.removeAllListeners('uncaughtException'); setTimeout(() => { throw new Error('late') }, 1); await new Promise(() => {})";
    let (_, ended) = run_with(&c, strict, limited(60)).await;
    let termination = Termination::Exited { code: 1 };
    assert_eq!(ended.ending, Ending::WorkerEnded { termination });
    assert_eq!(fail(&c, "kept").await, "ReferenceError");
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
    let show = "console.log(process.env['A-B']); process.env['A-B'] = '2'; process.env.K = 'k'";
    assert_eq!(run_with(&c, show, with("A-B")).await.0, "é\n");
    assert_eq!(
        run(&c, "console.log(process.env['A-B'], process.env.K)").await,
        "undefined k\n"
    );
    for code in ["throw 1", "process.exit()"] {
        run_with(&c, code, with("K")).await;
        run_with(&c, code, with("constructor")).await;
    }
    let kept = "console.log(process.env.K, Object.keys(process.env).includes('constructor'))";
    assert_eq!(run(&c, kept).await, "k false\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_time_limit_interrupts_and_keeps_the_state() {
    let engine = engine();
    let c = context(&engine).await;
    run(
        &c,
        "let kept = 1; const { execSync, spawnSync, spawn } = require('child_process')",
    )
    .await;
    let background = unique_sleep();
    run(
        &c,
        &format!("const server = spawn('sleep', ['{background}'])"),
    )
    .await;
    let child = unique_sleep();
    let child = child.as_str();
    for code in [
        "while (true);",
        "try { while (true); } catch { console.log('no') } finally { console.log('no') }",
        "await 1; while (true);",
        "await new Promise(() => {})",
        "await new Promise((r) => setTimeout(r, 1)); for (;;);",
        "setTimeout(() => { for (;;); }, 1); await new Promise(() => {})",
        "process.nextTick(() => { for (;;); }); await new Promise(() => {})",
        "/(a+)+$/.test('a'.repeat(50) + 'b')",
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
        &format!("spawnSync('sleep', ['{child}']); for (;;);"),
        &format!("try {{ execSync('sleep {child}') }} catch {{}} await new Promise(() => {{}})"),
    ] {
        let begin = Instant::now();
        let (output, ended) = run_with(&c, code, limited(1)).await;
        let limit = Duration::from_secs(1);
        let ending = Ending::TimedOut {
            limit,
            keeps_state: true,
        };
        assert_eq!(ended.ending, ending, "{code}");
        assert!(begin.elapsed() >= limit);
        assert_eq!(output, "", "{code}");
        assert_eq!(run(&c, "console.log(kept)").await, "1\n", "{code}");
        let timers = "console.log(await new Promise((r) => setTimeout(r, 5, 't')), await new Promise((r) => setImmediate(r, 'i')))";
        assert_eq!(run(&c, timers).await, "t i\n", "{code}");
    }
    eventually("the end of the child", || pid_of(child).is_none()).await;
    assert!(pid_of(&background).is_some());
    engine.shutdown().await;
    assert!(pid_of(&background).is_none());
}

#[tokio::test]
async fn code_that_cannot_be_interrupted_is_ended_with_its_worker() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "let kept = 1").await;
    let stubborn = "setImmediate(() => { for (;;); }); await new Promise(() => {})";
    let (_, ended) = run_with(&c, stubborn, limited(1)).await;
    let ending = Ending::TimedOut {
        limit: Duration::from_secs(1),
        keeps_state: false,
    };
    assert_eq!(ended.ending, ending);
    assert_eq!(fail(&c, "kept").await, "ReferenceError");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_reported_immediately_and_replaced() {
    let engine = engine();
    let c = context(&engine).await;
    for (code, output, termination) in [
        (
            "console.log('a'); process.reallyExit(3)",
            "a\n",
            Some(Termination::Exited { code: 3 }),
        ),
        (
            "process.kill(process.pid, 'SIGKILL'); for (;;);",
            "",
            Some(Termination::Signaled {
                signal: 9,
                core_dumped: false,
            }),
        ),
        ("process.abort()", "", None),
        (
            "for (let i = 3; i < 100; i++) { try { require('fs').closeSync(i) } catch {} }",
            "",
            None,
        ),
    ] {
        let begin = Instant::now();
        let (actual, ended) = run_with(&c, code, limited(60)).await;
        assert!(begin.elapsed() < PATIENCE, "{code}");
        match &ended.ending {
            Ending::WorkerEnded {
                termination: actual,
            } => {
                assert!(
                    termination.is_none_or(|expect| expect == *actual),
                    "{code}: {actual:?}"
                );
            }
            other => panic!("{code}: {other:?}"),
        }
        assert!(actual.starts_with(output), "{code}: {actual}");
        assert_eq!(run(&c, "console.log('alive')").await, "alive\n", "{code}");
    }
    // Between executions.
    let pid = run(
        &c,
        "console.log(process.pid); setTimeout(() => process.reallyExit(0), 100)",
    )
    .await;
    let process = format!("/proc/{}", pid.trim());
    eventually("its end", || !std::path::Path::new(&process).exists()).await;
    assert_eq!(run(&c, "console.log('alive')").await, "alive\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn collections_of_garbage_do_no_harm() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "require('v8').setFlagsFromString('--expose-gc'); const gc = require('vm').runInNewContext('gc')").await;
    let forever = "setTimeout(gc, 50); await new Promise(() => {})";
    for code in [forever, "setTimeout(gc, 50); new Promise(() => {})"] {
        let (_, ended) = run_with(&c, code, limited(1)).await;
        let ending = Ending::TimedOut {
            limit: Duration::from_secs(1),
            keeps_state: true,
        };
        assert_eq!(ended.ending, ending, "{code}");
        assert_eq!(run(&c, "gc(); console.log(1); await 1; gc()").await, "1\n");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn timers_go_on_in_the_background() {
    let engine = engine();
    let c = context(&engine).await;
    run(&c, "let n = 0; const timer = setInterval(() => { n += 1 }, 1); const server = require('net').createServer().listen(0)").await;
    let wait = "while (n < 5) await new Promise((r) => setTimeout(r, 1)); clearInterval(timer); console.log('went on')";
    assert_eq!(run(&c, wait).await, "went on\n");
    // What comes between executions belongs to no run.
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("written");
    let later = format!(
        "setTimeout(() => {{ console.log('between'); n = -1; require('fs').writeFileSync({written:?}, '') }}, 1)"
    );
    run(&c, &later).await;
    eventually("the timer", || written.exists()).await;
    assert_eq!(run(&c, "console.log(n)").await, "-1\n");
    engine.shutdown().await;
}

#[tokio::test]
async fn interrupts_and_restarts_are_asked_for() {
    let engine = engine();
    let c = context(&engine).await;
    assert!(!c.interrupt().await, "nothing runs");
    run(&c, "let kept = 1").await;
    for code in [
        "console.log('begun'); for (;;);",
        "console.log('begun'); await new Promise(() => {})",
        "for (;;) { console.log('a'); console.error('b') }",
    ] {
        let running = c.execute(code, limited(60)).unwrap();
        assert!(running.record().follow(0).unwrap().next().await.is_some());
        assert!(c.interrupt().await);
        let (_, end) = ended(&running).await;
        assert_eq!(end.ending, Ending::Interrupted, "{code}");
        assert_eq!(end.failure.clone().unwrap().name, "KeyboardInterrupt");
        assert_eq!(run(&c, "console.log(kept)").await, "1\n", "{code}");
    }
    let running = c.execute("console.log(1); for (;;);", limited(60)).unwrap();
    assert!(running.record().follow(0).unwrap().next().await.is_some());
    assert!(c.restart().await);
    assert_eq!(ended(&running).await.1.ending, Ending::Restarted);
    assert_eq!(fail(&c, "kept").await, "ReferenceError");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_context_runs_in_turn_and_contexts_side_by_side() {
    let engine = engine();
    let (a, b) = (context(&engine).await, context(&engine).await);
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let wait = format!("while (!require('fs').existsSync({gate:?})); let n = 0");
    let slow = a.execute(&wait, limited(60)).unwrap();
    let behind: Vec<_> = (0..100)
        .map(|_| a.execute("n += 1; console.log(n)", limited(60)).unwrap())
        .collect();
    assert_eq!(run(&b, "console.log('b')").await, "b\n");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(ended(&slow).await.1.ending, Ending::Completed);
    for (i, execution) in behind.iter().enumerate() {
        assert_eq!(ended(execution).await.0, format!("{}\n", i + 1));
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn deleting_ends_what_runs_and_what_waits() {
    let engine = engine();
    let c = context(&engine).await;
    let sleep = unique_sleep();
    let busy = format!(
        "require('child_process').spawn('sleep', ['{sleep}'], {{ detached: true }}); console.log(1); for (;;);"
    );
    let running = c.execute(&busy, limited(60)).unwrap();
    let waiting = c.execute("console.log(1)", limited(60)).unwrap();
    assert!(running.record().follow(0).unwrap().next().await.is_some());
    assert!(engine.contexts().delete(c.id()).await);
    assert!(pid_of(&sleep).is_none());
    for execution in [running, waiting] {
        assert_eq!(ended(&execution).await.1.ending, Ending::Deleted);
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn values_are_shown_if_asked_for() {
    let engine = engine();
    let c = context(&engine).await;
    let both =
        |text: &str, json: &str| vec![form("text/plain", text), form("application/json", json)];
    for (code, expect) in [
        ("let a = 2; a * 3", both("6", "6")),
        ("_ + 1", both("7", "7")),
        ("let b = 1", vec![]),
        ("undefined", vec![]),
        ("", vec![]),
        ("null", both("null", "null")),
        ("'s'", both("'s'", "\"s\"")),
        ("10n", vec![form("text/plain", "10n")]),
        ("NaN", vec![form("text/plain", "NaN")]),
        (
            "new Map([[1, 2]])",
            vec![form("text/plain", "Map(1) { 1 => 2 }")],
        ),
        (
            "const o = {}; o.o = o; o",
            vec![form("text/plain", "<ref *1> { o: [Circular *1] }")],
        ),
        (
            "() => 1",
            vec![form("text/plain", "[Function (anonymous)]")],
        ),
        ("Symbol('s')", vec![form("text/plain", "Symbol(s)")]),
        ("_ = 3", both("3", "3")),
        ("4", both("4", "4")),
        ("_", both("3", "3")),
        (
            "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>', 'image/png': 'AAAA', 'text/plain': 'P' }), toJSON: () => 1 })",
            vec![
                form("text/plain", "P"),
                form("application/json", "1"),
                form("text/html", "<b>"),
                form("image/png", "\0\0\0"),
            ],
        ),
    ] {
        assert_eq!(shown(&c, code).await, expect, "{code}");
    }
    let mut object = shown(&c, "({ a: [1, null] })").await;
    object.sort();
    assert_eq!(
        object,
        [
            form("application/json", "{\"a\":[1,null]}"),
            form("text/plain", "{ a: [ 1, null ] }")
        ]
    );
    let big = shown(
        &c,
        "({ [require('util').inspect.custom]: () => 'x'.repeat(20_000_000), a: 10n })",
    )
    .await;
    assert_eq!(big, [("text/plain".to_owned(), Err(20_000_000))]);
    // Code that shows a value is code, and can be interrupted.
    let options = ExecuteOptions {
        shows_value: true,
        ..limited(1)
    };
    let (_, ended) = run_with(&c, "({ toJSON() { for (;;); } })", options).await;
    let keeps_state = true;
    assert_eq!(
        ended.ending,
        Ending::TimedOut {
            limit: Duration::from_secs(1),
            keeps_state
        }
    );
    let (_, plain) = run_with(&c, "1", limited(60)).await;
    assert_eq!(plain.value, [], "nobody asked");
    engine.shutdown().await;
}

#[tokio::test]
async fn what_the_program_replaces_does_no_harm() {
    let engine = engine();
    let c = context(&engine).await;
    for code in [
        "console.log = null; JSON.stringify = null; require('fs').writeSync = null; Buffer.from('a')",
        "Error.stackTraceLimit = 0; Error.prepareStackTrace = () => { throw 1 }",
        "globalThis.process = null; globalThis.setTimeout = null; globalThis.setImmediate = null",
        "Promise.prototype.then = null; Map.prototype.has = null",
        "Object.defineProperty(globalThis, 'undefinedThing', { get() { throw 1 } })",
    ] {
        run(&c, code).await;
    }
    assert_eq!(
        shown(&c, "1 + 1").await,
        [form("text/plain", "2"), form("application/json", "2")]
    );
    assert_eq!(run(&c, "require('process').stdout.write('w')").await, "w");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_node_that_does_not_begin_makes_no_context() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy("/bin/false", directory.path().join("node")).unwrap();
    let mut environment = sandbox_engine::Environment::of_this_process();
    environment.set("PATH", directory.path());
    let engine = Engine::builder().environment(environment).build().unwrap();
    let options = ContextOptions::default();
    let made = engine
        .contexts()
        .create(Language::JavaScript, options)
        .await;
    assert!(made.is_err());
    assert!(engine.contexts().list().is_empty());
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
    let registers = |name: &str| {
        format!(
            "process.on('exit', (code) => require('fs').writeFileSync('{name}', 'at exit ' + code))"
        )
    };
    let c = make(&engine, Language::JavaScript).await;
    run(&c, &registers("idle")).await;
    assert!(engine.contexts().delete(c.id()).await);
    assert_eq!(left("idle"), "at exit 0");
    let c = make(&engine, Language::JavaScript).await;
    run(&c, &registers("waiting")).await;
    let running = c
        .execute(
            "console.log('begun'); await new Promise((r) => setTimeout(r, 600000))",
            limited(60),
        )
        .unwrap();
    let mut cursor = running.record().follow(0).unwrap();
    assert!(cursor.next().await.is_some());
    assert!(engine.contexts().delete(c.id()).await);
    assert_eq!(left("waiting"), "at exit 0");
    engine.shutdown().await;
}
