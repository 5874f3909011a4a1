//! Interpreters that remember.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_charts::Chart;
use sandbox_logcodec::Channel;
use sandbox_transport::{Error, InterpreterEvent, InterpreterOutcome, InterpreterStream};
use sandbox_wire::rest::CreateContextRequest;
use sandbox_wire::ws::InterpreterRequest;

use crate::{Process, convert};

/// A context, as the daemon tells about it.
pub use sandbox_wire::rest::InterpreterContext;

/// Python interpreters in which what code sets stays for the next: one that is there by itself, and those that are made.
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
            request: InterpreterRequest {
                code: code.into(),
                ..InterpreterRequest::default()
            },
        }
    }

    /// Makes a context, whose code runs in this directory. Default: the daemon's.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn create_context(&self, cwd: Option<&str>) -> Result<InterpreterContext, Error> {
        let request = CreateContextRequest {
            cwd: cwd.map(str::to_owned),
            ..CreateContextRequest::default()
        };
        self.process.ready().await?.create_context(request).await
    }

    /// Lists the contexts that were made.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn list_contexts(&self) -> Result<Vec<InterpreterContext>, Error> {
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
    request: InterpreterRequest,
}

impl RunCode<'_> {
    /// Runs it in this context.
    pub fn context(mut self, id: impl Into<String>) -> Self {
        self.request.context_id = Some(id.into());
        self
    }

    /// Sets a variable while it runs.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let envs = self.request.envs.get_or_insert_default();
        envs.insert(name.into(), Some(value.into()));
        self
    }

    /// Sets these variables while it runs.
    pub fn envs(mut self, envs: BTreeMap<String, String>) -> Self {
        for (name, value) in envs {
            self = self.env(name, value);
        }
        self
    }

    /// Interrupts it after this long, in whole seconds, rounded up; [`Duration::MAX`] is no limit. Default: the daemon's,
    /// 600 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        let seconds = limit.as_nanos().div_ceil(1_000_000_000).max(1);
        // 0 is no limit.
        self.request.timeout = Some(i64::try_from(seconds).unwrap_or(0));
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
            let mut end = None;
            while let Some(event) = events.next().await {
                match event? {
                    InterpreterEvent::Output { channel, text } => match channel {
                        Channel::Stdout => result.stdout.push_str(&text),
                        Channel::Stderr => result.stderr.push_str(&text),
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
                    InterpreterEvent::Display {
                        text,
                        data,
                        omitted,
                    } => {
                        result.displayed.push(Displayed {
                            text,
                            data,
                            omitted,
                        });
                    }
                    InterpreterEvent::Ended { outcome } => end = Some(outcome),
                    _ => {}
                }
            }
            result.outcome = end.ok_or_else(convert::end_untold)?;
            Ok(result)
        })
    }
}

/// What code did in an interpreter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecutionResult {
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// The error that nothing caught.
    pub error: Option<ExecutionError>,
    /// The charts that it showed, in their order. *Extension* of this project's daemon; empty with others.
    pub charts: Vec<Chart>,
    /// The value of its last expression, if it has one. *Extension*, likewise.
    pub displayed: Vec<Displayed>,
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

/// A value, in the forms that its language gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Displayed {
    /// As plain text; may be empty.
    pub text: String,
    /// By media type: text as it is, JSON as such, everything else in base64.
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The lengths in bytes of what was too large to send, by media type.
    pub omitted: BTreeMap<String, u64>,
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
