//! How spare processes of Node.js are taken, and when a program starts cold instead.
//!
//! A spare is found by its working directory, which no other test has.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sandbox_engine::code::{Language, Program};
use sandbox_engine::{EngineBuilder, Environment, Outcome, RunOptions, Termination};

use super::{PATIENCE, Pair, comparable, program, run, split};
use crate::guard::{eventually, text};

impl Pair {
    /// The spare, when it can be taken.
    async fn spare(&self) -> Pid {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.warm.has_spare()
                && let Some(spare) = kept(self.path())
            {
                return spare;
            }
            assert!(Instant::now() < deadline, "no spare comes");
            run(&self.warm, javascript("")).await;
            for _ in 0..100 {
                if self.warm.has_spare() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Runs it, and returns whether it took the spare.
    pub(super) async fn takes(&self, program: Program, options: RunOptions) -> (bool, Outcome) {
        let spare = self.spare().await;
        let outcome = self.warm.run_code(program, options).await.unwrap();
        (test_kill_process(spare).is_err(), outcome)
    }

    /// What the two said, which is the same.
    async fn same(&self, language: Language, code: &str) -> Outcome {
        let expect = run(&self.cold, program(language, code)).await;
        let (is_taken, found) = self.takes(program(language, code), split()).await;
        assert!(is_taken, "it started cold: {code}");
        assert_eq!(channels(&found), channels(&expect), "{code}");
        assert_eq!(found.termination, expect.termination, "{code}");
        found
    }

    pub(super) async fn end(self) {
        self.warm.shutdown().await;
        assert_eq!(kept(self.path()), None);
    }
}

fn javascript(code: &str) -> Program {
    program(Language::JavaScript, code)
}

fn channels(outcome: &Outcome) -> [String; 2] {
    let split = outcome.output.split.clone().unwrap();
    split.map(|channel| comparable(&String::from_utf8_lossy(&channel.to_vec())))
}

/// The process in this directory that waits for a program.
fn kept(directory: &Path) -> Option<Pid> {
    let directory = std::fs::canonicalize(directory).ok()?;
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let is_here = std::fs::read_link(entry.path().join("cwd")).ok()? == directory;
        let cmdline = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_spare = cmdline.ends_with(b"/main.cjs\0[program].js\0");
        (is_here && is_spare).then(|| Pid::from_raw(pid))?
    })
}

#[cfg(feature = "typescript")]
#[tokio::test]
async fn typescript_takes_the_spares_of_javascript() {
    let pair = Pair::new();
    for code in [
        "enum E { A = 2 }\nconst x: number = E.A; console.log(x, process.argv)",
        "interface Gone {\n  a: number\n}\nfunction f(): never {\n  throw new Error('boom')\n}\nf()",
        "let a = 1\nlet = : number",
        "const e: Error = new Error('s'); console.log(e.stack)",
        "function dec(t: any, k: string) { console.log('decorated', k) }\nclass C { @dec f() {} }\nconsole.log(typeof babelHelpers)",
        "interface A {\n a: 1\n}\nimport fs from 'fs'; export const x: A | null = null;\nconsole.log(typeof fs.readFileSync, typeof require)\nthrow new Error('m')",
        "interface A {\n a: 1\n}\nawait 1;\nPromise.reject(new Error('r'))",
    ] {
        pair.same(Language::TypeScript, code).await;
    }
    // What one has set another does not see.
    let code = "console.log(typeof babelHelpers, process.sourceMapsEnabled, new Error('x').stack.split('\\n')[1])";
    pair.same(Language::JavaScript, code).await;
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
        let (is_taken, outcome) = pair.takes(program, options).await;
        assert_eq!(text(&outcome), said);
        assert!(!is_taken, "{code}");
    }
    let cold = run(
        &pair.cold,
        javascript("require('fs').readSync(3, Buffer.alloc(1))"),
    )
    .await;
    assert!(text(&cold).contains("EBADF"), "{}", text(&cold));
    pair.end().await;
}

#[tokio::test]
async fn another_environment_or_kind_of_output_is_another_spare() {
    let pair = Pair::new();
    let code = "console.log(process.env.SANDBOX_TEST)";
    pair.spare().await;
    let set = |environment: &mut Environment| environment.set_checked("SANDBOX_TEST", "1");
    pair.warm.change_environment(set).unwrap();
    let (_, outcome) = pair.takes(javascript(code), split()).await;
    assert_eq!(text(&outcome), "1\n");
    let (is_taken, outcome) = pair.takes(javascript(code), split()).await;
    assert_eq!(text(&outcome), "1\n");
    assert!(is_taken);

    let code = "console.log(1); console.error(2); console.log(3)";
    pair.takes(javascript(code), RunOptions::default()).await;
    eventually("the next is for the latest", || pair.warm.has_spare()).await;
    let (is_taken, outcome) = pair.takes(javascript(code), RunOptions::default()).await;
    assert_eq!(text(&outcome), "1\n2\n3\n");
    assert!(outcome.output.split.is_none() && is_taken);
    pair.end().await;
}

