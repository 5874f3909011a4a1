//! JavaScript and TypeScript, by Node.js.
//!
//! A program is run as `node FILE` runs a file in the working directory. `boot.cjs`, which Node.js loads before its main
//! module, is given the program by a sealed memory file, or by a socket in a process that has started already ([`spare`]).
//! Arguments begin at `process.argv[1]`, as the official SDKs have it; without arguments that is the program.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::SeekFrom;

use crate::engine::Engine;
use crate::run::{Recorded, RunOptions};
use crate::runtimes::NODE;
use crate::spawner::ChildFd;
use crate::state::{Scratch, State};
use crate::supervise;
use crate::sys;
use crate::warm::spare;

#[cfg(feature = "typescript")]
use super::compiler::format;
#[cfg(not(feature = "typescript"))]
use super::place;
use super::place::{Format, Place, ProgramFile};
use super::{CodeError, Program, script};

/// What `boot.cjs` is given to run.
#[derive(Debug)]
pub(crate) struct Source {
    /// What `boot.cjs` has to know of the text.
    pub(crate) letters: String,
    /// The program's name in the working directory.
    pub(crate) name: String,
    /// Empty if the program is in a file.
    pub(crate) text: String,
}

/// A program that Node.js understands.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) format: Format,
    /// Whether there is a source map at its end.
    pub(super) is_mapped: bool,
}

impl Source {
    /// As `boot.cjs` reads it from a file.
    fn in_file(&self) -> Vec<u8> {
        self.message(&[], "")
    }

    /// As `boot.cjs` reads it from a socket, with these arguments, none of which has a NUL.
    pub(crate) fn in_socket(&self, arguments: &[OsString]) -> Vec<u8> {
        self.message(arguments, "w")
    }

    fn message(&self, arguments: &[OsString], letter: &str) -> Vec<u8> {
        let length: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        let bytes = self.text.len() + length;
        let Self { letters, name, .. } = self;
        let head = format!("{bytes} {length} {letters}{letter} {name} ");
        let mut message = format!("{head:HEAD_BYTES$}").into_bytes();
        for argument in arguments {
            message.extend(argument.as_bytes());
            message.push(0);
        }
        message.extend(self.text.as_bytes());
        message
    }
}

/// The file of `boot.cjs`, which the programs of one engine share.
#[derive(Debug, Default)]
pub(crate) struct Boot {
    file: Mutex<Option<Arc<Scratch>>>,
}

impl Boot {
    /// Returns the file; writes another if a program has removed or changed it.
    fn file(&self, engine: &Engine) -> Result<Arc<Scratch>, CodeError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole =
            |file: &Scratch| fs::read(file.path()).is_ok_and(|text| text == BOOT.as_bytes());
        if let Some(found) = file.as_ref().filter(|file| is_whole(file)) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(script::file(engine, BOOT, "cjs")?);
        Ok(Arc::clone(file.insert(new)))
    }
}

/// Runs JavaScript.
pub(super) async fn javascript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let script = Script {
        format: format(engine, &program.code).await,
        text: program.code,
        is_mapped: false,
    };
    run(engine, Ok(script), program.argv, options).await
}

/// Runs TypeScript: its types are not checked. One that cannot be read is reported on stderr, with exit code 1.
#[cfg(feature = "typescript")]
pub(super) async fn typescript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let directory = engine.launcher().place(options.cwd.as_deref());
    let wanted = super::typescript::Options::of(&directory);
    let mut translated = super::compiler::translate(engine, wanted, &program.code).await?;
    if let Ok(program) = translated {
        translated = super::local::with_modules(engine, wanted, &directory, program).await?;
    }
    let script = translated.map(|translated| Script {
        text: translated.code,
        format: match translated.is_module {
            true => Format::Module,
            false => Format::CommonJs,
        },
        is_mapped: true,
    });
    run(engine, script, program.argv, options).await
}

/// Runs a program, or has a compiler's report written.
async fn run(
    engine: &Engine,
    script: Result<Script, String>,
    arguments: Vec<String>,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let mut env = engine.environment(&options.env)?;
    let runtimes = engine.runtimes();
    let executable = runtimes.find(&NODE, &env, engine.launcher()).await?;
    env.extend(&executable.environment);
    let launcher = engine.launcher();
    let boot = engine.node_boot().file(engine)?;
    // One is retained for programs that are like each other.
    let is_usual = options.env.is_empty() && options.cwd.is_none();
    let may_begin = |text: &str| is_usual && spare::may_begin(text);
    let warm = engine.warm();
    let spares = match &script {
        Ok(script) => warm.filter(|_| may_begin(&script.text)),
        Err(_) => warm.filter(|_| is_usual),
    };
    let spares = spares.map(|warm| warm.spares());
    let (source, file) = match script {
        Ok(script) => placed(
            launcher.state(),
            script,
            launcher.place(options.cwd.as_deref()),
        ),
        Err(report) => {
            let source = Source {
                letters: "r".to_owned(),
                name: PLACEHOLDER.to_owned(),
                text: report,
            };
            (source, None)
        }
    };
    let memory = sys::sealed_memory("sandbox-node", &[&source.in_file()])
        .and_then(rewound)
        .map_err(CodeError::Scratch)?;
    // Options of node's are before the main module only.
    let mut argv: Vec<OsString> = vec![
        executable.path.clone().into(),
        "--require".into(),
        boot.path().into(),
        PLACEHOLDER.into(),
    ];
    argv.extend(arguments.into_iter().map(Into::into));
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: vec![ChildFd::Given(Arc::new(memory))],
        door: spares.map(|spares| spares.door(source, launcher.spawner_handle())),
    };
    let outcome = launcher.run(program, &options, (file, boot)).await?;
    if let Some(spares) = spares {
        spares.prepare(launcher);
    }
    Ok(outcome)
}

/// Finds a place for a program in the working directory.
fn placed(state: &State, script: Script, directory: PathBuf) -> (Source, Option<ProgramFile>) {
    let place = Place::find(state, &directory, script.format, &script.text);
    let mut letters = String::new();
    if script.is_mapped {
        letters.push('s');
        if script.format == Format::CommonJs {
            letters.push('c');
        }
    }
    if place.is_hooked {
        letters.push('h');
    }
    if place.file.is_some() {
        letters.push('f');
        if script.text.contains("cluster") {
            letters.push('k');
        }
    }
    let source = Source {
        letters,
        name: place.name,
        text: match place.file {
            Some(_) => String::new(),
            None => script.text,
        },
    };
    (source, place.file)
}

/// It is read from where it stands.
fn rewound(memory: OwnedFd) -> io::Result<OwnedFd> {
    rustix::fs::seek(&memory, SeekFrom::Start(0))?;
    Ok(memory)
}

/// Without a parser Node.js has to see for itself.
#[cfg(not(feature = "typescript"))]
async fn format(_engine: &Engine, code: &str) -> Format {
    match place::mentions_modules(code) {
        true => Format::Unclear,
        false => Format::Chosen,
    }
}

/// What comes before the text and its arguments, for `boot.cjs`: two numbers, a few letters and a name.
const HEAD_BYTES: usize = 64;

/// The main module that Node.js is started with, in whose place `boot.cjs` puts the program.
const PLACEHOLDER: &str = "[program].js";

const BOOT: &str = include_str!("../../node/boot.cjs");
