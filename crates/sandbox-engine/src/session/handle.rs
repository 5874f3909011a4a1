//! The handle of a session.

use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::commands::NoCommand;
use super::end::SessionEnd;
use super::error::SessionExecError;
use super::options::CommandOptions;
use super::shared::{Job, Shared};
use super::user::Switch;
use crate::command::{Command, CommandEnd};
use crate::environment::Environment;
use crate::limits::{ID_BYTES, QUEUED_COMMAND_BYTES, QUEUED_COMMANDS};
use crate::registry::Entry;
use crate::spawner;

/// A shell session. Cheap to clone; all clones are one session.
///
/// Dropping it changes nothing; see [`Sessions::delete`](super::Sessions::delete).
#[derive(Debug, Clone)]
pub struct Session {
    pub(super) shared: Arc<Shared>,
}

impl Entry for Session {
    fn id(&self) -> &str {
        &self.shared.id
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Session {
    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns when it was created, by the clock of this machine.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Returns the process id of its shell.
    ///
    /// For people: once the shell has ended, the system may give the number to another process.
    pub fn pid(&self) -> Option<u32> {
        self.shared.pid.get().copied()
    }

    /// Returns how it ended, if it has: it takes no more commands, and those that it had can still be looked at until it is
    /// deleted.
    ///
    /// A session has ended before the result of the command that ended its shell can be seen.
    pub fn ended(&self) -> Option<SessionEnd> {
        let ended = self.shared.state().end.clone();
        let is_doomed = self.shared.doomed.is_cancelled();
        ended.or_else(|| is_doomed.then_some(SessionEnd::Deleted))
    }

    /// Returns its commands in the order in which they were given: those that have not ended, and the last
    /// [`FINISHED_COMMANDS`](crate::limits::FINISHED_COMMANDS) that have.
    pub fn commands(&self) -> Vec<Command> {
        self.shared.state().commands.list()
    }

    /// Returns how many commands it had before those, which it has forgotten.
    pub fn forgotten_commands(&self) -> u64 {
        self.shared.state().commands.forgotten()
    }

    /// Returns the command with this id.
    ///
    /// # Errors
    ///
    /// [`NoCommand`] if there is none, or no longer.
    pub fn command(&self, id: &str) -> Result<Command, NoCommand> {
        self.shared.state().commands.find(id).cloned()
    }

    /// Gives the shell a command to evaluate after those that it was given before.
    ///
    /// Returns at once; see [`Command::ended`]. The command runs in the shell itself: what it changes (directory,
    /// variables, functions, options, descriptors) is there for the next. Only with a `cwd`, `env` or `user` of its
    /// own it runs in a subshell, and changes nothing.
    ///
    /// When its time limit runs out its processes are ended, and the shell goes on with what follows in the text, whose
    /// processes are ended as well; a shell that does not come to the end of the text is ended, and with it the
    /// session.
    ///
    /// # Errors
    ///
    /// [`SessionExecError`]; nothing runs then.
    pub fn execute(
        &self,
        text: &str,
        mut options: CommandOptions,
    ) -> Result<Command, SessionExecError> {
        if text.trim().is_empty() {
            return Err(SessionExecError::Blank);
        }
        Environment::empty().set_all_checked(&options.env)?;
        if let Some(cwd) = &mut options.cwd {
            *cwd = self.shared.work_dir.join(&*cwd);
            spawner::enterable(cwd).map_err(|source| SessionExecError::WorkDir {
                path: cwd.clone(),
                source,
            })?;
        }
        let switch = match &options.user {
            Some(user) => Switch::to(user, &self.shared.shell)?,
            None => None,
        };
        let id = options
            .id
            .clone()
            .unwrap_or_else(|| Uuid::new_v4().to_string());
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(SessionExecError::Id { limit: ID_BYTES });
        }
        if self.shared.doomed.is_cancelled() {
            return Err(self.shared.has_ended(SessionEnd::Deleted));
        }
        let mut state = self.shared.state();
        if let Some(end) = &state.end {
            return Err(self.shared.has_ended(end.clone()));
        }
        if state.queue.len() >= QUEUED_COMMANDS {
            return Err(SessionExecError::TooMany {
                limit: QUEUED_COMMANDS,
            });
        }
        let is_too_long = state.queued_bytes + text.len() > QUEUED_COMMAND_BYTES;
        if is_too_long && !state.queue.is_empty() {
            return Err(SessionExecError::TooLong {
                limit: QUEUED_COMMAND_BYTES,
            });
        }
        if state.commands.has(&id) {
            return Err(SessionExecError::Exists { id });
        }
        let requests = self.shared.requests.clone();
        let record = self.shared.records.record();
        let command = Command::new(id, text.to_owned(), record, options.input, requests);
        state.commands.push(command.clone());
        state.queued_bytes += text.len();
        state.queue.push_back(Job {
            end: CommandEnd::of(command.clone()),
            options,
            switch,
        });
        drop(state);
        self.shared.work.notify_one();
        Ok(command)
    }
}
