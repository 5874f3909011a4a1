//! Commands that run on after their soft limit.

use std::sync::Arc;

use super::waiting::Waiter;
use super::{Process, Streaming};
use crate::{
    Bytes, Channel, CommandInfo, Error, LogOptions, LogStream, Logs, Outcome, Signal, Termination,
};

impl Process {
    /// Returns a handle to a command that runs on after its soft limit. See [`crate::Process::background`].
    pub fn background(&self, id: impl AsRef<str>) -> BackgroundCommand {
        BackgroundCommand {
            inner: self.as_async().background(id),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

/// A command that runs on after its soft limit. See [`crate::BackgroundCommand`].
#[derive(Debug, Clone)]
pub struct BackgroundCommand {
    inner: crate::BackgroundCommand,
    waiter: Arc<Waiter>,
}

impl BackgroundCommand {
    /// Returns the id of the command.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the command's text, and how it ended, if it did.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::info`].
    pub fn info(&self) -> Result<CommandInfo, Error> {
        self.waiter.block_on(self.inner.info())
    }

    /// Returns what the command has written so far.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::logs`].
    pub fn logs(&self) -> Result<Logs, Error> {
        self.waiter.block_on(self.inner.logs())
    }

    /// Returns an iterator over the command's output as it is written.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::follow`].
    pub fn follow(&self, options: LogOptions) -> Result<Streaming<LogStream>, Error> {
        let log = self.waiter.block_on(self.inner.follow(options))?;
        Ok(Streaming::new(log, Arc::clone(&self.waiter)))
    }

    /// Waits for the command's end, and returns its outcome with all that it wrote.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::wait`].
    pub fn wait(&self) -> Result<Outcome, Error> {
        self.waiter.block_on(self.inner.wait())
    }

    /// Passes what the command writes to `on_output` as it is written, to its end, and returns how it ended.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::wait_with`].
    pub fn wait_with(
        &self,
        mut on_output: impl FnMut(Channel, Bytes),
    ) -> Result<Termination, Error> {
        let on_output = async |channel, bytes| on_output(channel, bytes);
        self.waiter.block_on(self.inner.wait_with(on_output))
    }

    /// Sends a signal to all processes of the command.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::signal`].
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.waiter.block_on(self.inner.signal(signal))
    }

    /// Kills the command with all its processes.
    ///
    /// # Errors
    ///
    /// Those of [`crate::BackgroundCommand::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.kill())
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::BackgroundCommand {
        &self.inner
    }
}
