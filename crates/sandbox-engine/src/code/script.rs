//! Languages whose runtime is given the path of a file.

use std::ffi::OsString;

use crate::engine::Engine;
use crate::run::{Recorded, RunOptions};
use crate::runtimes::{BASH, BUN, DENO, R, RUBY, Runtime};
use crate::state::Scratch;
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
) -> Result<Recorded, CodeError> {
    let form = form(program.language);
    let mut env = engine.environment(&options.env)?;
    let runtimes = engine.runtimes();
    let executable = runtimes.find(form.runtime, &env, engine.launcher()).await?;
    env.extend(&executable.environment);
    let file = file(engine, &program.code, form.extension)?;
    let mut argv: Vec<OsString> = vec![executable.path.clone().into()];
    argv.extend(form.options.iter().map(Into::into));
    argv.push(file.path().into());
    argv.extend(program.argv.into_iter().map(Into::into));
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: Vec::new(),
        door: None,
    };
    Ok(engine.launcher().run(program, &options, file).await?)
}

/// Writes the code to a private file, which is removed with the return value.
pub(super) fn file(engine: &Engine, code: &str, extension: &str) -> Result<Scratch, CodeError> {
    let state = engine.launcher().state();
    let file = state.scratch(&format!("main.{extension}"), code.as_bytes());
    file.map_err(CodeError::Scratch)
}
