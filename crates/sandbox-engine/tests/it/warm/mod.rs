//! What a program can find out is the same in a cold start and in a warm one.
//!
//! `programs` runs tables of programs by an engine that keeps nothing and by one that does, in one directory, and compares
//! all that can be seen of them. `fork` and `spare` test how a changed world, and other options, are noticed.

mod fork;
mod programs;
mod spare;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandbox_engine::code::{Language, Program};
use sandbox_engine::{Engine, EngineBuilder, Outcome, OutputMode, RunOptions, Termination};

/// All that can be seen of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    termination: Termination,
    channels: [String; 2],
    charts: Vec<Bytes>,
    /// What the run left in the working directory.
    files: BTreeMap<String, Vec<u8>>,
}

impl Seen {
    /// What is seen of a run in this directory, whose files are taken away then, but for [`FILES`].
    fn of(outcome: &Outcome, directory: &Path) -> Self {
        let channels = outcome.output.split.clone().unwrap();
        let mut files = BTreeMap::new();
        take_files(directory, directory, &mut files);
        Self {
            termination: outcome.termination.clone(),
            channels: channels
                .map(|channel| comparable(&String::from_utf8_lossy(&channel.to_vec()))),
            charts: outcome.artifacts.clone(),
            files,
        }
    }
}

/// Moves the contents of all files below `directory` that a program has made to `files`.
fn take_files(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if FILES.iter().any(|(file, _)| *file == name) {
            continue;
        }
        if path.is_dir() {
            // What Python compiled is not the program's.
            if name != "__pycache__" {
                files.insert(name, Vec::new());
                take_files(root, &path, files);
            }
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// The file of a run has a name of its own, objects have addresses, warnings name their process, and by which of its doors
/// Node.js came to a hook is a matter of time.
fn comparable(text: &str) -> String {
    let is_of_time =
        |line: &&str| line.starts_with("    at ") && DOORS.iter().any(|file| line.contains(file));
    let lines: Vec<_> = text.split('\n').filter(|line| !is_of_time(line)).collect();
    let mut text = lines.join("\n");
    for (before, is_own) in OWN {
        let mut parts = text.split(before);
        let mut clean = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            clean.push_str(before);
            clean.push_str(part.trim_start_matches(is_own));
        }
        text = clean;
    }
    text
}

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
        let engine = || Engine::builder().work_dir(directory.path());
        let build = |builder| set(builder).build().unwrap();
        let (cold, warm) = (build(engine().cold()), build(engine()));
        Self {
            directory,
            cold,
            warm,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn see(&self, engine: &Engine, program: Program) -> Seen {
        Seen::of(&run(engine, program).await, self.path())
    }
}

/// A pair with the interpreter that has numpy and matplotlib.
fn drawing() -> Pair {
    Pair::with(|builder| match std::env::var_os("SANDBOX_TEST_PYTHON") {
        Some(python) => builder.python(python),
        None => builder,
    })
}

/// A program with arguments that are hard to pass on.
fn program(language: Language, code: &str) -> Program {
    let arguments = ["a b", "", "é", "-e"];
    Program {
        language,
        code: code.to_owned(),
        argv: arguments.map(str::to_owned).to_vec(),
    }
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

/// Runs programs that begin like this one until one of them begins in a fork.
async fn until_forked(engine: &Engine, like: &str) {
    let deadline = Instant::now() + PATIENCE;
    let code = format!("{like}{PARENT}");
    while !is_forked(&run(engine, program(Language::Python, &code)).await) {
        assert!(Instant::now() < deadline, "no program is warm: {like}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a program that ended with [`PARENT`] was forked.
fn is_forked(outcome: &Outcome) -> bool {
    let said = crate::guard::text(outcome);
    let parent = said.lines().find_map(|line| line.strip_prefix("parent "));
    parent.is_some_and(|parent| parent != std::process::id().to_string())
}

/// Has a program print its parent, by words that the look at its text does not know.
const PARENT: &str = "\nimport os; print('parent', getattr(os, 'getp' + 'pid')())\n";

/// How long a server or a spare may take to be there on a busy machine, where the first may have been given up.
const PATIENCE: Duration = Duration::from_secs(300);

type IsOwn = fn(char) -> bool;

/// What stands before something that every process has of its own, and the characters of that.
const OWN: &[(&str, IsOwn)] = &[
    ("/sandbox-", |c| c.is_ascii_hexdigit()),
    ("/run-", |c| c.is_ascii_digit()),
    (" at 0x", |c| c.is_ascii_hexdigit()),
    ("hread 0x", |c| c.is_ascii_hexdigit()),
    ("(node:", |c| c.is_ascii_digit()),
];

/// Where Node.js calls from what it was asked of in another thread.
const DOORS: &[&str] = &[
    "(node:internal/event_target:",
    "(node:internal/modules/esm/worker:",
    "process.processTicksAndRejections (node:internal/process/task_queues:",
    "(node:internal/per_context/messageport:",
    "(node:internal/timers:",
];

/// What is in the working directory.
const FILES: &[(&str, &str)] = &[
    ("beside.py", "x = 42\n"),
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
