//! What a program of Node.js can find out is the same in a cold start and in a spare process.
//!
//! Each program is run by an engine that keeps nothing and by one that does, in the same directory, and what they say is
//! compared. The spare is found by its working directory, which no other test has.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sandbox_engine::code::{Language, Program};
use sandbox_engine::{
    Engine, EngineBuilder, Environment, Outcome, OutputMode, RunOptions, Termination,
};

use crate::guard::{eventually, text};

/// Two engines in a directory of their own.
struct Pair {
    directory: tempfile::TempDir,
    cold: Engine,
    warm: Engine,
}

impl Pair {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(set: impl Fn(EngineBuilder) -> EngineBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in FILES {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let engine = |is_warm| {
            let builder = Engine::builder().work_dir(directory.path()).warm(is_warm);
            set(builder).build().unwrap()
        };
        let (cold, warm) = (engine(false), engine(true));
        Self {
            directory,
            cold,
            warm,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The spare for modules, or for scripts, when it is there.
    async fn spare(&self, is_module: bool) -> Pid {
        let code = if is_module { "export {}" } else { "" };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(spare) = kept(self.path(), is_module) {
                return spare;
            }
            assert!(Instant::now() < deadline, "no spare comes");
            run(&self.warm, program(Language::JavaScript, code)).await;
            for _ in 0..100 {
                if kept(self.path(), is_module).is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Runs it, and tells whether it took the spare of its kind.
    async fn takes(
        &self,
        is_module: bool,
        program: Program,
        options: RunOptions,
    ) -> (bool, Outcome) {
        let spare = self.spare(is_module).await;
        let outcome = self.warm.run_code(program, options).await.unwrap();
        (test_kill_process(spare).is_err(), outcome)
    }

    /// What the two said, which is the same.
    async fn same(&self, language: Language, is_module: bool, code: &str) -> Outcome {
        let expect = run(&self.cold, program(language, code)).await;
        let (is_taken, found) = self
            .takes(is_module, program(language, code), split())
            .await;
        assert!(is_taken, "it started cold: {code}");
        assert_eq!(channels(&found), channels(&expect), "{code}");
        assert_eq!(found.termination, expect.termination, "{code}");
        found
    }

    async fn end(self) {
        self.warm.shutdown().await;
        for is_module in [false, true] {
            assert_eq!(kept(self.path(), is_module), None);
        }
    }
}

fn program(language: Language, code: &str) -> Program {
    Program {
        language,
        code: code.to_owned(),
        argv: vec![
            "a b".to_owned(),
            String::new(),
            "é".to_owned(),
            "-e".to_owned(),
        ],
    }
}

fn javascript(code: &str) -> Program {
    program(Language::JavaScript, code)
}

fn split() -> RunOptions {
    RunOptions {
        output: OutputMode::Split,
        ..RunOptions::default()
    }
}

async fn run(engine: &Engine, program: Program) -> Outcome {
    engine.run_code(program, split()).await.unwrap()
}

/// Warnings name their process, and by which of its doors Node.js came to a hook is a matter of time.
fn channels(outcome: &Outcome) -> [String; 2] {
    outcome.output.split.clone().unwrap().map(|channel| {
        let text = String::from_utf8_lossy(&channel.to_vec()).into_owned();
        let is_of_time = |line: &&str| {
            line.starts_with("    at ") && DOORS.iter().any(|file| line.contains(file))
        };
        let lines: Vec<_> = text.split('\n').filter(|line| !is_of_time(line)).collect();
        let text = lines.join("\n");
        let mut parts = text.split("(node:");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + "(node:" + part.trim_start_matches(|c: char| c.is_ascii_digit())
        })
    })
}

/// The process in this directory that waits for a program.
fn kept(directory: &Path, is_module: bool) -> Option<Pid> {
    let directory = std::fs::canonicalize(directory).ok()?;
    let call = format!("\n}})({is_module}, ");
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let is_here = std::fs::read_link(entry.path().join("cwd")).ok()? == directory;
        let cmdline = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_spare = cmdline.ends_with(b"\0--\0");
        let of_kind = String::from_utf8_lossy(&cmdline).contains(&call);
        (is_here && is_spare && of_kind).then(|| Pid::from_raw(pid))?
    })
}

#[tokio::test]
async fn a_script_in_a_spare_sees_what_a_started_one_sees() {
    let pair = Pair::new();
    for code in SCRIPTS {
        pair.same(Language::JavaScript, false, code).await;
    }
    pair.end().await;
}

#[tokio::test]
async fn a_module_in_a_spare_sees_what_a_started_one_sees() {
    let pair = Pair::new();
    for code in MODULES {
        pair.same(Language::JavaScript, true, code).await;
    }
    pair.end().await;
}

#[cfg(feature = "typescript")]
#[tokio::test]
async fn typescript_takes_the_spares_of_javascript() {
    let pair = Pair::new();
    for (is_module, code) in [
        (
            false,
            "enum E { A = 2 }\nconst x: number = E.A; console.log(x, process.argv)",
        ),
        (
            false,
            "interface Gone {\n  a: number\n}\nfunction f(): never {\n  throw new Error('boom')\n}\nf()",
        ),
        (false, "let a = 1\nlet = : number"),
        (
            false,
            "const e: Error = new Error('s'); console.log(e.stack)",
        ),
        (
            false,
            "function dec(t: any, k: string) { console.log('decorated', k) }\nclass C { @dec f() {} }\nconsole.log(typeof babelHelpers)",
        ),
        (
            true,
            "interface A {\n a: 1\n}\nimport fs from 'fs'; export const x: A | null = null;\nconsole.log(typeof fs.readFileSync, typeof require)\nthrow new Error('m')",
        ),
        (
            true,
            "interface A {\n a: 1\n}\nawait 1;\nPromise.reject(new Error('r'))",
        ),
    ] {
        pair.same(Language::TypeScript, is_module, code).await;
    }
    // What one has set another does not see.
    let code = "console.log(typeof babelHelpers, process.sourceMapsEnabled, new Error('x').stack.split('\\n')[1])";
    pair.same(Language::JavaScript, false, code).await;
    pair.end().await;
}

#[tokio::test]
async fn what_starts_cold_leaves_the_spare() {
    let pair = Pair::new();
    let options = |env: &[(&str, &str)], cwd: Option<&str>| RunOptions {
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        cwd: cwd.map(Into::into),
        ..split()
    };
    let long = Program {
        argv: vec!["x".repeat(70 << 10)],
        ..javascript("console.log(process.argv[1].length)")
    };
    for (program, options, said) in [
        (
            javascript("console.log(process.env.NODE_ENV)"),
            options(&[("NODE_ENV", "x")], None),
            "x\n",
        ),
        (
            javascript("console.log(process.env.TZ)"),
            options(&[("TZ", "Asia/Tokyo")], None),
            "Asia/Tokyo\n",
        ),
        (
            javascript("console.log(process.cwd())"),
            options(&[], Some("/")),
            "/\n",
        ),
        (
            javascript("console.log(performance.now() < 30000)"),
            split(),
            "true\n",
        ),
        (
            javascript("console.log(process.uptime() < 30)"),
            split(),
            "true\n",
        ),
        (long, split(), "71680\n"),
    ] {
        let code = program.code.clone();
        let (is_taken, outcome) = pair.takes(false, program, options).await;
        assert_eq!(text(&outcome), said);
        assert!(!is_taken, "{code}");
    }
    let cold = run(
        &pair.cold,
        javascript("require('fs').readSync(3, Buffer.alloc(1))"),
    )
    .await;
    assert!(text(&cold).contains("EBADF"), "{}", text(&cold));
    assert_eq!(kept(pair.path(), true), None, "no module was run");
    pair.end().await;
}

#[tokio::test]
async fn another_environment_or_kind_of_output_is_another_spare() {
    let pair = Pair::new();
    let code = "console.log(process.env.SANDBOX_TEST)";
    pair.spare(false).await;
    let set = [("SANDBOX_TEST".to_owned(), "1".to_owned())];
    pair.warm.update_environment(&set, &[], None).unwrap();
    let (_, outcome) = pair.takes(false, javascript(code), split()).await;
    assert_eq!(text(&outcome), "1\n");
    let (is_taken, outcome) = pair.takes(false, javascript(code), split()).await;
    assert_eq!(text(&outcome), "1\n");
    assert!(is_taken);

    let code = "console.log(1); console.error(2); console.log(3)";
    pair.takes(false, javascript(code), RunOptions::default())
        .await;
    eventually("the next is for the latest", || {
        kept(pair.path(), false).is_some()
    })
    .await;
    let (is_taken, outcome) = pair
        .takes(false, javascript(code), RunOptions::default())
        .await;
    assert_eq!(text(&outcome), "1\n2\n3\n");
    assert!(outcome.output.split.is_none() && is_taken);
    pair.end().await;
}

#[tokio::test]
async fn a_directory_made_anew_is_seen() {
    let pair = Pair::new();
    let old = pair.spare(false).await;
    std::fs::remove_dir_all(pair.path()).unwrap();
    std::fs::create_dir(pair.path()).unwrap();
    std::fs::write(pair.path().join("beside.js"), "exports.x = 'new'").unwrap();
    let code = "console.log(require('./beside').x, process.cwd(), require('fs').readdirSync('.'))";
    let expect = run(&pair.cold, javascript(code)).await;
    let found = run(&pair.warm, javascript(code)).await;
    assert_eq!(channels(&found), channels(&expect));
    assert!(text(&found).starts_with("new "), "{}", text(&found));
    eventually("the old one ends", || test_kill_process(old).is_err()).await;
    pair.same(Language::JavaScript, false, code).await;
    // One that is not there is told as ever.
    std::fs::remove_dir_all(pair.path()).unwrap();
    let program = javascript(code);
    assert!(pair.warm.run_code(program, split()).await.is_err());
    std::fs::create_dir(pair.path()).unwrap();
    pair.end().await;
}

#[tokio::test]
async fn files_are_read_when_the_program_asks() {
    let pair = Pair::new();
    let script = "console.log(require('./beside').x, require('#inner').x)";
    let module = "import { y } from './beside.mjs'; import p from './plain.js'; console.log(y, p)";
    std::fs::write(pair.path().join("plain.js"), "module.exports = 'c'").unwrap();
    pair.same(Language::JavaScript, false, script).await;
    pair.same(Language::JavaScript, true, module).await;
    pair.spare(false).await;
    pair.spare(true).await;
    let write =
        |name: &str, content: &str| std::fs::write(pair.path().join(name), content).unwrap();
    write("beside.js", "export const x = 'es'");
    write("beside.mjs", "export const y = 'changed'");
    write("plain.js", "export default 'es'");
    write("other.cjs", "exports.x = 'other'");
    write(
        "package.json",
        r##"{"type": "module", "imports": {"#inner": "./other.cjs"}}"##,
    );
    let script =
        "console.log(require('#inner').x); import('./beside.js').then((m) => console.log(m.x))";
    let said = text(&pair.same(Language::JavaScript, false, script).await);
    assert_eq!(said, "other\nes\n");
    let said = text(&pair.same(Language::JavaScript, true, module).await);
    assert_eq!(said, "changed es\n");
    pair.end().await;
}

#[tokio::test]
async fn a_spare_that_dies_or_stops_costs_only_time() {
    let pair = Pair::new();
    for signal in [Signal::KILL, Signal::TERM, Signal::STOP] {
        let spare = pair.spare(false).await;
        kill_process(spare, signal).unwrap();
        if signal == Signal::STOP {
            eventually("it has stopped", || state(spare) == Some(b'T')).await;
        }
        let outcome = run(&pair.warm, javascript("console.log(1)")).await;
        assert_eq!(text(&outcome), "1\n");
        eventually("it is gone", || test_kill_process(spare).is_err()).await;
        pair.same(Language::JavaScript, false, "console.log(2)")
            .await;
    }
    pair.end().await;
}

fn state(pid: Pid) -> Option<u8> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let rest = stat.rsplit_once(") ")?.1;
    rest.bytes().next()
}

