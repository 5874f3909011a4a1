//! Runs JavaScript and TypeScript in Node.js.
//!
//! A program is run as `node FILE` runs a file in the working directory. `boot.cjs`, which Node.js loads before its
//! main module, gets the program from a sealed memory file, or from a socket in a process that has started already
//! ([`spare`]). Arguments begin at `process.argv[1]`, as the official SDKs have it; without arguments that is the
//! program.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::SeekFrom;

use crate::core::Core;
use crate::launch::LaunchSpec;
use crate::offload::file_calls;
use crate::run::{Recorded, RunError, RunOptions};
use crate::runtimes::NODE;
use crate::scripts::node::{BOOT, Source};
use crate::spawner::{ChildFd, SpawnError};
use crate::state::{Scratch, State};
use crate::sync::lock;
use crate::sys;
use crate::warm::spare::{self, Spares};

#[cfg(feature = "typescript")]
use super::compiler::format;
#[cfg(not(feature = "typescript"))]
use super::place;
use super::place::{Format, Place, ProgramFile};
use super::program::{CodeError, Program};
use super::script;

/// A program in a form that Node.js runs.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) format: Format,
    /// Whether the text has a source map at its end.
    pub(super) is_mapped: bool,
}

/// Runs the programs of one engine in Node.js.
#[derive(Debug)]
pub(super) struct Node {
    core: Arc<Core>,
    /// `None` if every program starts cold.
    spares: Option<Arc<Spares>>,
    /// The file of `boot.cjs`, which all programs share.
    boot: Mutex<Option<Arc<Scratch>>>,
}

impl Node {
    pub(super) fn new(core: Arc<Core>, spares: Option<Arc<Spares>>) -> Self {
        Self {
            core,
            spares,
            boot: Mutex::default(),
        }
    }

    /// Runs JavaScript.
    pub(super) async fn javascript(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        let script = Script {
            format: format(&self.core, &program.code).await,
            text: program.code,
            is_mapped: false,
        };
        self.run(Ok(script), program.argv, options).await
    }

    /// Runs TypeScript without checking types. A program that cannot be parsed is reported on stderr, with exit code 1.
    #[cfg(feature = "typescript")]
    pub(super) async fn typescript(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        let core = &self.core;
        let directory = core.launcher().resolve_cwd(options.cwd.as_deref());
        let sees = core.launcher().sees(options.isolation.as_ref());
        let place = directory.clone();
        let wanted = file_calls(move || super::typescript::Options::of(&place)).await;
        let wanted = wanted.map_err(|error| unresponsive(&directory, error))?;
        let mut translated = super::compiler::translate(core, wanted, &program.code).await?;
        if let Ok(program) = translated {
            translated =
                super::local::with_modules(core, wanted, &directory, program, sees).await?;
        }
        let script = translated.map(|translated| Script {
            text: translated.code,
            format: if translated.is_module {
                Format::Module
            } else {
                Format::CommonJs
            },
            is_mapped: true,
        });
        self.run(script, program.argv, options).await
    }

    /// Runs a program, or writes a compiler's report.
    async fn run(
        &self,
        script: Result<Script, String>,
        arguments: Vec<String>,
        options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        let mut env = self.core.environment_with(&options.env)?;
        let executable = self
            .core
            .runtime(&NODE, &mut env, options.isolation.as_ref());
        let executable = executable.await?;
        let launcher = self.core.launcher();
        let boot = self.boot_file()?;
        // The pool only serves programs with the default environment and directory, and is not isolated.
        let is_usual =
            options.env.is_empty() && options.cwd.is_none() && options.isolation.is_none();
        let may_begin = match &script {
            Ok(script) => is_usual && spare::may_begin(&script.text),
            Err(_) => is_usual,
        };
        let spares = self.spares.as_ref().filter(|_| may_begin);
        let (source, file) = match script {
            Ok(script) => {
                let directory = launcher.resolve_cwd(options.cwd.as_deref());
                // The engine writes nothing where an isolated program has chosen what is there.
                let state = options
                    .isolation
                    .is_none()
                    .then(|| launcher.state().clone());
                let place = directory.clone();
                let placed = file_calls(move || placed(state.as_ref(), script, place)).await;
                placed.map_err(|error| unresponsive(&directory, error))?
            }
            Err(report) => (reported(report), None),
        };
        let memory = sys::sealed_memory("sandbox-node", &[&source.in_file()])
            .and_then(rewound)
            .map_err(CodeError::Scratch)?;
        // `process.argv0` and `process.title`, as after `node FILE` in a shell. Only options of Node.js may precede the main module.
        let mut argv: Vec<OsString> = vec![
            NODE.name().into(),
            "--require".into(),
            boot.path().into(),
            PLACEHOLDER.into(),
        ];
        argv.extend(arguments.into_iter().map(Into::into));
        let program = LaunchSpec {
            path: executable.path,
            argv,
            env,
            extra_fds: vec![ChildFd::Given(Arc::new(memory))],
            spawner: spares.map(|spares| spares.spawner(source, launcher.spawner())),
            shown: vec![boot.path().to_owned()],
        };
        // Both files are removed when the program has ended: it may load them again until then.
        let outcome = launcher.run(program, &options, (file, boot)).await?;
        if let Some(spares) = spares {
            spares.prepare(launcher);
        }
        Ok(outcome)
    }

    /// Returns the file of `boot.cjs`; writes a new one if a program has removed or changed it.
    fn boot_file(&self) -> Result<Arc<Scratch>, CodeError> {
        let mut file = lock(&self.boot);
        let is_whole =
            |file: &Scratch| fs::read(file.path()).is_ok_and(|text| text == BOOT.as_bytes());
        if let Some(found) = file.as_ref().filter(|file| is_whole(file)) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(script::file(&self.core, BOOT, "cjs")?);
        Ok(Arc::clone(file.insert(new)))
    }
}

/// Returns a source with which `boot.cjs` writes a compiler's report instead of running a program.
fn reported(report: String) -> Source {
    Source {
        letters: "r".to_owned(),
        name: PLACEHOLDER.to_owned(),
        text: report,
    }
}

/// Finds a place for a program in the working directory; without a state, one that needs no file there.
fn placed(
    state: Option<&State>,
    script: Script,
    directory: PathBuf,
) -> (Source, Option<ProgramFile>) {
    let place = Place::find(state, &directory, script.format, &script.text);
    // The letters that `boot.cjs` knows.
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

/// Returns the error for a working directory on a file system that does not respond.
pub(super) fn unresponsive(directory: &Path, source: io::Error) -> CodeError {
    let path = directory.to_owned();
    RunError::from(SpawnError::WorkDir { path, source }).into()
}

/// Rewinds the file, which is read from its current position.
fn rewound(memory: OwnedFd) -> io::Result<OwnedFd> {
    rustix::fs::seek(&memory, SeekFrom::Start(0))?;
    Ok(memory)
}

/// Returns the format of a program; without a parser only Node.js can find it out.
#[cfg(not(feature = "typescript"))]
async fn format(_core: &Core, code: &str) -> Format {
    if place::mentions_modules(code) {
        Format::Unclear
    } else {
        Format::Chosen
    }
}

/// The name of the main module with which Node.js is started, and in whose place `boot.cjs` puts the program.
const PLACEHOLDER: &str = "[program].js";
