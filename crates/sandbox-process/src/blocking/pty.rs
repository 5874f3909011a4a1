//! Terminals.

use std::sync::Arc;

use super::Process;
use super::waiting::Waiter;
use crate::{Error, OutputHandler, PtySessionInfo, PtySize, SyncHandler};

/// A connection to a terminal, for programs without a runtime.
#[derive(Debug)]
pub struct PtyHandle {
    handle: crate::PtyHandle,
    waiter: Arc<Waiter>,
}

impl Process {
    /// Makes a terminal of this size and connects to it.
    ///
    /// # Errors
    ///
    /// See [`crate::CreatePty`].
    pub fn create_pty_session(&self, id: &str, size: PtySize) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.as_async().create_pty_session(id).pty_size(size))?;
        Ok(self.pty_handle(handle))
    }

    /// Connects to a terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::Process::connect_pty_session`].
    pub fn connect_pty_session(&self, id: &str) -> Result<PtyHandle, Error> {
        let handle = self.wait(self.as_async().connect_pty_session(id))?;
        Ok(self.pty_handle(handle))
    }

    /// A terminal that was made with more settings, or attached to:
    /// `process.pty_handle(process.wait(process.as_async().create_pty_session("t").cwd("/tmp"))?)`.
    pub fn pty_handle(&self, handle: crate::PtyHandle) -> PtyHandle {
        PtyHandle {
            handle,
            waiter: Arc::clone(&self.waiter),
        }
    }
}

waiting! {
    list_pty_sessions() -> Vec<PtySessionInfo>;
    get_pty_session_info(id: &str) -> PtySessionInfo;
    kill_pty_session(id: &str) -> ();
    resize_pty_session(id: &str, size: PtySize) -> PtySessionInfo;
}

impl PtyHandle {
    /// Types.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::send_input`].
    pub fn send_input(&self, data: impl Into<bytes::Bytes>) -> Result<(), Error> {
        self.waiter.block_on(self.handle.send_input(data))
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::resize`].
    pub fn resize(&self, size: PtySize) -> Result<PtySessionInfo, Error> {
        self.waiter.block_on(self.handle.resize(size))
    }

    /// Ends the terminal.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.handle.kill())
    }

    /// What the terminal shows next; `None` when its shell has ended.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::next`].
    pub fn read(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        self.waiter.block_on(self.handle.next())
    }

    /// Reads to the end of the shell.
    ///
    /// # Errors
    ///
    /// See [`crate::PtyHandle::wait`].
    pub fn wait(
        &mut self,
        on_data: impl OutputHandler<SyncHandler, bytes::Bytes>,
    ) -> Result<crate::PtyResult, Error> {
        self.waiter.block_on(self.handle.wait(on_data))
    }

    /// The terminal of the other face, which tells its id and offset, too.
    pub fn as_async(&self) -> &crate::PtyHandle {
        &self.handle
    }

    /// Whether the connection stands, as far as what was read tells.
    pub fn is_connected(&self) -> bool {
        self.handle.is_connected()
    }

    /// The exit code of the shell, once what was read has told it.
    pub fn exit_code(&self) -> Option<i32> {
        self.handle.exit_code()
    }

    /// Disconnects; the terminal stays.
    pub fn disconnect(&mut self) {
        self.handle.disconnect();
    }
}