#[tokio::test]
async fn big_programs_travel_whole() {
    let pair = Pair::new();
    let code = format!("console.log({:?}.length)", "é".repeat(1 << 20));
    let said = text(&pair.same(Language::JavaScript, false, &code).await);
    assert_eq!(said, "1048576\n");
    let code = format!("export {{}}; {code}");
    pair.same(Language::JavaScript, true, &code).await;
    pair.end().await;
}

#[tokio::test]
async fn a_time_limit_counts_from_the_run_and_ends_the_whole_tree() {
    let pair = Pair::new();
    let sleep = crate::guard::unique_sleep();
    let code = format!(
        "require('child_process').spawn('setsid', ['sleep', '{sleep}'], {{ detached: true }});\n\
         console.log('x'); setInterval(() => {{}}, 1000)"
    );
    pair.spare(false).await;
    // Longer than the limit.
    tokio::time::sleep(Duration::from_millis(1600)).await;
    let options = RunOptions {
        timeout: Some(Duration::from_millis(1500)),
        ..split()
    };
    let begun = Instant::now();
    let (is_taken, outcome) = pair.takes(false, javascript(&code), options).await;
    assert!(is_taken && begun.elapsed() >= Duration::from_millis(1500));
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    assert_eq!(text(&outcome), "x\n");
    eventually("its child has ended", || {
        crate::guard::pid_of(&sleep).is_none()
    })
    .await;
    pair.end().await;
}

