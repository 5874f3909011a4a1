//! The engine: one of each kind of thing to run, over what they share.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::code::{CodeError, Program, Programs};
use crate::command::Command;
use crate::core::Core;
use crate::environment::{Environment, InvalidVariable};
use crate::exec::{self, ExecError};
use crate::interpreter::Contexts;
use crate::pty::Ptys;
use crate::run::{Outcome, Recorded, RunOptions};
use crate::session::Sessions;
use crate::shell::Shell;
use crate::spawner::Direct;
use crate::tag::Tag;

/// Runs commands and code. Cheap to clone; all clones are one engine.
///
/// Dropping it leaves what runs running; [`shutdown`](Self::shutdown) and [`kill`](Self::kill) end it. What runs when
/// this process ends without any of these (by a signal, an abort, an exit) is killed.
#[derive(Debug, Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    core: Arc<Core>,
    /// `None` if processes are started by a spawner of the caller's.
    direct: Option<Direct>,
    is_tagging: bool,
    programs: Programs,
    sessions: Sessions,
    ptys: Ptys,
    contexts: Contexts,
}

impl Engine {
    /// Puts the parts together; `direct` as the spawner of `core` if it is that.
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
                programs,
                sessions: Sessions::new(Arc::clone(&core)),
                ptys,
                contexts: Contexts::new(Arc::clone(&core)),
                core,
            }),
        }
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

    /// Returns the directory in which everything starts that asks for no other.
    pub fn work_dir(&self) -> &Path {
        self.parts.core.work_dir()
    }

    /// Returns the shell that evaluates commands.
    pub fn shell(&self) -> &Shell {
        self.parts.core.shell()
    }

    /// Runs `command` in a new shell to its end.
    ///
    /// The shell is the engine's ([`Shell`]), neither interactive nor a login shell, in a process group of
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

    /// Starts `command` as [`exec`](Self::exec) does, and returns its handle, by which it is followed, fed and signaled.
    ///
    /// What it writes is in its record as it comes, on stdout alone if the outputs are merged; what its background children
    /// write later is appended for as long as a handle or a reader of the record exists.
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
        exec::start(&self.parts.core, command, &options).await
    }

    /// Starts a program without a shell, in all else as [`start`](Self::start) does.
    ///
    /// `argv` is the program and its arguments, passed as they are. A program without a slash is looked for on the
    /// `PATH` that it is to have; a script needs a line that names its interpreter.
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`ExecError`], [`Blank`](ExecError::Blank) for no program or an empty one; nothing runs then.
    pub async fn start_program(
        &self,
        argv: Vec<OsString>,
        options: RunOptions,
    ) -> Result<Command, ExecError> {
        exec::start_program(&self.parts.core, argv, &options).await
    }

    /// Runs `program` in a new process of its language's runtime to its end.
    ///
    /// The working directory, the environment, the time limit, the process group and the standard input are as for
    /// [`exec`](Self::exec). The program runs as a file of its own would; its charts are in the
    /// [`artifacts`](Outcome::artifacts), one JSON object each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the program running to its end or its time limit.
    ///
    /// # Errors
    ///
    /// [`CodeError`] when there is no outcome. Whatever a program does once it runs is an [`Outcome`].
    pub async fn run_code(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Outcome, CodeError> {
        let recorded = self.run_code_recorded(program, options).await?;
        Ok(recorded.collect().await)
    }

    /// Runs `program` as [`run_code`](Self::run_code) does, and returns its output in its record instead of in memory.
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

    /// Changes the environment of what is started from now on, and returns it: first `unset` is removed, and
    /// every variable whose value begins with `unset_value_prefix` and whose name is not in `set`; then `set` is set.
    ///
    /// # Errors
    ///
    /// [`InvalidVariable`] for one of `set`; nothing is changed then.
    pub fn update_environment(
        &self,
        set: &[(String, String)],
        unset: &[String],
        unset_value_prefix: Option<&str>,
    ) -> Result<Environment, InvalidVariable> {
        let core = &self.parts.core;
        core.update_environment(set, unset, unset_value_prefix)
    }

    /// Returns how the processes of a run are found when it is to end, for people and metrics:
    ///
    /// - `"rlimit-tag"`: by a [`Tag`] that each of them carries, whatever became of its parents, group and session. A
    ///   process escapes only on purpose, by resetting that limit of its own, or by becoming another user's, whom this
    ///   one may not signal.
    /// - `"process-tree"`: by group, session and living parents, since this system does not let processes be labeled (its
    ///   hard limit on realtime CPU time is set, or it does not implement the limit). A process that left the group and
    ///   whose parents have ended escapes.
    pub fn containment(&self) -> &'static str {
        if self.parts.is_tagging {
            "rlimit-tag"
        } else {
            "process-tree"
        }
    }

    /// Ends everything that runs, as a time limit would, and resolves when all of it has ended. Runs that are started
    /// afterwards are ended immediately.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the shutdown back.
    pub async fn shutdown(&self) {
        self.parts.core.launcher().shutdown().await;
    }

    /// Kills everything that runs, and blocks until it has ended, two seconds at most ([`KILL_WAIT`](crate::limits::KILL_WAIT)). Runs
    /// that are started afterwards are ended immediately. For where nothing can be awaited, as in `Drop`;
    /// [`shutdown`](Self::shutdown) gives what runs a grace.
    ///
    /// An engine with a [spawner](crate::EngineBuilder::spawner) of the caller's does not know what that has started, and
    /// leaves it to the tasks that watch it.
    pub fn kill(&self) {
        self.parts.core.launcher().stop();
        if let Some(direct) = &self.parts.direct {
            direct.tree().end_now();
        }
    }

    /// Kills the run that the process `pid` leads, with all that it has started, and blocks until it has ended, two seconds at
    /// most. Does nothing if `pid` is no process of this engine's.
    ///
    /// The run must not have been reported as ended: its number could be another run's then.
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
