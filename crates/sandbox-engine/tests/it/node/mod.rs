//! A JavaScript program does what `node FILE` does: what it writes, stacks included, and how it ends.
//!
//! Each program of a table is run by the engine and by Node.js itself, in the same directory. Nothing of the engine's may be
//! seen, so no line is left out of the comparison; only the program's own name is made the same.

mod javascript;
#[cfg(feature = "typescript")]
mod typescript;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use sandbox_engine::code::{Language, Program};
use sandbox_engine::{Engine, OutputMode, RunOptions, Termination};

/// A program, and why it is in the table.
struct Case {
    why: &'static str,
    code: &'static str,
}

/// What a run did: standard output, standard error and exit code.
#[derive(Debug, PartialEq, Eq)]
struct Did {
    out: String,
    err: String,
    code: i32,
}

/// A directory with modules that programs import.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the engine's processes are compared with"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// The path of Node.js itself, past a version manager's shim.
fn node() -> &'static str {
    static NODE: LazyLock<String> = LazyLock::new(|| {
        let output = command("node").args(["-p", "process.execPath"]).output();
        String::from_utf8(output.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    });
    &NODE
}

/// Runs a file as `node FILE` in a shell.
fn by_node(directory: &Path, options: &[&str], name: &str, text: &str) -> Did {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    let mut node = command(node());
    node.arg0("node")
        .args(options)
        .arg(name)
        .current_dir(directory)
        .stdin(Stdio::null());
    let output = node.output().unwrap();
    std::fs::remove_file(path).unwrap();
    did(
        directory,
        &output.stdout,
        &output.stderr,
        output.status.code(),
    )
}

async fn by_engine(engine: &Engine, directory: &Path, language: Language, code: &str) -> Did {
    let program = Program {
        language,
        code: code.to_owned(),
        argv: Vec::new(),
    };
    let options = RunOptions {
        output: OutputMode::Split,
        ..RunOptions::default()
    };
    let outcome = engine.run_code(program, options).await.unwrap();
    let code = match outcome.termination {
        Termination::Exited { code } => Some(code),
        _ => None,
    };
    let [out, err] = outcome
        .output
        .split
        .unwrap()
        .map(|channel| channel.to_vec());
    did(directory, &out, &err, code)
}

fn did(directory: &Path, out: &[u8], err: &[u8], code: Option<i32>) -> Did {
    let plain = |text: &[u8]| {
        let mut text = String::from_utf8_lossy(text).into_owned();
        let directory = std::fs::canonicalize(directory).unwrap();
        text = text.replace(directory.to_str().unwrap(), "DIRECTORY");
        for name in NAMES {
            text = text.replace(name, "PROGRAM");
        }
        without_pid(&text)
    };
    Did {
        out: plain(out),
        err: plain(err),
        code: code.unwrap_or(-1),
    }
}

/// Warnings name their process.
fn without_pid(text: &str) -> String {
    let mut parts = text.split("(node:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "(node:" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// What a program is called, by us and by those that it is compared with.
const NAMES: &[&str] = &[
    "[program].js",
    "[program].cjs",
    "[program].ts",
    "%5Bprogram%5D.js",
    ".program.js",
    ".program.mjs",
    ".program.cjs",
    "compared.js",
    "compared.mjs",
    "compared.ts",
];

const FILES: &[(&str, &str)] = &[
    (
        "beside.js",
        "exports.x = 42; exports.parent = module.parent && module.parent.id;",
    ),
    ("beside.mjs", "export const y = 43; export default 'd';"),
    (
        "throws.js",
        "\n\nfunction deep() { throw new Error('from beside') }\nexports.deep = deep;",
    ),
    ("data.json", "{\"z\": 44}"),
    ("folder/index.js", "exports.name = 'folder';"),
    (
        "child.js",
        "console.log('child', process.argv.slice(2), process.execArgv);",
    ),
    (
        "node_modules/umd/index.js",
        ";(function() { function chunk(a) { return [a]; } var lib = function() {}; lib.chunk = chunk; module.exports = lib; }).call(this);",
    ),
    (
        "node_modules/transpiled/index.js",
        "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 'own default'; exports.count = 0; exports.add = function () { exports.count += 1; };",
    ),
    (
        "node_modules/esm/package.json",
        "{\"type\": \"module\", \"exports\": \"./main.js\"}",
    ),
    (
        "node_modules/esm/main.js",
        "export const named = 'n'; export default 'esm';",
    ),
    (
        "node_modules/broken/package.json",
        "{\"main\": \"none.js\"}",
    ),
];