#[tokio::test]
async fn an_engine_that_goes_leaves_no_spare() {
    let pair = Pair::new();
    let spares = [pair.spare(false).await, pair.spare(true).await];
    let Pair {
        directory, warm, ..
    } = pair;
    drop(warm);
    for spare in spares {
        eventually("it has ended", || test_kill_process(spare).is_err()).await;
    }
    assert_eq!(kept(directory.path(), false), None);
}

#[tokio::test]
async fn an_engine_that_may_not_keeps_no_spare() {
    let strange = |builder: EngineBuilder| {
        let mut environment = Environment::of_this_process();
        environment.set("NODE_OPTIONS", "--no-warnings");
        builder.environment(environment)
    };
    let (pair, strange) = (Pair::new(), Pair::with(strange));
    for _ in 0..3 {
        run(&pair.cold, javascript("console.log(1)")).await;
        run(&strange.warm, javascript("console.log(1)")).await;
        for pair in [&pair, &strange] {
            assert_eq!(kept(pair.path(), false), None);
        }
    }
    strange.end().await;
    pair.end().await;
}

#[tokio::test]
async fn programs_at_a_time_do_not_wait_for_each_other() {
    let pair = Pair::new();
    pair.spare(false).await;
    let code = "setTimeout(() => console.log(process.pid), 50)";
    let mut pids = Vec::new();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let engine = pair.warm.clone();
        set.spawn(async move { text(&run(&engine, javascript(code)).await) });
    }
    while let Some(said) = set.join_next().await {
        pids.push(said.unwrap());
    }
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 6, "{pids:?}");
    pair.end().await;
}

