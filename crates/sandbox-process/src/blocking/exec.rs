//! Commands and programs.

use std::ffi::OsStr;
use std::sync::Arc;

use super::{Process, Running};
use crate::{CodeRunParams, Outcome};

/// Commands and programs.
impl Process {
    /// Returns a shell command to [run](Exec::run) or [spawn](Exec::spawn). See [`crate::Process::exec`].
    pub fn exec(&self, command: impl Into<String>) -> Exec {
        Exec {
            inner: self.as_async().exec(command),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a program with arguments to [run](Command::run) or [spawn](Command::spawn). See [`crate::Process::command`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command {
            inner: self.as_async().command(program),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a program to [run](CodeRun::run). See [`crate::Process::code_run`].
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun {
        CodeRun {
            inner: self.as_async().code_run(code),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

builder! {
    /// A shell command to run. See [`crate::Exec`].
    Exec [cwd env timeout soft_timeout merge_stderr limits isolation]
    /// Runs the command to its end.
    run -> Outcome = |waiter, outcome| outcome
}

impl Exec {
    /// Starts the command instead of waiting for its end.
    pub fn spawn(self) -> Spawn {
        Spawn {
            inner: self.inner.spawn(),
            waiter: self.waiter,
        }
    }
}

builder! {
    /// A program to run with arguments. See [`crate::Command`].
    Command [cwd env timeout soft_timeout merge_stderr limits isolation]
    /// Runs the program to its end.
    run -> Outcome = |waiter, outcome| outcome
}

impl Command {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.inner = self.inner.arg(argument);
        self
    }

    /// Adds several arguments.
    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.inner = self.inner.args(arguments);
        self
    }

    /// Starts the program instead of waiting for its end.
    pub fn spawn(self) -> Spawn {
        Spawn {
            inner: self.inner.spawn(),
            waiter: self.waiter,
        }
    }
}

builder! {
    /// A command to start. See [`crate::Spawn`].
    Spawn []
    /// Starts the command.
    start -> Running = |waiter, running| Running::new(running, waiter)
}

impl Spawn {
    /// Connects the command's standard input to [`Running::stdin`]. Default: it is empty.
    pub fn piped_stdin(mut self) -> Self {
        self.inner = self.inner.piped_stdin();
        self
    }

    /// Runs the command on a new terminal of this size, in the place of pipes. See [`crate::Spawn::tty`].
    pub fn tty(mut self, size: crate::PtySize) -> Self {
        self.inner = self.inner.tty(size);
        self
    }

    /// Kills the command with all its processes when the [`Running`] is dropped before its end. Default: it runs on.
    pub fn kill_on_drop(mut self) -> Self {
        self.inner = self.inner.kill_on_drop();
        self
    }
}

builder! {
    /// A program to run. See [`crate::CodeRun`].
    CodeRun [env timeout merge_stderr language limits isolation]
    /// Runs the program to its end.
    run -> Outcome = |waiter, outcome| outcome
}

impl CodeRun {
    /// Adds an argument, which is passed as it is.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.inner = self.inner.arg(argument);
        self
    }

    /// Adds several arguments, which are passed as they are.
    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.inner = self.inner.args(arguments);
        self
    }

    /// Adds arguments and environment variables.
    pub fn params(mut self, params: CodeRunParams) -> Self {
        self.inner = self.inner.params(params);
        self
    }
}
