//! The client.

use std::future::IntoFuture;
use std::sync::Arc;

use super::Streaming;
use super::waiting::Waiter;
use crate::Error;

/// A client of one sandbox, for programs without a runtime. Cheap to clone. See [`crate::Process`].
#[derive(Debug, Clone)]
pub struct Process {
    process: crate::Process,
    pub(super) waiter: Arc<Waiter>,
}

impl Process {
    /// Creates a client that waits for the operations of an async one.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) if the system has no threads or descriptors left.
    pub fn new(process: crate::Process) -> Result<Self, Error> {
        Ok(Self {
            process,
            waiter: Arc::new(Waiter::with_runtime()?),
        })
    }

    pub(super) fn with_waiter(process: crate::Process, waiter: Arc<Waiter>) -> Self {
        Self { process, waiter }
    }

    /// Creates a client of the daemon at `url`. See [`crate::Process::connect`].
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the URL is not valid.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::new(crate::Process::connect(url)?)
    }

    /// Creates a client of the daemon that the environment names. See [`crate::Process::from_env`].
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if it names none, or a value is not valid.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Process::from_env()?)
    }

    /// Starts a daemon in this process. It ends when the last clone of this value and the last handle made by it are dropped, which
    /// waits until everything that it runs has ended; within an async runtime, where nothing may block, another thread waits.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) if it cannot start.
    #[cfg(feature = "embedded")]
    pub fn local() -> Result<Self, Error> {
        Self::start(crate::Process::local_builder())
    }

    /// Starts a daemon in this process with these settings, as [`local`](Self::local) does.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) if it cannot start.
    #[cfg(feature = "embedded")]
    pub fn start(settings: crate::LocalBuilder) -> Result<Self, Error> {
        let mut waiter = Waiter::with_runtime()?;
        let process = waiter.block_on(settings.start())?;
        waiter.local = Some(process.clone());
        let waiter = Arc::new(waiter);
        Ok(Self { process, waiter })
    }

    /// Ends the embedded daemon and everything that it runs, and returns when all of it has ended. Does nothing for any other
    /// daemon.
    #[cfg(feature = "embedded")]
    pub fn shutdown(&self) {
        self.waiter.block_on(self.process.shutdown());
    }

    /// Waits for an async operation, such as one of [`as_async`](Self::as_async) that has no blocking form.
    pub fn wait<F: IntoFuture>(&self, operation: F) -> F::Output {
        // Outside of the runtime there would be no timers for what is made before it is polled.
        self.waiter.block_on(async { operation.await })
    }

    /// Returns a stream, reader or writer of the async API as an iterator, [`Read`](std::io::Read) or
    /// [`Write`](std::io::Write) that waits.
    pub fn streaming<T>(&self, stream: T) -> Streaming<T> {
        Streaming::new(stream, Arc::clone(&self.waiter))
    }

    /// Returns the async client.
    pub fn as_async(&self) -> &crate::Process {
        &self.process
    }
}
