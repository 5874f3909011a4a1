//! The engine: sessions, terminals and contexts over a shared core.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::code::{CodeError, Program, Programs};
use crate::command::Command;
use crate::containment::Containment;
use crate::core::Core;
use crate::environment::Environment;
use crate::exec::{self, ExecError};
use crate::interpreter::Contexts;
use crate::isolation::{Isolation, IsolationError, Level};
use crate::pty::Ptys;
use crate::resources::{Limit, LimitError, Mechanism};
use crate::run::{Outcome, Recorded, RunOptions};
use crate::session::Sessions;
use crate::shell::Shell;
use crate::spawner::Direct;
use crate::tag::Tag;

/// Runs commands and code. Cheap to clone; all clones are one engine.
///
/// Dropping it leaves running processes running; [`shutdown`](Self::shutdown) and [`kill`](Self::kill) end them. What is
/// running when this process ends without either (by a signal, an abort, an exit) is killed.
#[derive(Debug, Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    core: Arc<Core>,
    /// `None` if the caller's own spawner starts processes.
    direct: Option<Direct>,
    is_tagging: bool,
    programs: Programs,
    sessions: Sessions,
    ptys: Ptys,
    contexts: Contexts,
}

impl Engine {
    /// Creates an engine from its parts; `direct` is the spawner of `core` if that is a [`Direct`].
    pub(crate) fn new(
        core: Arc<Core>,
        direct: Option<Direct>,
        programs: Programs,
        ptys: Ptys,
    ) -> Self {
        Self {
            parts: Arc::new(Parts {
                direct,
                is_tagging: Tag::is_usable(),
                contexts: Contexts::new(Arc::clone(&core), programs.warm().is_some()),
                programs,
                sessions: Sessions::new(Arc::clone(&core)),
                ptys,
                core,
            }),
        }
    }

    /// Returns what enforces a limit of a run on this system. Finds out with the first call, by making a control group for a
    /// moment; may block for as long as the kernel takes for that.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::Unavailable`] if nothing enforces it; the reason says what was tried.
    pub fn limit_mechanism(&self, limit: Limit) -> Result<Mechanism, LimitError> {
        self.parts.core.launcher().limiter().mechanism(limit)
    }

    /// Tries every step of isolating a process as `isolation` describes it, and returns the level that it has.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the step that fails, with what would [help](IsolationError::help).
    pub async fn probe_isolation(&self, isolation: &Isolation) -> Result<Level, IsolationError> {
        self.parts.core.launcher().probe_isolation(isolation).await
    }

    /// Returns the isolation of what is started without one, as the [builder](crate::EngineBuilder::isolation) has set it.
    pub fn isolation(&self) -> Option<&Isolation> {
        self.parts.core.isolation()
    }

