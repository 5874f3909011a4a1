//! Shell sessions: one shell that stays, and evaluates command after command.
//!
//! `actor.rs` is the task that owns the shell, `running.rs` the command that it evaluates; `step.rs` and `aside.rs`
//! have the lines that the shell gets for a command, `dialect.rs` and `routes.rs` the words in them, `report.rs` what
//! comes back, `channels.rs` the pipes between them, `idle.rs` how it shows that nothing will, `verdict.rs` what both
//! mean for the command.

mod actor;
mod aside;
mod channels;
mod commands;
mod dialect;
mod end;
mod idle;
pub(crate) mod report;
mod routes;
mod running;
mod step;
#[cfg(test)]
mod tests;
pub(crate) mod user;
mod verdict;

pub(crate) use dialect::quote;
use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Environment;
use crate::command::{Command, CommandEnd, CommandState, InputMode, Request};
use crate::engine::Engine;
use crate::environment::InvalidVariable;
use crate::limits::{DELETE, ID_BYTES, QUEUED_COMMAND_BYTES, QUEUED_COMMANDS, SESSIONS};
use crate::record::Store;
use crate::shell::Shell;
use crate::spawner::{self, SpawnError};
use crate::termination::Termination;
use actor::{Actor, Start};
use commands::Commands;
pub use commands::NoCommand;
pub use end::SessionEnd;
use user::Switch;
pub use user::UserError;

/// A shell session. Cheap to clone; all clones are one session.
///
/// Dropping it changes nothing; see [`Engine::delete_session`].
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

/// What the handles and the task of a session share.
#[derive(Debug)]
struct Shared {
    id: String,
    state: Mutex<State>,
    /// Told when there is a job.
    work: Notify,
    requests: mpsc::Sender<Request>,
    /// Cancelled when the session is to be deleted.
    doomed: CancellationToken,
    /// Cancelled when its task has ended, and with it everything that the session had started.
    released: CancellationToken,
    records: Store,
    /// What a command's directory is relative to.
    work_dir: PathBuf,
    shell: Shell,
}

#[derive(Debug, Default)]
struct State {
    commands: Commands,
    queue: VecDeque<Job>,
    /// Of the texts in the queue.
    queued_bytes: usize,
    /// Why it takes no more commands.
    end: Option<SessionEnd>,
}

/// A command that waits for its turn.
#[derive(Debug)]
struct Job {
    end: CommandEnd,
    options: CommandOptions,
    switch: Option<Switch>,
}

/// The sessions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    list: Vec<Session>,
    /// Ids of those whose shell is being started.
    starting: HashSet<String>,
}

/// How a session differs from the engine's defaults.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Where it starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win.
    pub env: Vec<(String, String)>,
    /// The shell. Default: the engine's.
    pub shell: Option<PathBuf>,
}

/// How a command of a session differs from the defaults.
#[derive(Debug, Clone, Default)]
pub struct CommandOptions {
    /// Its id. Default: a random UUID.
    pub id: Option<String>,
    /// What it reads.
    pub input: InputMode,
    /// Runs it here, and in a subshell: it changes nothing in the session. Relative to the engine's working directory.
    pub cwd: Option<PathBuf>,
    /// Runs it with these variables, and in a subshell: it changes nothing in the session.
    pub env: Vec<(String, String)>,
    /// Runs it as this user of `/etc/passwd`, in a shell of its own: it changes nothing in the session, and has the
    /// session's exported variables but `HOME`, `SHELL`, `USER` and `LOGNAME`. Only root can. Default: the session's user.
    pub user: Option<String>,
    /// After this its processes are ended. None by default.
    pub timeout: Option<Duration>,
}

/// Why a session was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateSessionError {
    /// Another session has this id.
    #[error("a session with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a session's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`SESSIONS`](crate::limits::SESSIONS) already.
    #[error("there are {limit} sessions already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// Its shell was not started.
    #[error("the session's shell was not started")]
    Spawn(#[from] SpawnError),
}

/// Why a session did not take a command.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionExecError {
    /// The command has nothing but white space.
    #[error("the command is blank")]
    Blank,
    /// The session has ended.
    #[error("the session '{id}' has ended: {end}; create a new session")]
    Ended {
        /// The session's id.
        id: String,
        /// How it ended.
        end: SessionEnd,
    },
    /// Another command of the session has this id.
    #[error("a command with the id '{id}' exists already")]
    Exists {
        /// The id.
        id: String,
    },
    /// The id is empty or longer than [`ID_BYTES`](crate::limits::ID_BYTES).
    #[error("a command's id has 1 to {limit} bytes")]
    Id {
        /// The limit.
        limit: usize,
    },
    /// There are [`QUEUED_COMMANDS`](crate::limits::QUEUED_COMMANDS) waiting already.
    #[error("{limit} commands wait already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The texts of the commands that wait already, and this one's, have more than
    /// [`QUEUED_COMMAND_BYTES`](crate::limits::QUEUED_COMMAND_BYTES).
    #[error("commands of nearly {limit} bytes wait already")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system says of it.
        source: io::Error,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// It cannot run as that user.
    #[error(transparent)]
    User(#[from] UserError),
}