/// Where Node.js calls from what it was asked of in another thread.
const DOORS: &[&str] = &[
    "(node:internal/event_target:",
    "(node:internal/modules/esm/worker:",
    "process.processTicksAndRejections (node:internal/process/task_queues:",
    "(node:internal/per_context/messageport:",
    "(node:internal/timers:",
];

const FILES: &[(&str, &str)] = &[
    ("beside.js", "exports.x = 42"),
    ("beside.mjs", "export const y = 43"),
    ("data.json", "{\"z\": 44}"),
    (
        "package.json",
        r##"{"imports": {"#inner": "./beside.js"}}"##,
    ),
    (
        "child.js",
        "console.log('child', process.argv.slice(2), process.execArgv, process.cwd() === __dirname)",
    ),
];

const SCRIPTS: &[&str] = &[
    "console.log(1)",
    "",
    "console.log(process.argv, process.argv0, process.execArgv, process.execPath, process.title, process._eval)",
    "console.log(process.env, process.cwd(), process.env.PWD)",
    "console.log(__filename, __dirname, module, require.main === module, process.mainModule === module, module.paths)",
    "console.log(Reflect.ownKeys(globalThis), Object.keys(require.cache), typeof require.extensions)",
    "console.log(Reflect.ownKeys(process), process.features, process.release.name)",
    "console.log(this === module.exports, typeof exports, arguments.length, arguments[3], new.target)",
    "console.log(JSON.stringify(require('fs').readFileSync(0, 'utf8')))",
    "process.stdin.on('data', (d) => console.log('d', d)).on('end', () => console.log('end'))",
    "console.log(process.stdin.constructor.name, process.stdout.constructor.name, process.stderr.constructor.name, process.stdout.isTTY)",
    "const fs = require('fs'), at = '/pr' + 'oc/self/';
for (const fd of fs.readdirSync(at + 'fd')) try { console.log(fd, fs.readlinkSync(at + 'fd/' + fd).split(':')[0]) } catch {}",
    "const fs = require('fs'), at = '/pr' + 'oc/self/', stat = fs.readFileSync(at + 'stat', 'utf8').split(') ')[1].split(' ');
console.log(fs.readFileSync(at + 'limits', 'utf8').replace(/Max realtime timeout .*/, ''), fs.readFileSync(at + 'oom_score_adj', 'utf8'));
console.log(stat[1] == process.ppid, stat[2] == process.pid, stat[3], stat[16], fs.readFileSync(at + 'cgroup', 'utf8'));
console.log(fs.readFileSync(at + 'status', 'utf8').split('\\n').filter((l) => /^(Name|Umask|(Sig|Shd)(Pnd|Blk|Ign|Cgt)|Cap|Seccomp|NoNew|Uid|Gid)/.test(l)))",
    "console.log(process.umask(), process.getuid(), process.getgroups(), require('os').getPriority(), process.report?.compact)",
    "try { require('fs').readSync(3, Buffer.alloc(1)) } catch (e) { console.log(e.code) }",
    "console.log(require('./beside').x, require('./data.json'), require('#inner').x, require.resolve('./beside'))",
    "import('./beside.mjs').then((m) => console.log(m.y, m)); import('fs').then((m) => console.log(typeof m.default.readFileSync))",
    "require('no-such-package')",
    "import('no-such-package')",
    "\n\nthrow new Error('boom')",
    "let a = 1\nlet =",
    "import 'fs';\nlet =",
    "function f() { throw new TypeError('deep') }\nError.stackTraceLimit = 50\nf()",
    "Error.stackTraceLimit = 50; console.log(new Error('all').stack)",
    "\nPromise.reject(new Error('r'))",
    "Promise.reject('plain')",
    "throw null",
    "process.on('uncaughtException', (e, o) => { console.log('caught', e.message, o); process.exit(9) }); throw new Error('u')",
    "process.on('unhandledRejection', (e) => console.log('unhandled', e)); Promise.reject(1)",
    "process.on('exit', (c) => { console.log('exit', c); process.exitCode = 5 }); process.on('beforeExit', () => console.log('before'))",
    "process.on('exit', () => process.exit(7)); process.exit(3)",
    "process.exitCode = 300",
    "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
    "process.kill(process.pid, 'SIGKILL')",
    "process.abort()",
    "process.once('SIGTERM', (s) => console.log('got', s)); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 100)",
    "for (let i = 0; i < 20000; i++) console.log('line', i, 'x'.repeat(40))",
    "process.stdout.write('o'.repeat(3 << 20)); process.stderr.write('e'.repeat(100000)); process.exitCode = 2",
    "const c = require('child_process'); console.log(c.execSync('echo $PWD; pwd; ls; umask; ls /dev/fd | wc -l').toString())",
    "require('child_process').fork('./child.js', ['in'])",
    "const c = require('child_process'); console.log(c.spawnSync(process.execPath, ['-p', 'process.argv.length'], { encoding: 'utf8' }).stdout)",
    "const { Worker, isMainThread } = require('worker_threads');
new Worker(`console.log('worker', process.argv, process.execArgv, require('worker_threads').threadId)`, { eval: true, argv: ['w'] })",
    "const { Worker } = require('worker_threads'); new Worker('./child.js').on('exit', (c) => console.log('ended', c))",
    "const util = require('util'); try { console.log(util.parseArgs({ options: { e: { type: 'boolean', short: 'e' } }, allowPositionals: true })) } catch (e) { console.log(e.message) }",
    "const a = require('async_hooks'); console.log(a.executionAsyncId(), new a.AsyncResource('X').asyncId())",
    "setTimeout(() => console.log('timeout'), 20); setImmediate(() => console.log('immediate')); process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('promise'))",
    "const t = Date.now(); setTimeout(() => console.log(Date.now() - t >= 199 && Date.now() - t < 5000), 200)",
    "const s = AbortSignal.timeout(150), t = Date.now(); s.onabort = () => console.log(Date.now() - t >= 149, s.reason.name)\nsetTimeout(() => {}, 400)",
    "console.log(process.getActiveResourcesInfo(), process._getActiveHandles().length, process._getActiveRequests().length)",
    "console.log(process.listenerCount('exit'), process.eventNames(), process.getMaxListeners(), process.allowedNodeEnvironmentFlags.size)",
    "process.emitWarning('careful')",
    "function f() { return f() } try { f() } catch (e) { console.log(e.message) }",
    "const f = () => 1 + f(); f()",
    "const v = require('vm'); console.log(v.runInThisContext('typeof require + typeof module'), eval('typeof require'), new Function('return typeof require')())",
    "console.log(require('module').builtinModules.length, process.sourceMapsEnabled, process.versions.v8, Intl.DateTimeFormat().resolvedOptions())",
    "const http = require('http'); const s = http.createServer((q, r) => r.end('hi')).listen(0, () => fetch(`http://127.0.0.1:${s.address().port}`).then((r) => r.text()).then((t) => { console.log(t); s.close() }))",
    "const r = require('repl'); console.log(typeof r.start, typeof require('inspector').url())",
    "const h = require('v8').getHeapStatistics(); console.log(h.heap_size_limit, require('os').availableParallelism())",
    "require('fs').writeFileSync('written', 'w'); console.log(require('fs').readFileSync('written', 'utf8')); require('fs').unlinkSync('written')",
    "process.chdir('/'); console.log(process.cwd(), require('fs').existsSync('beside.js'))",
];

