//! Sessions and their commands.

use std::sync::Arc;

use super::waiting::Waiter;
use super::{Process, Streaming};
use crate::{
    Bytes, Channel, CommandInfo, Error, InputWriter, LogOptions, LogStream, Logs, Outcome,
    SessionInfo, Signal, Termination,
};

/// Sessions.
impl Process {
    /// Creates a session with an id of the caller's choice, and starts its shell.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Process::create_session`].
    pub fn create_session(&self, id: &str) -> Result<Session, Error> {
        self.build_session(id).create()
    }

    /// Returns a session to [create](CreateSession::create) with limits or isolated. See [`crate::Process::create_session`].
    pub fn build_session(&self, id: impl Into<String>) -> CreateSession {
        CreateSession {
            inner: self.as_async().create_session(id),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a handle to a session by its id. Whether it exists is not checked.
    pub fn session(&self, id: impl AsRef<str>) -> Session {
        Session {
            inner: self.as_async().session(id),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

builder! {
    /// A session to create. See [`crate::CreateSession`].
    CreateSession [limits]
    /// Creates the session, and starts its shell.
    create -> Session = |waiter, inner| Session { inner, waiter }
}

/// A persistent shell session. See [`crate::Session`].
#[derive(Debug, Clone)]
pub struct Session {
    inner: crate::Session,
    waiter: Arc<Waiter>,
}

impl Session {
    /// Returns the id of the session.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the session's commands, and how its shell ended, if it did.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Session::info`].
    pub fn info(&self) -> Result<SessionInfo, Error> {
        self.waiter.block_on(self.inner.info())
    }

    /// Returns a command to [run](SessionRun::run) in the session's shell.
    pub fn run(&self, command: impl Into<String>) -> SessionRun {
        SessionRun {
            inner: self.inner.run(command),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a command to [start](SessionSpawn::start) in the session's shell.
    pub fn spawn(&self, command: impl Into<String>) -> SessionSpawn {
        SessionSpawn {
            inner: self.inner.spawn(command),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a handle to a command by its id. Whether it exists is not checked.
    pub fn command(&self, id: impl Into<String>) -> SessionCommand {
        SessionCommand {
            inner: self.inner.command(id),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Deletes the session: kills every process that it started and discards its logs.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Session::delete`].
    pub fn delete(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.delete())
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::Session {
        &self.inner
    }
}

builder! {
    /// A command to run to its end in a session's shell. See [`crate::SessionRun`].
    SessionRun [cwd env timeout user id]
    /// Runs the command to its end.
    run -> Outcome = |waiter, outcome| outcome
}

builder! {
    /// A command to start in a session's shell. See [`crate::SessionSpawn`].
    SessionSpawn [cwd env timeout user id]
    /// Starts the command.
    start -> SessionCommand = |waiter, inner| SessionCommand { inner, waiter }
}

impl SessionSpawn {
    /// Leaves the input that the command is sent out of its log. Default: input is logged as stdout.
    pub fn suppress_input_echo(mut self) -> Self {
        self.inner = self.inner.suppress_input_echo();
        self
    }
}

/// A command of a session. See [`crate::SessionCommand`].
#[derive(Debug, Clone)]
pub struct SessionCommand {
    inner: crate::SessionCommand,
    waiter: Arc<Waiter>,
}

impl SessionCommand {
    /// Returns the id of the command.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the id of its session.
    pub fn session_id(&self) -> &str {
        self.inner.session_id()
    }

    /// Returns the command's text, and how it ended, if it did.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::info`].
    pub fn info(&self) -> Result<CommandInfo, Error> {
        self.waiter.block_on(self.inner.info())
    }

    /// Returns what the command has written so far.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::logs`].
    pub fn logs(&self) -> Result<Logs, Error> {
        self.waiter.block_on(self.inner.logs())
    }

    /// Returns an iterator over the command's log as it is written.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::follow`].
    pub fn follow(&self, options: LogOptions) -> Result<Streaming<LogStream>, Error> {
        let log = self.waiter.block_on(self.inner.follow(options))?;
        Ok(Streaming::new(log, Arc::clone(&self.waiter)))
    }

    /// Waits for the command's end, and returns its outcome with all that it wrote.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::wait`].
    pub fn wait(&self) -> Result<Outcome, Error> {
        self.waiter.block_on(self.inner.wait())
    }

    /// Passes what the command writes to `on_output` as it is written, to its end, and returns how it ended.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::wait_with`].
    pub fn wait_with(
        &self,
        mut on_output: impl FnMut(Channel, Bytes),
    ) -> Result<Termination, Error> {
        let on_output = async |channel, bytes| on_output(channel, bytes);
        self.waiter.block_on(self.inner.wait_with(on_output))
    }

    /// Sends the command a line of input; a newline is added if there is none at its end.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::write_line`].
    pub fn write_line(&self, line: impl Into<String>) -> Result<(), Error> {
        self.waiter.block_on(self.inner.write_line(line))
    }

    /// Sends the command bytes of input, as they are. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::write`].
    pub fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.waiter.block_on(self.inner.write(bytes))
    }

    /// Ends the command's input. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::close_stdin`].
    pub fn close_stdin(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.close_stdin())
    }

    /// Returns a writer of the command's input. *Extension*. Dropping it ends the input.
    pub fn stdin(&self) -> Streaming<InputWriter> {
        Streaming::new(self.inner.stdin(), Arc::clone(&self.waiter))
    }

    /// Sends a signal to all processes of the command. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::signal`].
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.waiter.block_on(self.inner.signal(signal))
    }

    /// Kills the command with all its processes. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::SessionCommand::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.kill())
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::SessionCommand {
        &self.inner
    }
}
