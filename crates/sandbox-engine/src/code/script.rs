//! Languages whose runtime is given the path of a file.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::engine::Engine;
use crate::run::{Outcome, RunOptions};
use crate::runtimes::{BASH, BUN, DENO, R, RUBY, Runtime};
use crate::supervise;

use super::{CodeError, Language, Program};

/// How a runtime is told what to run.
struct Form {
    runtime: &'static Runtime,
    /// Before the file.
    options: &'static [&'static str],
    extension: &'static str,
}

fn form(language: Language) -> Form {
    let form = |runtime, options, extension| Form {
        runtime,
        options,
        extension,
    };
    match language {
        Language::Bash => form(&BASH, &[], "sh"),
        Language::Ruby => form(&RUBY, &[], "rb"),
        Language::R => form(&R, &["--vanilla"], "R"),
        Language::Deno => form(&DENO, &["run", "--quiet", "--allow-all"], "ts"),
        Language::Bun => form(&BUN, &["run"], "ts"),
        Language::Python | Language::JavaScript | Language::TypeScript => {
            unreachable!("they are run in ways of their own")
        }
    }
}

pub(super) async fn run(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let form = form(program.language);
    let mut env = engine.environment(&options.env)?;
    let runtimes = engine.runtimes();
    let executable = runtimes.find(form.runtime, &env, engine.launcher()).await?;
    env.extend(&executable.environment);
    let (directory, file) = file(&program.code, form.extension).map_err(CodeError::Scratch)?;
    let mut argv: Vec<OsString> = vec![executable.path.clone().into()];
    argv.extend(form.options.iter().map(Into::into));
    argv.push(file.into());
    argv.extend(program.argv.into_iter().map(Into::into));
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: Vec::new(),
        door: None,
    };
    Ok(engine.launcher().run(program, &options, directory).await?)
}

/// Puts the code in a file of its own in a private directory, which goes with the first return value.
pub(super) fn file(code: &str, extension: &str) -> io::Result<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::Builder::new().prefix("sandbox-run-").tempdir()?;
    let path = directory.path().join(format!("main.{extension}"));
    std::fs::File::create_new(&path)?.write_all(code.as_bytes())?;
    Ok((directory, path))
}
