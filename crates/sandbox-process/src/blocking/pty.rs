//! Terminals.

use std::sync::Arc;

use super::waiting::Waiter;
use super::{Process, Streaming};
use crate::{Bytes, Error, InputWriter, OutputReader, PtyInfo, PtyResult, PtySize};

/// Terminals.
impl Process {
    /// Returns a terminal to [create](CreatePty::create) and connect to.
    pub fn create_pty(&self, id: impl Into<String>) -> CreatePty {
        CreatePty {
            inner: self.as_async().create_pty(id),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a handle to a terminal by its id. Whether it exists is not checked.
    pub fn pty(&self, id: impl AsRef<str>) -> Pty {
        Pty {
            inner: self.as_async().pty(id),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

/// A terminal, by its id. See [`crate::Pty`].
#[derive(Debug, Clone)]
pub struct Pty {
    inner: crate::Pty,
    waiter: Arc<Waiter>,
}

impl Pty {
    /// Returns the id of the terminal.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the terminal's size, working directory and state.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Pty::info`].
    pub fn info(&self) -> Result<PtyInfo, Error> {
        self.waiter.block_on(self.inner.info())
    }

    /// Returns a connection to the terminal to [make](Attach::connect).
    pub fn attach(&self) -> Attach {
        Attach {
            inner: self.inner.attach(),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Sets the size of the terminal, for all clients.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Pty::resize`].
    pub fn resize(&self, size: PtySize) -> Result<PtyInfo, Error> {
        self.waiter.block_on(self.inner.resize(size))
    }

    /// Kills the terminal with everything that runs in it.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Pty::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.kill())
    }
}

builder! {
    /// A terminal to create. See [`crate::CreatePty`].
    CreatePty [cwd env size limits isolation]
    /// Creates the terminal and connects to it.
    create -> PtyHandle = |waiter, inner| PtyHandle { inner, waiter }
}

impl CreatePty {
    /// Creates the terminal without connecting to it.
    ///
    /// # Errors
    ///
    /// Those of [`crate::CreatePty`].
    pub fn detached(self) -> Result<Pty, Error> {
        let inner = self.waiter.block_on(self.inner.detached())?;
        Ok(Pty {
            inner,
            waiter: self.waiter,
        })
    }
}

builder! {
    /// A connection to a terminal to make. See [`crate::Attach`].
    Attach []
    /// Connects to the terminal.
    connect -> PtyHandle = |waiter, inner| PtyHandle { inner, waiter }
}

impl Attach {
    /// Begins at this offset, such as [`PtyHandle::offset`] returned. *Extension*.
    pub fn offset(mut self, bytes: u64) -> Self {
        self.inner = self.inner.offset(bytes);
        self
    }

    /// Watches only: what is typed by this connection is ignored. *Extension*.
    pub fn read_only(mut self) -> Self {
        self.inner = self.inner.read_only();
        self
    }
}

/// A connection to a terminal. See [`crate::PtyHandle`].
#[derive(Debug)]
pub struct PtyHandle {
    inner: crate::PtyHandle,
    waiter: Arc<Waiter>,
}

impl PtyHandle {
    /// Returns the id of the terminal.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Types bytes.
    ///
    /// # Errors
    ///
    /// Those of [`crate::PtyHandle::write`].
    #[doc(alias = "send_input")]
    pub fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.waiter.block_on(self.inner.write(bytes))
    }

    /// Sets the size of the terminal, for all clients.
    ///
    /// # Errors
    ///
    /// Those of [`crate::PtyHandle::resize`].
    pub fn resize(&self, size: PtySize) -> Result<PtyInfo, Error> {
        self.waiter.block_on(self.inner.resize(size))
    }

    /// Kills the terminal with everything that runs in it.
    ///
    /// # Errors
    ///
    /// Those of [`crate::PtyHandle::kill`].
    pub fn kill(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.kill())
    }

    /// Returns what the terminal shows next; `None` after the end of its shell.
    ///
    /// # Errors
    ///
    /// Those of [`crate::PtyHandle::next`].
    pub fn read(&mut self) -> Result<Option<Bytes>, Error> {
        self.waiter.block_on(self.inner.next())
    }

    /// Passes what the terminal shows to `on_data`, until the end of its shell.
    ///
    /// # Errors
    ///
    /// Those of [`crate::PtyHandle::wait_with`].
    #[doc(alias = "wait")]
    pub fn wait_with(&mut self, mut on_data: impl FnMut(Bytes)) -> Result<PtyResult, Error> {
        let on_data = async |bytes| on_data(bytes);
        self.waiter.block_on(self.inner.wait_with(on_data))
    }

    /// Returns whether the connection is open, as far as it was read.
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Returns the exit code of the shell, once its end was read.
    pub fn exit_code(&self) -> Option<i32> {
        self.inner.exit_code()
    }

    /// Returns how many bytes the terminal showed before what is read next, if that is known.
    pub fn offset(&self) -> Option<u64> {
        self.inner.offset()
    }

    /// Splits the connection into a reader of what the terminal shows and a writer that types.
    pub fn into_io(self) -> (Streaming<OutputReader>, Streaming<InputWriter>) {
        let (output, input) = self.inner.into_io();
        let output = Streaming::new(output, Arc::clone(&self.waiter));
        (output, Streaming::new(input, self.waiter))
    }

    /// Disconnects; the terminal stays.
    pub fn disconnect(&mut self) {
        self.inner.disconnect();
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::PtyHandle {
        &self.inner
    }
}
