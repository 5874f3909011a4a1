//! Shell commands.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

use crate::command::Command;
use crate::core::Core;
use crate::environment::InvalidVariable;
use crate::launch::{Handle, LaunchSpec};
use crate::offload::file_calls;
use crate::run::{Recorded, RunError, RunOptions};
use crate::script::Script;
use crate::session::quote;
use crate::shell::{is_executable, search_path};
use crate::spawner::SpawnError;

/// An error from running a command: there is no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The command is empty or white space only.
    #[error("the command is blank")]
    Blank,
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The run has no outcome.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Implements [`Engine::exec_recorded`](crate::Engine::exec_recorded).
pub(crate) async fn run(
    core: &Core,
    command: &str,
    options: &RunOptions,
) -> Result<Recorded, ExecError> {
    let options = &core.isolated(options);
    let program = shell_program(core, command, options)?;
    Ok(core.launcher().run(program, options, ()).await?)
}

/// Implements [`Engine::start`](crate::Engine::start).
pub(crate) async fn start(
    core: &Core,
    command: &str,
    options: &RunOptions,
) -> Result<Command, ExecError> {
    let options = &core.isolated(options);
    let program = shell_program(core, command, options)?;
    launch(core, program, command.to_owned(), options).await
}

/// Implements [`Engine::start_program`](crate::Engine::start_program).
pub(crate) async fn start_program(
    core: &Core,
    argv: Vec<OsString>,
    options: &RunOptions,
) -> Result<Command, ExecError> {
    let options = &core.isolated(options);
    let env = core.environment_with(&options.env)?;
    let name = argv.first().filter(|name| !name.is_empty());
    let name = name.ok_or(ExecError::Blank)?;
    let not_started = |source| {
        RunError::Spawn(SpawnError::Program {
            path: name.into(),
            source,
        })
    };
    let (sought, searched) = (name.clone(), env.clone());
    let sees = core.launcher().sees(options.isolation.as_ref());
    let found = file_calls(move || {
        if sought.as_bytes().contains(&b'/') {
            // Only to see whether it responds. The child may see other file systems.
            let _ = is_executable(sought.as_ref());
            Some(sought.into())
        } else {
            search_path(&sought, &searched, |path| is_executable(path) && sees(path))
        }
    });
    let path = found.await.map_err(not_started)?;
    let path = path.ok_or_else(|| not_started(io::ErrorKind::NotFound.into()))?;
    let words = argv
        .iter()
        .map(|argument| word(&argument.to_string_lossy()));
    let text = words.collect::<Vec<_>>().join(" ");
    let program = LaunchSpec {
        path,
        argv,
        env,
        extra_fds: Vec::new(),
        spawner: None,
        shown: Vec::new(),
    };
    launch(core, program, text, options).await
}

async fn launch(
    core: &Core,
    program: LaunchSpec,
    text: String,
    options: &RunOptions,
) -> Result<Command, ExecError> {
    let handle = Handle::new(text, core.records().record(), options.input);
    let started = core.launcher().start(program, options, handle, ()).await?;
    Ok(started.command)
}

fn shell_program(
    core: &Core,
    command: &str,
    options: &RunOptions,
) -> Result<LaunchSpec, ExecError> {
    if command.trim().is_empty() {
        return Err(ExecError::Blank);
    }
    let env = core.environment_with(&options.env)?;
    let script =
        Script::new(command).map_err(|error| RunError::Spawn(SpawnError::Exhausted(error)))?;
    let shell = core.shell();
    Ok(LaunchSpec {
        path: shell.path().to_owned(),
        argv: vec![shell.first_argument().into(), "-c".into(), script.argument],
        env,
        extra_fds: script.file.into_iter().collect(),
        spawner: None,
        shown: Vec::new(),
    })
}

/// Quotes a word for a shell, only if it needs it.
fn word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        quote(word)
    }
}
