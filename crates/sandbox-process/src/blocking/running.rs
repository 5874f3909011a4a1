//! A command that runs.

use std::sync::Arc;

use super::Streaming;
use super::waiting::Waiter;
use crate::{
    Bytes, Channel, Error, ExecEvent, InputWriter, Outcome, OutputReader, PtySize, Signal,
    Termination,
};

/// A command that runs: an iterator over events, and a handle by which it is sent input and signals. See [`crate::Running`].
#[derive(Debug)]
pub struct Running {
    inner: crate::Running,
    waiter: Arc<Waiter>,
}

impl Running {
    pub(super) fn new(inner: crate::Running, waiter: Arc<Waiter>) -> Self {
        Self { inner, waiter }
    }

    /// Returns the process id of the command on the daemon's machine, if the daemon reports it.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Takes the command's standard input; `None` if it is not [piped](super::Spawn::piped_stdin), or was taken before. Dropping
    /// it ends the input.
    pub fn stdin(&mut self) -> Option<Streaming<InputWriter>> {
        let stdin = self.inner.stdin()?;
        Some(Streaming::new(stdin, Arc::clone(&self.waiter)))
    }

    /// Waits for the command's end, and returns its outcome with the output that was not read before.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Running::wait`].
    pub fn wait(&mut self) -> Result<Outcome, Error> {
        self.waiter.block_on(self.inner.wait())
    }

    /// Passes the output to `on_output` as it arrives, until the command's end, and returns how it ended.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Running::wait_with`].
    pub fn wait_with(
        &mut self,
        mut on_output: impl FnMut(Channel, Bytes),
    ) -> Result<Termination, Error> {
        let on_output = async |channel, bytes| on_output(channel, bytes);
        self.waiter.block_on(self.inner.wait_with(on_output))
    }

    /// Sends a signal to all processes of the command.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Running::signal`].
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.waiter.block_on(self.inner.signal(signal))
    }

    /// Sets the size of the command's [terminal](super::Spawn::tty).
    ///
    /// # Errors
    ///
    /// Those of [`crate::Running::resize`].
    pub fn resize(&self, size: PtySize) -> Result<(), Error> {
        self.waiter.block_on(self.inner.resize(size))
    }

    /// Kills the command with all its processes.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Running::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.kill())
    }

    /// Splits it into a reader of its output, both channels together, and a writer of its input. See
    /// [`crate::Running::into_io`].
    pub fn into_io(self) -> (Streaming<OutputReader>, Streaming<InputWriter>) {
        let (output, input) = self.inner.into_io();
        let output = Streaming::new(output, Arc::clone(&self.waiter));
        (output, Streaming::new(input, self.waiter))
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::Running {
        &self.inner
    }
}

impl Iterator for Running {
    type Item = Result<ExecEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.waiter.block_on(self.inner.next())
    }
}
