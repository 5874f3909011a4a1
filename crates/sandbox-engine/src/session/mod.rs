//! Shell sessions: one shell that stays, and evaluates command after command.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::command::Command;
use crate::engine::Engine;
use crate::environment::InvalidVariable;
use crate::run::{OutputMode, RunOptions};
use crate::spawner::SpawnError;
use crate::termination::Termination;

/// A shell session. Cheap to clone; all clones are one session.
///
/// Dropping it changes nothing; see [`Engine::delete_session`].
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    commands: Mutex<Vec<Command>>,
    queue: mpsc::UnboundedSender<(Command, CommandOptions)>,
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
    /// After this its processes are ended. None by default.
    pub timeout: Option<Duration>,
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InputMode {
    /// Nothing: it finds the end at once.
    #[default]
    Empty,
    /// What [`Command::write_input`] gives it, which also goes to its record as stdout.
    Echoed,
    /// What [`Command::write_input`] gives it.
    Silent,
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
    /// The session's shell has ended.
    #[error("the session has ended")]
    Ended,
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
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the system says of it.
        source: std::io::Error,
    },
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
}

impl Engine {
    /// Starts a session's shell.
    ///
    /// # Errors
    ///
    /// [`CreateSessionError`]; there is no new session then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the session was made or not.
    pub async fn create_session(
        &self,
        id: &str,
        options: SessionOptions,
    ) -> Result<Session, CreateSessionError> {
        let _ = options;
        let mut sessions = self.session_list();
        if sessions.iter().any(|session| session.id() == id) {
            return Err(CreateSessionError::Exists { id: id.to_owned() });
        }
        let (queue, mut queued) = mpsc::unbounded_channel::<(Command, CommandOptions)>();
        let engine = self.clone();
        tokio::spawn(async move {
            while let Some((command, _options)) = queued.recv().await {
                command.set_running();
                let options = RunOptions {
                    output: OutputMode::Split,
                    ..RunOptions::default()
                };
                match engine.exec(command.text(), options).await {
                    Ok(outcome) => {
                        if let Some([stdout, stderr]) = outcome.output.split {
                            command
                                .record()
                                .append(Channel::Stdout, Bytes::from(stdout.to_vec()));
                            command
                                .record()
                                .append(Channel::Stderr, Bytes::from(stderr.to_vec()));
                        }
                        command.set_ended(outcome.termination);
                    }
                    Err(error) => command.set_ended(Termination::NotStarted {
                        reason: error.to_string(),
                    }),
                }
            }
        });
        let session = Session {
            inner: Arc::new(Inner {
                id: id.to_owned(),
                commands: Mutex::default(),
                queue,
            }),
        };
        sessions.push(session.clone());
        Ok(session)
    }

    /// The session with this id.
    pub fn session(&self, id: &str) -> Option<Session> {
        self.session_list()
            .iter()
            .find(|session| session.id() == id)
            .cloned()
    }

    /// All sessions, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        self.session_list().clone()
    }

    /// Ends a session with all its processes, wherever they went, and forgets it. False if there is none.
    ///
    /// Resolves when the processes have ended. Commands that run or wait end with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn delete_session(&self, id: &str) -> bool {
        let mut sessions = self.session_list();
        let before = sessions.len();
        sessions.retain(|session| session.id() != id);
        sessions.len() != before
    }
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Whether its shell has ended: it takes no more commands, and keeps those that it had.
    pub fn has_ended(&self) -> bool {
        false
    }

    /// Its commands, in the order in which they were given.
    pub fn commands(&self) -> Vec<Command> {
        self.commands_locked().clone()
    }

    /// The command with this id.
    pub fn command(&self, id: &str) -> Option<Command> {
        self.commands_locked()
            .iter()
            .find(|command| command.id() == id)
            .cloned()
    }

    /// Gives the shell a command to evaluate after those that it was given before.
    ///
    /// Returns at once; see [`Command::ended`].
    ///
    /// # Errors
    ///
    /// [`SessionExecError`]; nothing runs then.
    pub fn execute(
        &self,
        text: &str,
        options: CommandOptions,
    ) -> Result<Command, SessionExecError> {
        if text.trim().is_empty() {
            return Err(SessionExecError::Blank);
        }
        let id = options
            .id
            .clone()
            .unwrap_or_else(|| Uuid::new_v4().to_string());
        let command = Command::new(id, text.to_owned());
        self.commands_locked().push(command.clone());
        self.inner
            .queue
            .send((command.clone(), options))
            .map_err(|_| SessionExecError::Ended)?;
        Ok(command)
    }

    fn commands_locked(&self) -> MutexGuard<'_, Vec<Command>> {
        self.inner
            .commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
