//! Interpreters that remember.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_charts::Chart;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    ContextInfo, ContextRequest, Display, Error, InterpretRequest, InterpreterEvent,
    InterpreterOutcome, InterpreterStream,
};

use crate::response::lossy;
use crate::stream::missing_end;
use crate::{Language, Process};

/// Interpreters in which what code sets stays for the next: one for Python that is there by itself, and those that are made.
#[derive(Debug, Clone, Copy)]
pub struct CodeInterpreter<'a> {
    process: &'a Process,
}

impl<'a> CodeInterpreter<'a> {
    pub(crate) fn new(process: &'a Process) -> Self {
        Self { process }
    }

    /// Runs code to its end: `await` what this returns. In the context that is there by itself unless told otherwise.
    pub fn run_code(&self, code: impl Into<String>) -> RunCode<'a> {
        RunCode {
            process: self.process,
            request: InterpretRequest {
                code: code.into(),
                ..InterpretRequest::default()
            },
        }
    }

    /// Makes a context, whose code runs in this directory: `await` what this returns. Default: the daemon's.
    pub fn create_context(&self, cwd: Option<&str>) -> CreateContext<'a> {
        CreateContext {
            process: self.process,
            request: ContextRequest {
                cwd: cwd.map(str::to_owned),
                ..ContextRequest::default()
            },
        }
    }

    /// Lists the contexts that were made.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn list_contexts(&self) -> Result<Vec<ContextInfo>, Error> {
        self.process.ready().await?.list_contexts().await
    }

    /// Ends a context with what runs in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn delete_context(&self, id: &str) -> Result<(), Error> {
        self.process.ready().await?.delete_context(id).await
    }

    /// Interrupts what runs in a context, as Ctrl-C does; what was set stays. *Extension* of this project's daemon.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with other daemons.
    pub async fn interrupt_context(&self, id: &str) -> Result<(), Error> {
        self.process.ready().await?.interrupt_context(id).await
    }

    /// Gives a context a new interpreter: what runs in it is ended, and what was set is lost. *Extension* of this project's
    /// daemon.
    ///
    /// # Errors
    ///
    /// Those of [`interrupt_context`](Self::interrupt_context).
    pub async fn restart_context(&self, id: &str) -> Result<(), Error> {
        self.process.ready().await?.restart_context(id).await
    }
}

/// A context to make; `await` it.
///
/// # Cancel safety
///
/// Nothing happens before it is awaited. If dropped after that, the context is made or not.
///
/// # Errors
///
/// Whatever keeps an answer from coming, and [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a language of
/// which the daemon has no contexts.
#[derive(Debug, Clone)]
#[must_use = "nothing is made before it is awaited"]
pub struct CreateContext<'a> {
    process: &'a Process,
    request: ContextRequest,
}

impl CreateContext<'_> {
    /// Chooses the language of its code. Default: Python. *Extension* of this project's daemon, which has JavaScript and
    /// TypeScript besides; other daemons refuse them.
    pub fn language(mut self, language: Language) -> Self {
        self.request.language = Some(language.name().to_owned());
        self
    }
}

impl<'a> IntoFuture for CreateContext<'a> {
    type Output = Result<ContextInfo, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let api = self.process.ready().await?;
            api.create_context(self.request).await
        })
    }
}

/// Code to run in an interpreter; `await` it, or [stream](Self::stream) it.
///
/// # Cancel safety
///
/// Nothing happens before it is awaited. Code that has begun runs to its end or its time limit.
///
/// # Errors
///
/// What keeps an answer from coming, and a stream that does not tell the end. An error that the code raises is a [result](ExecutionResult::error).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct RunCode<'a> {
    process: &'a Process,
    request: InterpretRequest,
}

impl RunCode<'_> {
    /// Runs it in this context.
    pub fn context(mut self, id: impl Into<String>) -> Self {
        self.request.context_id = Some(id.into());
        self
    }

    /// Sets a variable while it runs.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.env.insert(name.into(), value.into());
        self
    }

    /// Sets these variables while it runs.
    pub fn envs(mut self, envs: BTreeMap<String, String>) -> Self {
        self.request.env.extend(envs);
        self
    }

    /// Interrupts it after this long; over HTTP in whole seconds, rounded up. [`Duration::MAX`] is no limit. Default: the
    /// daemon's, 600 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.timeout = Some(limit);
        self
    }

    /// What comes of it, as it comes.
    ///
    /// # Errors
    ///
    /// Those of running it.
    pub async fn stream(self) -> Result<InterpreterStream, Error> {
        self.process.ready().await?.interpret(self.request).await
    }
}

impl<'a> IntoFuture for RunCode<'a> {
    type Output = Result<ExecutionResult, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut events = self.stream().await?;
            let mut result = ExecutionResult::default();
            let [mut stdout, mut stderr] = [Vec::new(), Vec::new()];
            let mut end = None;
            while let Some(event) = events.next().await {
                match event? {
                    InterpreterEvent::Output { channel, bytes } => match channel {
                        Channel::Stdout => stdout.extend_from_slice(&bytes),
                        Channel::Stderr => stderr.extend_from_slice(&bytes),
                    },
                    InterpreterEvent::Error {
                        name,
                        value,
                        traceback,
                    } => {
                        result.error = Some(ExecutionError {
                            name,
                            value,
                            traceback,
                        });
                    }
                    InterpreterEvent::Chart { chart } => {
                        result.charts.push(Chart::from_json(&chart));
                    }
                    InterpreterEvent::Display(shown) => result.displayed.push(shown),
                    InterpreterEvent::Ended { outcome } => end = Some(outcome),
                    _ => {}
                }
            }
            result.outcome = end.ok_or_else(missing_end)?;
            (result.stdout, result.stderr) = (lossy(&stdout), lossy(&stderr));
            Ok(result)
        })
    }
}

/// What code did in an interpreter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecutionResult {
    /// What it wrote to stdout, invalid UTF-8 as U+FFFD; [`stream`](RunCode::stream) gives the bytes.
    pub stdout: String,
    /// What it wrote to stderr, likewise.
    pub stderr: String,
    /// The error that nothing caught.
    pub error: Option<ExecutionError>,
    /// The charts that it showed, in their order. *Extension* of this project's daemon; empty with others.
    pub charts: Vec<Chart>,
    /// The value of its last expression, if it has one. *Extension*, likewise.
    pub displayed: Vec<Display>,
    /// How it ended.
    pub outcome: InterpreterOutcome,
}

impl Default for ExecutionResult {
    fn default() -> Self {
        Self {
            stdout: String::new(),
            stderr: String::new(),
            error: None,
            charts: Vec::new(),
            displayed: Vec::new(),
            outcome: InterpreterOutcome::Completed,
        }
    }
}

/// An error that code raised.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionError {
    /// Its type, such as `ValueError`.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Where it came from, over several lines.
    pub traceback: String,
}
