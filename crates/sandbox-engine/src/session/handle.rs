//! The handle of a session.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::commands::NoCommand;
use super::end::SessionEnd;
use super::error::SessionExecError;
use super::options::CommandOptions;
use super::shared::{Job, Shared};
use super::user::{Switch, UserError};
use crate::command::{Command, CommandEnd};
use crate::environment::Environment;
use crate::isolation::Level;
use crate::limits::{ID_BYTES, QUEUED_COMMAND_BYTES, QUEUED_COMMANDS};
use crate::registry::Entry;
use crate::spawner;

/// A handle to a shell session. Cheap to clone; all clones refer to the same session.
///
/// Dropping a handle does not end the session; see [`Sessions::delete`](super::Sessions::delete).
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
    /// Returns the session's id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns when the session was created, by the clock of this machine.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Returns how strongly the session's shell is isolated, and with it all its commands.
    pub fn level(&self) -> Level {
        self.shared.level
    }

    /// Returns the process id of the session's shell.
    ///
    /// For display only: after the shell has ended, the system may reuse the number for another process.
    pub fn pid(&self) -> Option<u32> {
        self.shared.pid.get().copied()
    }

    /// Returns how the session ended, or `None` if it has not. An ended session accepts no more commands; those that it
    /// had can be inspected until it is deleted.
    ///
    /// A session has ended before the result of the command that ended its shell can be seen.
    pub fn ended(&self) -> Option<SessionEnd> {
        let ended = self.shared.state().end.clone();
        let is_doomed = self.shared.doomed.is_cancelled();
        ended.or_else(|| is_doomed.then_some(SessionEnd::Deleted))
    }

    /// Returns the session's commands in the order in which they were given: those that have not ended, and the last
    /// [`FINISHED_COMMANDS`](crate::limits::FINISHED_COMMANDS) that have.
    pub fn commands(&self) -> Vec<Command> {
        self.shared.state().commands.list()
    }

    /// Returns how many earlier commands are no longer retained.
    pub fn forgotten_commands(&self) -> u64 {
        self.shared.state().commands.forgotten()
    }

    /// Returns the command with this id.
    ///
    /// # Errors
    ///
    /// Returns [`NoCommand`] if there is none, or it is no longer retained.
    pub fn command(&self, id: &str) -> Result<Command, NoCommand> {
        self.shared.state().commands.find(id).cloned()
    }

    /// Queues a command, which the shell evaluates after those that were given before.
    ///
    /// Returns immediately; see [`Command::ended`]. The command runs in the shell itself: its changes (directory,
    /// variables, functions, options, descriptors) remain for the next one. Only with a `cwd`, `env` or `user` it runs
    /// in a subshell, and changes nothing.
    ///
    /// When the time limit expires, the command's processes are ended, and the shell continues with the rest of the
    /// text, whose processes are ended as well. A shell that does not reach the end of the text is ended, and the
    /// session with it.
    ///
    /// A `cwd` that cannot be entered is reported by the shell, as the failure of the command; see
    /// [`check_cwd`](Self::check_cwd).
    ///
    /// # Errors
    ///
    /// Returns [`SessionExecError`] if the session does not accept the command; nothing runs then.
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
        }
        let switch = match &options.user {
            Some(user) if self.shared.level != Level::None => {
                return Err(UserError::Isolated { name: user.clone() }.into());
            }
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
        // The session's task may not have noticed the deletion yet, and would end the command as
        // not started.
        if self.shared.doomed.is_cancelled() {
            return Err(self.shared.has_ended(SessionEnd::Deleted));
        }
        // Locked until the command is queued: another call could take the id or the last place
        // between the checks and the change.
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
        command.supervised().set_level(self.shared.level);
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

    /// Checks that a command of this session could run in `cwd`, which is relative to the engine's working directory.
    ///
    /// # Errors
    ///
    /// Returns [`SessionExecError::WorkDir`] if it cannot be entered, or its file system does not respond.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn check_cwd(&self, cwd: &Path) -> Result<(), SessionExecError> {
        let path = self.shared.work_dir.join(cwd);
        let checked = spawner::enterable(&path).await;
        checked.map_err(|source| SessionExecError::WorkDir { path, source })
    }
}