#[tokio::test]
async fn a_changed_world_is_seen_by_the_next_program() {
    let directory = tempfile::tempdir().unwrap();
    let certificates = directory.path().join("certificates");
    let trusting = |builder: EngineBuilder| {
        let mut environment = Environment::of_this_process();
        environment.set("NODE_EXTRA_CA_CERTS", &certificates);
        builder.environment(environment)
    };
    let pair = Pair::with(trusting);
    let code = "console.log(require('os').getPriority())";
    let pid = "console.log(process.pid)";
    // The nice value is of this thread, from which the engine starts processes.
    let changes: [&dyn Fn(); 2] = [
        &|| {
            rustix::process::nice(1).unwrap();
        },
        &|| std::fs::write(&certificates, "").unwrap(),
    ];
    for change in changes {
        pair.same(Language::JavaScript, code).await;
        let old = pair.spare().await;
        change();
        let found = run(&pair.warm, javascript(pid)).await;
        assert_ne!(text(&found).trim(), old.as_raw_nonzero().to_string());
        pair.same(Language::JavaScript, code).await;
        eventually("the old one ends", || test_kill_process(old).is_err()).await;
    }
    pair.end().await;
}

#[tokio::test]
async fn a_file_in_the_working_directory_leaves_the_spare() {
    let pair = Pair::new();
    pair.spare().await;
    std::fs::write(pair.path().join("left.txt"), "a").unwrap();
    let code = "console.log(require('fs').readFileSync('left.txt', 'utf8'))";
    let (is_taken, outcome) = pair.takes(javascript(code), split()).await;
    assert_eq!((is_taken, text(&outcome).as_str()), (true, "a\n"));
    pair.end().await;
}

#[tokio::test]
async fn a_directory_made_anew_is_seen() {
    let pair = Pair::new();
    let old = pair.spare().await;
    std::fs::remove_dir_all(pair.path()).unwrap();
    std::fs::create_dir(pair.path()).unwrap();
    std::fs::write(pair.path().join("beside.js"), "exports.x = 'new'").unwrap();
    let code = "console.log(require('./beside').x, process.cwd(), require('fs').readdirSync('.'))";
    let expect = run(&pair.cold, javascript(code)).await;
    let found = run(&pair.warm, javascript(code)).await;
    assert_eq!(channels(&found), channels(&expect));
    assert!(text(&found).starts_with("new "), "{}", text(&found));
    eventually("the old one ends", || test_kill_process(old).is_err()).await;
    pair.same(Language::JavaScript, code).await;
    // A missing one is an error as ever.
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
    pair.same(Language::JavaScript, script).await;
    pair.same(Language::JavaScript, module).await;
    pair.spare().await;
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
    // That makes a module of the program, too.
    let script = "import('#inner').then((m) => console.log(m.x, typeof require))
        .then(() => import('./beside.js')).then((m) => console.log(m.x))";
    let said = text(&pair.same(Language::JavaScript, script).await);
    assert_eq!(said, "other undefined\nes\n");
    let said = text(&pair.same(Language::JavaScript, module).await);
    assert_eq!(said, "changed es\n");
    pair.end().await;
}

#[tokio::test]
async fn a_spare_that_dies_or_stops_costs_only_time() {
    let pair = Pair::new();
    for signal in [Signal::KILL, Signal::TERM, Signal::STOP] {
        let spare = pair.spare().await;
        kill_process(spare, signal).unwrap();
        if signal == Signal::STOP {
            eventually("it has stopped", || state(spare) == Some(b'T')).await;
        }
        let outcome = run(&pair.warm, javascript("console.log(1)")).await;
        assert_eq!(text(&outcome), "1\n");
        eventually("it is gone", || test_kill_process(spare).is_err()).await;
        pair.same(Language::JavaScript, "console.log(2)").await;
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
    let said = text(&pair.same(Language::JavaScript, &code).await);
    assert_eq!(said, "1048576\n");
    let code = format!("export {{}}; {code}");
    pair.same(Language::JavaScript, &code).await;
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
    crate::guard::within_a_limit(async |limit| {
        pair.spare().await;
        // So that the limit would be over if it counted from the start of the spare.
        tokio::time::sleep(limit + Duration::from_millis(100)).await;
        let options = RunOptions {
            timeout: Some(limit),
            ..split()
        };
        let begun = Instant::now();
        let (is_taken, outcome) = pair.takes(javascript(&code), options).await;
        assert!(is_taken && begun.elapsed() >= limit);
        assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
        (text(&outcome) == "x\n").then_some(())
    })
    .await;
    eventually("its child has ended", || {
        crate::guard::pid_of(&sleep).is_none()
    })
    .await;
    pair.end().await;
}

#[tokio::test]
async fn an_engine_that_goes_leaves_no_spare() {
    let pair = Pair::new();
    let spare = pair.spare().await;
    let Pair {
        directory, warm, ..
    } = pair;
    drop(warm);
    eventually("it has ended", || test_kill_process(spare).is_err()).await;
    assert_eq!(kept(directory.path()), None);
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
            assert_eq!(kept(pair.path()), None);
        }
    }
    strange.end().await;
    pair.end().await;
}

#[tokio::test]
async fn programs_at_a_time_do_not_wait_for_each_other() {
    let pair = Pair::new();
    pair.spare().await;
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
