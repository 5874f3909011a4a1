//! Shell commands.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

use crate::command::Command;
use crate::engine::Engine;
use crate::environment::InvalidVariable;
use crate::launch::Handle;
use crate::run::{Outcome, Recorded, RunError, RunOptions};
use crate::script::Script;
use crate::session::quote;
use crate::shell::{is_executable, search_path};
use crate::spawner::SpawnError;
use crate::supervise::Program;

/// Why a command has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The command has nothing but white space.
    #[error("the command is blank")]
    Blank,
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The run has no outcome.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Engine {
    /// Runs `command` in a new shell to its end.
    ///
    /// The shell is the engine's ([`Shell`](crate::Shell)), neither interactive nor a login shell, in a process group of
    /// its own, with an empty standard input. The text may be of any size, and is never what the command reads.
    ///
    /// Resolves as soon as the shell has ended and all that it wrote has been read. A child that it left in the
    /// background delays nothing and goes on; what it writes later is read and dropped, so that it never blocks and
    /// is never ended by a closed pipe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the command running to its end or its time limit.
    ///
    /// # Errors
    ///
    /// [`ExecError`] when there is no outcome. Whatever a command does once it runs is an [`Outcome`].
    pub async fn exec(&self, command: &str, options: RunOptions) -> Result<Outcome, ExecError> {
        Ok(self.exec_recorded(command, options).await?.collect().await)
    }

    /// Runs `command` as [`exec`](Self::exec) does, and returns its output in its record instead of in memory.
    ///
    /// # Cancel safety
    ///
    /// As of [`exec`](Self::exec).
    ///
    /// # Errors
    ///
    /// As of [`exec`](Self::exec).
    pub async fn exec_recorded(
        &self,
        command: &str,
        options: RunOptions,
    ) -> Result<Recorded, ExecError> {
        let program = self.shell_program(command, &options)?;
        Ok(self.launcher().run(program, &options, ()).await?)
    }

    /// Starts `command` as [`exec`](Self::exec) does, and gives it to the caller to follow, to feed and to signal.
    ///
    /// What it writes is in its record as it comes, on stdout alone if the outputs are merged; what its background children
    /// write later is appended for as long as somebody holds the record.
    ///
    /// Resolves when the shell has been started.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the command was started or not; if it was, it runs to its end or its time limit.
    ///
    /// # Errors
    ///
    /// [`ExecError`]; nothing runs then.
    pub async fn start(&self, command: &str, options: RunOptions) -> Result<Command, ExecError> {
        let program = self.shell_program(command, &options)?;
        let record = self.records().record();
        let handle = Handle::new(command.to_owned(), record, options.input);
        let started = self.launcher().start(program, &options, handle, ()).await?;
        Ok(started.command)
    }

    /// Starts a program without a shell, in all else as [`start`](Self::start) does.
    ///
    /// `argv` is the program and its arguments, handed over as they are. A program without a slash is looked for on the
    /// `PATH` that it is to have; a script needs a line that names its interpreter.
    ///
    /// # Cancel safety
    ///
    /// As of [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`ExecError`], [`Blank`](ExecError::Blank) for no program or an empty one; nothing runs then.
    pub async fn start_program(
        &self,
        argv: Vec<OsString>,
        options: RunOptions,
    ) -> Result<Command, ExecError> {
        let env = self.environment(&options.env)?;
        let name = argv.first().filter(|name| !name.is_empty());
        let name = name.ok_or(ExecError::Blank)?;
        let path = match name.as_bytes().contains(&b'/') {
            true => Some(name.into()),
            false => search_path(name, &env, is_executable),
        };
        let path = path.ok_or_else(|| {
            RunError::Spawn(SpawnError::Program {
                path: name.into(),
                source: io::ErrorKind::NotFound.into(),
            })
        })?;
        let words = argv
            .iter()
            .map(|argument| word(&argument.to_string_lossy()));
        let text = words.collect::<Vec<_>>().join(" ");
        let program = Program {
            path,
            argv,
            env,
            extra_fds: Vec::new(),
            door: None,
        };
        let handle = Handle::new(text, self.records().record(), options.input);
        let started = self.launcher().start(program, &options, handle, ()).await?;
        Ok(started.command)
    }

    fn shell_program(&self, command: &str, options: &RunOptions) -> Result<Program, ExecError> {
        if command.trim().is_empty() {
            return Err(ExecError::Blank);
        }
        let env = self.environment(&options.env)?;
        let script =
            Script::new(command).map_err(|error| RunError::Spawn(SpawnError::Exhausted(error)))?;
        let shell = self.shell();
        Ok(Program {
            path: shell.path().to_owned(),
            argv: vec![shell.first_argument().into(), "-c".into(), script.argument],
            env,
            extra_fds: script.file.into_iter().collect(),
            door: None,
        })
    }
}

/// A word as a person would write it for a shell.
fn word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => quote(word),
    }
}
