//! The daemon, its commands and its programs.

use std::future::IntoFuture;
use std::sync::Arc;

use super::Streaming;
use super::waiting::Waiter;
use crate::{CodeInterpreter, CodeRun, Error, Exec};

/// A sandbox's daemon, for programs without a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Process {
    process: crate::Process,
    pub(super) waiter: Arc<Waiter>,
}

impl Process {
    /// Waits for the operations of `process` from here on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when the system is short of threads or descriptors.
    pub fn new(process: crate::Process) -> Result<Self, Error> {
        Ok(Self {
            process,
            waiter: Arc::new(Waiter::with_runtime()?),
        })
    }

    /// The daemon at `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the URL cannot be used.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::new(crate::Process::connect(url)?)
    }

    /// The daemon that the environment names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when it names none that can be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Process::from_env()?)
    }

    /// A daemon in this very process. It ends with the last clone of this value and of what was made by it, which waits until
    /// everything that it runs has ended; within an async runtime, where nothing may wait, another thread does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when it cannot start.
    #[cfg(feature = "embedded")]
    pub fn local() -> Result<Self, Error> {
        Self::start(crate::Process::local_builder())
    }

    /// A daemon in this very process with these settings, as [`local`](Self::local) starts it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when it cannot start.
    #[cfg(feature = "embedded")]
    pub fn start(settings: crate::LocalBuilder) -> Result<Self, Error> {
        let mut waiter = Waiter::with_runtime()?;
        let process = waiter.block_on(settings.start())?;
        waiter.local = Some(process.clone());
        let waiter = Arc::new(waiter);
        Ok(Self { process, waiter })
    }

    /// Ends the embedded daemon and everything that it runs, and returns when all of it has ended. Without one it does
    /// nothing.
    #[cfg(feature = "embedded")]
    pub fn shutdown(&self) {
        self.waiter.block_on(self.process.shutdown());
    }

    /// Waits for what was built: `process.wait(process.exec("ls"))`.
    pub fn wait<F: IntoFuture>(&self, built: F) -> F::Output {
        // Outside of the runtime there would be no timers for what is made before it is polled.
        self.waiter.block_on(async { built.await })
    }

    /// A stream, reader or writer of [the other face](crate) as an iterator, [`Read`](std::io::Read) or
    /// [`Write`](std::io::Write) that waits.
    pub fn streaming<T>(&self, stream: T) -> Streaming<T> {
        Streaming::new(stream, Arc::clone(&self.waiter))
    }

    /// The process whose operations this waits for.
    pub fn as_async(&self) -> &crate::Process {
        &self.process
    }

    /// A shell command, for [`wait`](Self::wait).
    pub fn exec(&self, command: impl Into<String>) -> Exec<'_> {
        self.process.exec(command)
    }

    /// A program, for [`wait`](Self::wait).
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun<'_> {
        self.process.code_run(code)
    }

    /// Interpreters, whose code is for [`wait`](Self::wait).
    pub fn code_interpreter(&self) -> CodeInterpreter<'_> {
        self.process.code_interpreter()
    }
}

waiting! {
    version() -> String;
}
