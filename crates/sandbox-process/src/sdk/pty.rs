//! Terminals by the names of the official SDKs.

use bytes::Bytes;
use sandbox_transport::{Error, PtyInfo, PtySize};

use super::handler::OutputHandler;
use crate::process::Process;
use crate::pty::CreatePty;
use crate::pty_handle::{PtyHandle, PtyResult};

/// Terminals, by the names of the [official SDKs](crate::sdk).
impl Process {
    /// See [`Process::create_pty`].
    pub fn create_pty_session(&self, id: impl Into<String>) -> CreatePty {
        self.create_pty(id)
    }

    /// Connects to a terminal. See [`Pty::attach`](crate::Pty::attach).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Attach`](crate::Attach).
    pub async fn connect_pty_session(&self, id: &str) -> Result<PtyHandle, Error> {
        self.pty(id).attach().await
    }

    /// Lists the terminals. See [`Process::list_ptys`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Process::list_ptys`].
    pub async fn list_pty_sessions(&self) -> Result<Vec<PtyInfo>, Error> {
        self.list_ptys().await
    }

    /// Returns a terminal's size and state. See [`Pty::info`](crate::Pty::info).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Pty::info`](crate::Pty::info).
    pub async fn get_pty_session_info(&self, id: &str) -> Result<PtyInfo, Error> {
        self.pty(id).info().await
    }

    /// Kills a terminal. See [`Pty::kill`](crate::Pty::kill).
    ///
    /// # Cancel safety
    ///
    /// As for [`Pty::kill`](crate::Pty::kill).
    ///
    /// # Errors
    ///
    /// Those of [`Pty::kill`](crate::Pty::kill).
    pub async fn kill_pty_session(&self, id: &str) -> Result<(), Error> {
        self.pty(id).kill().await
    }

    /// Sets the size of a terminal. See [`Pty::resize`](crate::Pty::resize).
    ///
    /// # Cancel safety
    ///
    /// As for [`Pty::resize`](crate::Pty::resize).
    ///
    /// # Errors
    ///
    /// Those of [`Pty::resize`](crate::Pty::resize).
    pub async fn resize_pty_session(&self, id: &str, size: PtySize) -> Result<PtyInfo, Error> {
        self.pty(id).resize(size).await
    }
}

/// Names of the [official SDKs](crate::sdk).
impl CreatePty {
    /// See [`size`](Self::size).
    pub fn pty_size(self, size: PtySize) -> Self {
        self.size(size)
    }
}

/// Names of the [official SDKs](crate::sdk).
impl PtyHandle {
    /// See [`id`](Self::id).
    pub fn session_id(&self) -> &str {
        self.id()
    }

    /// Returns immediately: a handle exists only once the daemon has confirmed the connection.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens.
    ///
    /// # Errors
    ///
    /// Never returns an error.
    #[expect(clippy::unused_async, reason = "as in the official SDKs")]
    pub async fn wait_for_connection(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Types bytes. See [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub async fn send_input(&self, data: impl Into<Bytes>) -> Result<(), Error> {
        self.write(data).await
    }

    /// Passes what the terminal shows to `on_data`, a closure that returns nothing or a future, until the end of its shell. See
    /// [`wait_with`](Self::wait_with).
    ///
    /// # Cancel safety
    ///
    /// As for [`wait_with`](Self::wait_with).
    ///
    /// # Errors
    ///
    /// Those of [`wait_with`](Self::wait_with).
    pub async fn wait<Kind>(
        &mut self,
        mut on_data: impl OutputHandler<Kind, Bytes>,
    ) -> Result<PtyResult, Error> {
        while let Some(bytes) = self.next().await? {
            on_data.call(bytes).await;
        }
        Ok(self.result())
    }
}
