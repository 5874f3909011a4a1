//! Languages whose runtime gets the path of a file.

use std::ffi::OsString;

use crate::core::Core;
use crate::launch::LaunchSpec;
use crate::run::{Recorded, RunOptions};
use crate::runtimes::{BASH, BUN, DENO, R, RUBY, Runtime};
use crate::state::Scratch;

use super::program::{CodeError, Language, Program};

/// The form of a runtime's command line.
struct Form {
    runtime: &'static Runtime,
    /// The options before the file.
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
        // No `.Rprofile` or `.RData` of the working directory changes what the program does.
        Language::R => form(&R, &["--vanilla"], "R"),
        Language::Deno => form(&DENO, &["run", "--quiet", "--allow-all"], "ts"),
        Language::Bun => form(&BUN, &["run"], "ts"),
        Language::Python | Language::JavaScript | Language::TypeScript => {
            unreachable!("they are run in ways of their own")
        }
    }
}

pub(super) async fn run(
    core: &Core,
    program: Program,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let form = form(program.language);
    let mut env = core.environment_with(&options.env)?;
    let executable = core.runtime(form.runtime, &mut env, options.isolation.as_ref());
    let executable = executable.await?;
    let file = file(core, &program.code, form.extension)?;
    let mut argv: Vec<OsString> = vec![executable.path.clone().into()];
    argv.extend(form.options.iter().map(Into::into));
    argv.push(file.path().into());
    argv.extend(program.argv.into_iter().map(Into::into));
    let program = LaunchSpec {
        path: executable.path,
        argv,
        env,
        extra_fds: Vec::new(),
        spawner: None,
        shown: vec![file.path().to_owned()],
    };
    Ok(core.launcher().run(program, &options, file).await?)
}

/// Writes the code to a private file, which is removed when the return value is dropped.
pub(super) fn file(core: &Core, code: &str, extension: &str) -> Result<Scratch, CodeError> {
    let state = core.launcher().state();
    let file = state.scratch(&format!("main.{extension}"), code.as_bytes());
    file.map_err(CodeError::Scratch)
}
