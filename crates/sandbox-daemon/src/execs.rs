//! Commands of their own that can be asked for after they were started, by id and by key.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox_engine::{Command, CommandState, Engine, ExecError, OutputMode, RunOptions};

use crate::error::ApiError;
use crate::keys::Keys;
use crate::limits::{KEPT_EXEC_BYTES, KEPT_EXECS};

/// The list. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Execs(Arc<Mutex<VecDeque<Arc<Started>>>>);

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) command: Command,
    pub(crate) output: OutputMode,
    pub(crate) detached: bool,
}

/// What is to be started.
#[derive(Debug, Hash)]
pub(crate) enum Program {
    /// A text for the shell.
    Command(String),
    Argv(Vec<OsString>),
}

/// A command, and whether an earlier request with the same key has started it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) exec: Arc<Started>,
    pub(crate) resumed: bool,
}

impl Execs {
    /// Starts a command, or finds the one that a request with this key has started; `key` may be empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the key belongs to another request; inside, why the command was not started.
    pub(crate) async fn start(
        &self,
        engine: &Engine,
        (keys, key): (&Keys, &str),
        program: Program,
        options: RunOptions,
        detached: bool,
    ) -> Result<Result<Found, ExecError>, ApiError> {
        let RunOptions {
            cwd,
            env,
            timeout,
            output,
            input,
        } = &options;
        let request = (&program, cwd, env, timeout, *output as u8, *input as u8);
        let mut turn = keys.turn("", key, request).await;
        if let Some(exec) = turn.command_id().and_then(|id| self.find(id).ok()) {
            turn.check()?;
            return Ok(Ok(Found {
                exec,
                resumed: true,
            }));
        }
        let output = options.output;
        let started = match program {
            Program::Command(text) => engine.start(&text, options).await,
            Program::Argv(argv) => engine.start_program(argv, options).await,
        };
        Ok(started.map(|command| {
            turn.fill(command.id());
            Found {
                exec: self.add(command, output, detached),
                resumed: false,
            }
        }))
    }

    /// Adds a command that was just started, and forgets those that ended first where there are too many.
    fn add(&self, command: Command, output: OutputMode, detached: bool) -> Arc<Started> {
        let started = Arc::new(Started {
            command,
            output,
            detached,
        });
        let mut list = self.list();
        list.push_back(Arc::clone(&started));
        forget(&mut list);
        started
    }

    pub(crate) fn find(&self, id: &str) -> Result<Arc<Started>, ApiError> {
        let list = self.list();
        let found = list.iter().find(|started| started.command.id() == id);
        found
            .cloned()
            .ok_or_else(|| ApiError::process_not_found("command"))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Started>> {
        self.list().iter().cloned().collect()
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Started>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    fn has_ended(&self) -> bool {
        matches!(self.command.state(), CommandState::Ended(_))
    }
}

fn forget(list: &mut VecDeque<Arc<Started>>) {
    let ended = |started: &&Arc<Started>| started.has_ended();
    let mut count = list.iter().filter(ended).count();
    let bytes = |started: &Arc<Started>| started.command.record().length();
    let mut total: u64 = list.iter().filter(ended).map(bytes).sum();
    list.retain(|started| {
        let is_over = count > KEPT_EXECS || total > KEPT_EXEC_BYTES;
        if !is_over || !started.has_ended() {
            return true;
        }
        count -= 1;
        total = total.saturating_sub(bytes(started));
        false
    });
}