const MODULES: &[&str] = &[
    "import fs from 'fs'; console.log(1, typeof fs.readFileSync)",
    "export {}",
    "console.log(import.meta, import.meta.url, import.meta.resolve('./beside.mjs'), typeof this)\nexport default 1",
    "await 1; console.log(process.argv, process.execArgv, process.cwd(), process.env)",
    "await 0; console.log(Reflect.ownKeys(globalThis), typeof require, typeof module, typeof __filename)",
    "import { y } from './beside.mjs'; import c from './beside.js'; import { x } from '#inner'\nconsole.log(y, c, x, require('./beside').x)",
    "import data from './data.json' with { type: 'json' }; console.log(data)",
    "import 'fs';\nthrow new Error('m')",
    "import 'fs';\nError.stackTraceLimit = 50\nconsole.log(new Error('all').stack)",
    "import 'no-such-package'",
    "import './no-such-file.mjs'",
    "import { nothing } from 'fs'",
    "import 'fs';\nPromise.reject(new Error('r'))",
    "await new Promise(() => {})",
    "process.on('exit', (c) => { console.log('exit', c); process.exit(4) }); await 1; process.exit(3)",
    "const self = await import(import.meta.url); console.log(self.a); export const a = 5",
    "import { Worker } from 'worker_threads'; new Worker(`console.log('worker', process.argv)`, { eval: true })",
    "import { execSync } from 'child_process'; console.log(execSync('pwd; ls /dev/fd | wc -l').toString())",
    "import { fork } from 'child_process'; fork('./child.js', ['in'])",
    "import a from 'async_hooks'; console.log(process.getActiveResourcesInfo(), process._getActiveHandles().length)",
    "import fs from 'fs'; try { fs.readSync(3, Buffer.alloc(1)) } catch (e) { console.log(e.code) }",
    "import fs from 'fs'; const at = '/pr' + 'oc/self/';
for (const fd of fs.readdirSync(at + 'fd')) try { console.log(fd, fs.readlinkSync(at + 'fd/' + fd).split(':')[0]) } catch {}",
    "import { register } from 'module'; register('data:text/javascript,export async function load(u, c, n) { return n(u, c) }'); console.log(await import('./beside.mjs'))",
    "await 1; process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 5000))",
    "for await (const line of (await import('readline')).createInterface({ input: process.stdin })) console.log(line); console.log('end')",
];
