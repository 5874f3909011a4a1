//! Interpreters.

use std::sync::Arc;

use super::Process;
use super::waiting::Waiter;
use crate::{Bytes, Channel, Error, InterpreterEvent, Language, Outcome};

/// Interpreters.
impl Process {
    /// Returns an interpreter context to [create](CreateContext::create).
    pub fn create_context(&self, language: Language) -> CreateContext {
        CreateContext {
            inner: self.as_async().create_context(language),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a handle to an interpreter context by its id. Whether it exists is not checked.
    pub fn context(&self, id: impl AsRef<str>) -> Context {
        Context {
            inner: self.as_async().context(id),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a handle to the default context, for Python.
    pub fn default_context(&self) -> Context {
        Context {
            inner: self.as_async().default_context(),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

builder! {
    /// An interpreter context to create. See [`crate::CreateContext`].
    CreateContext [cwd language limits isolation]
    /// Creates the context.
    create -> Context = |waiter, inner| Context { inner, waiter }
}

/// A stateful interpreter context. See [`crate::Context`].
#[derive(Debug, Clone)]
pub struct Context {
    inner: crate::Context,
    waiter: Arc<Waiter>,
}

impl Context {
    /// Returns the id of the context.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns code to [run](RunCode::run) or [spawn](RunCode::spawn) in the context.
    pub fn run(&self, code: impl Into<String>) -> RunCode {
        RunCode {
            inner: self.inner.run(code),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Interrupts what runs in the context; its state remains. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Context::interrupt`].
    pub fn interrupt(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.interrupt())
    }

    /// Gives the context a new interpreter. *Extension*.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Context::restart`].
    pub fn restart(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.restart())
    }

    /// Deletes the context, and kills what runs in it.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Context::delete`].
    pub fn delete(&self) -> Result<(), Error> {
        self.waiter.block_on(self.inner.delete())
    }
}

builder! {
    /// Code to run in an interpreter context. See [`crate::RunCode`].
    RunCode [env timeout]
    /// Runs the code to its end.
    run -> Outcome = |waiter, outcome| outcome
}

impl RunCode {
    /// Starts the code, and returns a handle to it.
    ///
    /// # Errors
    ///
    /// Those of [`crate::RunCode::spawn`].
    pub fn spawn(self) -> Result<RunningCode, Error> {
        let inner = self.waiter.block_on(self.inner.spawn())?;
        Ok(RunningCode {
            inner,
            waiter: self.waiter,
        })
    }
}

/// Code that runs in an interpreter context: an iterator over events. See [`crate::RunningCode`].
#[derive(Debug)]
pub struct RunningCode {
    inner: crate::RunningCode,
    waiter: Arc<Waiter>,
}

impl RunningCode {
    /// Waits for the end of the code, and returns its outcome with what was not read before.
    ///
    /// # Errors
    ///
    /// Those of [`crate::RunningCode::wait`].
    pub fn wait(&mut self) -> Result<Outcome, Error> {
        self.waiter.block_on(self.inner.wait())
    }

    /// Passes the output to `on_output` as it arrives, to the end of the code, and returns its outcome without that output.
    ///
    /// # Errors
    ///
    /// Those of [`crate::RunningCode::wait_with`].
    pub fn wait_with(
        &mut self,
        mut on_output: impl FnMut(Channel, Bytes),
    ) -> Result<Outcome, Error> {
        let on_output = async |channel, bytes| on_output(channel, bytes);
        self.waiter.block_on(self.inner.wait_with(on_output))
    }
}

impl Iterator for RunningCode {
    type Item = Result<InterpreterEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.waiter.block_on(self.inner.next())
    }
}