impl Engine {
    /// Starts a session's shell.
    ///
    /// Resolves when the shell takes commands.
    ///
    /// # Errors
    ///
    /// [`CreateSessionError`]; there is no new session then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the session is made or not.
    pub async fn create_session(
        &self,
        id: &str,
        options: SessionOptions,
    ) -> Result<Session, CreateSessionError> {
        let env = self.environment(&options.env)?;
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(CreateSessionError::Id { limit: ID_BYTES });
        }
        let reserved = Reserved::take(self.clone(), id)?;
        let start = Start {
            shell: options
                .shell
                .map_or_else(|| self.shell().clone(), Shell::at),
            cwd: self.launcher().place(options.cwd.as_deref()),
            env,
            stop: self.launcher().stopped(),
        };
        let engine = self.clone();
        // In a task: a caller who goes away must not leave a shell that nobody owns.
        let made = self.launcher().track(async move {
            let (requests, received) = mpsc::channel(REQUESTS);
            let shell = start.shell.clone();
            let shared = Arc::new(Shared::new(&engine, &reserved.id, shell, requests));
            let launcher = engine.launcher();
            let actor = Actor::start(start, launcher, Arc::clone(&shared), received).await?;
            engine.launcher().track(actor.run());
            let session = Session { shared };
            reserved.fill(session.clone());
            Ok(session)
        });
        made.await
            .map_err(|panic| SpawnError::Os(io::Error::other(panic)))?
    }

    /// The session with this id.
    pub fn session(&self, id: &str) -> Option<Session> {
        let sessions = self.session_list();
        sessions
            .list
            .iter()
            .find(|session| session.id() == id)
            .cloned()
    }

    /// All sessions, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        self.session_list().list.clone()
    }

    /// Ends a session with all its processes, wherever they went, and forgets it. False if there is none.
    ///
    /// Resolves when the processes have ended: TERM, a grace of
    /// [`TERMINATE_GRACE`](crate::limits::TERMINATE_GRACE), KILL. Commands that run or wait end with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn delete_session(&self, id: &str) -> bool {
        let session = {
            let mut sessions = self.session_list();
            let Some(found) = sessions.list.iter().position(|session| session.id() == id) else {
                return false;
            };
            sessions.list.remove(found)
        };
        session.shared.doomed.cancel();
        let released = session.shared.released.cancelled();
        if tokio::time::timeout(DELETE, released).await.is_err() {
            tracing::error!(session = id, "a deleted session does not end");
        }
        true
    }
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.shared.id
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

impl State {
    fn take_job(&mut self) -> Option<Job> {
        let job = self.queue.pop_front()?;
        self.queued_bytes -= job.end.command().text().len();
        Some(job)
    }
}

impl Shared {
    fn new(engine: &Engine, id: &str, shell: Shell, requests: mpsc::Sender<Request>) -> Self {
        Self {
            id: id.to_owned(),
            state: Mutex::default(),
            work: Notify::new(),
            requests,
            doomed: CancellationToken::new(),
            released: CancellationToken::new(),
            records: engine.records().clone(),
            work_dir: engine.work_dir().to_owned(),
            shell,
        }
    }

    /// The next command, when there is one. Cancel safe.
    async fn next_job(&self) -> Job {
        loop {
            if let Some(job) = self.state().take_job() {
                return job;
            }
            self.work.notified().await;
        }
    }

    /// Takes no more commands from now on, and ends those that wait; the first reason stays.
    fn close(&self, end: SessionEnd) {
        let (waiting, reason) = {
            let mut state = self.state();
            let end = state.end.get_or_insert(end);
            let reason = format!("the session has ended: {end}");
            state.queued_bytes = 0;
            (std::mem::take(&mut state.queue), reason)
        };
        for job in waiting {
            let reason = reason.clone();
            self.finish(job.end, Termination::NotStarted { reason });
        }
    }

    /// Ends a command.
    fn finish(&self, end: CommandEnd, termination: Termination) {
        // First, so that whoever sees the end finds what is over the bounds forgotten.
        self.state().commands.finish(end.command());
        end.set(termination);
    }

    fn is_closed(&self) -> bool {
        self.state().end.is_some()
    }

    fn has_ended(&self, end: SessionEnd) -> SessionExecError {
        let id = self.id.clone();
        SessionExecError::Ended { id, end }
    }

    fn is_queued(&self, id: &str) -> bool {
        let state = self.state();
        let command = state.commands.find(id);
        command.is_ok_and(|command| command.state() == CommandState::Queued)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id that is taken while its session is being made.
struct Reserved {
    engine: Engine,
    id: String,
}

impl Reserved {
    fn take(engine: Engine, id: &str) -> Result<Self, CreateSessionError> {
        let mut sessions = engine.session_list();
        let taken = sessions.list.iter().any(|session| session.id() == id);
        if taken || sessions.starting.contains(id) {
            return Err(CreateSessionError::Exists { id: id.to_owned() });
        }
        if sessions.list.len() + sessions.starting.len() >= SESSIONS {
            return Err(CreateSessionError::TooMany { limit: SESSIONS });
        }
        sessions.starting.insert(id.to_owned());
        drop(sessions);
        Ok(Self {
            engine,
            id: id.to_owned(),
        })
    }

    fn fill(self, session: Session) {
        self.engine.session_list().list.push(session);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.engine.session_list().starting.remove(&self.id);
    }
}

/// Requests that wait for a session's task; more wait to be sent.
const REQUESTS: usize = 16;