    /// Returns the shell sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.parts.sessions
    }

    /// Returns the terminals.
    pub fn ptys(&self) -> &Ptys {
        &self.parts.ptys
    }

    /// Returns the interpreter contexts.
    pub fn contexts(&self) -> &Contexts {
        &self.parts.contexts
    }

    /// Returns whether a process of Node.js is ready to take a program. For tests: the process can be found a little
    /// earlier.
    #[doc(hidden)]
    pub fn has_spare(&self) -> bool {
        let warm = self.parts.programs.warm();
        warm.is_some_and(|warm| warm.spares().is_ready())
    }

    /// Returns whether a launcher is ready to take an isolated run. For tests.
    #[doc(hidden)]
    pub fn has_spare_launcher(&self) -> bool {
        self.parts.core.launcher().has_spare()
    }

    /// Returns the default working directory.
    pub fn work_dir(&self) -> &Path {
        self.parts.core.work_dir()
    }

    /// Returns the shell that evaluates commands.
    pub fn shell(&self) -> &Shell {
        self.parts.core.shell()
    }

    /// Runs `command` in a new shell and waits for its end.
    ///
    /// The shell is the engine's ([`Shell`]), neither interactive nor a login shell, in a process group of
    /// its own, with an empty standard input. The text may be of any size, and is never what the command reads.
    ///
    /// Resolves as soon as the shell has ended and all of its output has been read. A child that is left in the background
    /// delays nothing and continues; its later output is read and dropped, so that it neither blocks nor is ended by a
    /// closed pipe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the command running until its end or its time limit.
    ///
    /// # Errors
    ///
    /// Returns [`ExecError`] if there is no outcome. Whatever a command does after it has started is an [`Outcome`].
    pub async fn exec(&self, command: &str, options: RunOptions) -> Result<Outcome, ExecError> {
        Ok(self.exec_recorded(command, options).await?.collect().await)
    }

    /// Runs `command` as [`exec`](Self::exec) does, and returns its output in a record instead of in memory.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_recorded(
        &self,
        command: &str,
        options: RunOptions,
    ) -> Result<Recorded, ExecError> {
        exec::run(&self.parts.core, command, &options).await
    }

    /// Starts `command` as [`exec`](Self::exec) does, and returns a handle to follow it, write its input and signal it.
    ///
    /// Output is appended to the record as it arrives, as stdout only if the outputs are merged; later output of background
    /// children is appended for as long as a handle or a reader of the record exists.
    ///
    /// Resolves when the shell has been started.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the command was started or not; if it was, it runs to its end or its time limit.
    ///
    /// # Errors
    ///
    /// Returns [`ExecError`]; then nothing was started.
    pub async fn start(&self, command: &str, options: RunOptions) -> Result<Command, ExecError> {
        exec::start(&self.parts.core, command, &options).await
    }

    /// Starts a program without a shell, and otherwise as [`start`](Self::start) does.
    ///
    /// `argv` is the program and its arguments, passed unchanged. A program without a slash is looked up in the `PATH` of
    /// its own environment; a script needs a line that names its interpreter.
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// Returns [`ExecError`], [`Blank`](ExecError::Blank) for no program or an empty one; then nothing was started.
    pub async fn start_program(
        &self,
        argv: Vec<OsString>,
        options: RunOptions,
    ) -> Result<Command, ExecError> {
        exec::start_program(&self.parts.core, argv, &options).await
    }

    /// Runs `program` in a new process of its language's runtime and waits for its end.
    ///
    /// The working directory, the environment, the time limit, the process group and the standard input are as for
    /// [`exec`](Self::exec). The program runs as if from a file of its own; its charts are in the
    /// [`artifacts`](Outcome::artifacts), one JSON object each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the program running until its end or its time limit.
    ///
    /// # Errors
    ///
    /// Returns [`CodeError`] if there is no outcome. Whatever a program does after it has started is an [`Outcome`].
    pub async fn run_code(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Outcome, CodeError> {
        let recorded = self.run_code_recorded(program, options).await?;
        Ok(recorded.collect().await)
    }

    /// Runs `program` as [`run_code`](Self::run_code) does, and returns its output in a record instead of in memory.
    ///
    /// # Cancel safety
    ///
    /// As [`run_code`](Self::run_code).
    ///
    /// # Errors
    ///
    /// As [`run_code`](Self::run_code).
    pub async fn run_code_recorded(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        self.parts.programs.run(program, options).await
    }

    /// Returns the environment of what is started from now on.
    pub fn environment(&self) -> Environment {
        self.parts.core.environment()
    }

    /// Changes the environment of what is started from now on, and returns the result. `change` is passed the current one. It
    /// must not use the engine, which starts nothing meanwhile.
    ///
    /// # Errors
    ///
    /// Returns the error of `change`; then nothing is changed.
    pub fn change_environment<E>(
        &self,
        change: impl FnOnce(&mut Environment) -> Result<(), E>,
    ) -> Result<Environment, E> {
        self.parts.core.change_environment(change)
    }

    /// Returns the method by which the processes of a run are found when it is to end.
    pub fn containment(&self) -> Containment {
        if self.parts.is_tagging {
            Containment::Tag
        } else {
            Containment::Tree
        }
    }

    /// Ends everything that runs, as a time limit would, and resolves when all of it has ended. Runs that are started
    /// later are ended immediately.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the shutdown.
    pub async fn shutdown(&self) {
        self.parts.core.launcher().shutdown().await;
    }

    /// Kills everything that runs, and blocks until it has ended, two seconds at most ([`KILL_WAIT`](crate::limits::KILL_WAIT)). Runs
    /// that are started later are ended immediately. For contexts without `await`, such as `Drop`;
    /// [`shutdown`](Self::shutdown) gives the processes a grace period.
    ///
    /// An engine with a [spawner](crate::EngineBuilder::spawner) of the caller's does not know the processes which that has started,
    /// and leaves them to the tasks that watch them.
    pub fn kill(&self) {
        // First, so that whatever is started meanwhile is ended by its own task.
        self.parts.core.launcher().stop();
        if let Some(direct) = &self.parts.direct {
            direct.tree().end_now();
        }
    }

    /// Kills the run that the process `pid` leads, with all that it has started, and blocks until it has ended, two seconds at
    /// most. Does nothing if this engine has no process `pid`.
    ///
    /// The run must not have been reported as ended: the number could then belong to another run.
    pub fn kill_run(&self, pid: u32) {
        if let Some(direct) = &self.parts.direct
            && let Some(run) = direct.run(pid)
        {
            run.end_now();
        }
    }
}

#[cfg(test)]
impl Engine {
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.parts.core
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.parts.programs
    }
}
