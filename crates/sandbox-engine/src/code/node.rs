//! JavaScript and TypeScript, by Node.js.
//!
//! The program travels in a sealed memory file and is run by `boot.cjs` as a file in the working directory would be:
//! `require` and `import` find what is beside it. A process that has started already may be given it by a socket instead
//! ([`spare`]). Arguments begin at `process.argv[1]`, as the official SDKs have it.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, LazyLock};

use rustix::fs::SeekFrom;

use crate::engine::Engine;
use crate::run::{Outcome, RunOptions};
use crate::runtimes::NODE;
use crate::spawner::ChildFd;
use crate::supervise;
use crate::sys;
use crate::warm::spare::{self, Kind};

#[cfg(feature = "typescript")]
use super::compiler::is_module;
use super::{CodeError, Program};

/// What `boot.cjs` is given to run.
#[derive(Debug)]
pub(crate) struct Source {
    kind: Kind,
    /// What `boot.cjs` has to know of the text.
    letters: String,
    text: String,
}

impl Source {
    fn javascript(text: String, is_module: bool) -> Self {
        Self {
            kind: if is_module {
                Kind::Module
            } else {
                Kind::Script
            },
            letters: String::new(),
            text,
        }
    }

    /// As `boot.cjs` reads it from a file.
    fn in_file(&self) -> Vec<u8> {
        self.told(&[], "")
    }

    /// As `boot.cjs` reads it from a socket, with these arguments, none of which has a NUL.
    pub(crate) fn in_socket(&self, arguments: &[OsString]) -> Vec<u8> {
        self.told(arguments, "w")
    }

    fn told(&self, arguments: &[OsString], letter: &str) -> Vec<u8> {
        let length: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        let bytes = self.text.len() + length;
        let head = format!("{bytes} {length} {}{letter} ", self.letters);
        let mut told = format!("{head:HEAD_BYTES$}").into_bytes();
        for argument in arguments {
            told.extend(argument.as_bytes());
            told.push(0);
        }
        told.extend(self.text.as_bytes());
        told
    }
}

/// Runs JavaScript.
pub(super) async fn javascript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let is_module = is_module(engine, &program.code).await;
    let source = Source::javascript(program.code, is_module);
    run(engine, source, program.argv, options).await
}

/// Runs TypeScript: its types are not checked. One that cannot be read is told on stderr, with exit code 1.
#[cfg(feature = "typescript")]
pub(super) async fn typescript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let translated = super::compiler::translate(engine, &program.code).await?;
    let source = match translated {
        Ok(translated) => Source {
            letters: match translated.code.contains("babelHelpers.") {
                true => "md".to_owned(),
                false => "m".to_owned(),
            },
            ..Source::javascript(translated.code, translated.is_module)
        },
        Err(report) => Source {
            letters: "r".to_owned(),
            ..Source::javascript(report, false)
        },
    };
    run(engine, source, program.argv, options).await
}

async fn run(
    engine: &Engine,
    source: Source,
    arguments: Vec<String>,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let mut env = engine.environment(&options.env)?;
    let runtimes = engine.runtimes();
    let executable = runtimes.find(&NODE, &env, engine.launcher()).await?;
    env.extend(&executable.environment);
    let memory = sys::sealed_memory("sandbox-node", &[&source.in_file()])
        .and_then(rewound)
        .map_err(CodeError::Scratch)?;
    let kind = source.kind;
    // Behind the two dashes are no options of node's.
    let mut argv: Vec<OsString> = vec![
        executable.path.clone().into(),
        "-e".into(),
        BOOT[kind as usize].as_str().into(),
        "--".into(),
    ];
    argv.extend(arguments.into_iter().map(Into::into));
    let launcher = engine.launcher();
    // One is kept for programs that are like each other.
    let is_usual = options.env.is_empty() && options.cwd.is_none();
    let spares = engine
        .warm()
        .filter(|_| is_usual && spare::may_begin(&source.text))
        .map(|warm| warm.spares());
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: vec![ChildFd::Given(Arc::new(memory))],
        door: spares.map(|spares| spares.door(kind, source, launcher.spawner_handle())),
    };
    let outcome = launcher.run(program, &options, ()).await?;
    if let Some(spares) = spares {
        spares.prepare(kind, launcher);
    }
    Ok(outcome)
}

/// It is read from where it stands.
fn rewound(memory: OwnedFd) -> io::Result<OwnedFd> {
    rustix::fs::seek(&memory, SeekFrom::Start(0))?;
    Ok(memory)
}

#[cfg(not(feature = "typescript"))]
async fn is_module(_engine: &Engine, code: &str) -> bool {
    begins_like_a_module(code)
}

/// Returns whether a line of a program begins with a word of modules. Without a parser nothing more can be known.
pub(super) fn begins_like_a_module(code: &str) -> bool {
    let begins = |line: &str| {
        ["import ", "import{", "export ", "export{", "await "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    code.lines().any(begins)
}

/// What comes before the text and its arguments, for `boot.cjs`: two numbers and a few letters.
const HEAD_BYTES: usize = 64;

/// What `-e` is given for each [`Kind`].
static BOOT: LazyLock<[String; Kind::COUNT]> = LazyLock::new(|| {
    let boot = include_str!("../../node/boot.cjs").trim_end();
    let decorators = include_str!("../../node/decorators.cjs");
    [false, true].map(|is_module| format!("{boot}({is_module}, () => {{\n{decorators}}})"))
});
