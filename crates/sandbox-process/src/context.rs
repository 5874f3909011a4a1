//! Stateful interpreter contexts.

use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use sandbox_charts::Chart;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    Collected, ContextRequest, Error, InterpretRequest, InterpreterEvent, InterpreterOutcome,
    InterpreterStream, Isolation, Language, ResourceLimits, Termination, Usage,
};

use crate::client::{Client, directory};
use crate::next::next;
use crate::outcome::{ExecutionError, Outcome};
use crate::running::missing_end;

/// A stateful interpreter context: a handle by its id.
///
/// What code sets in it remains for the code that runs after it. Code of one context runs one after another; contexts run beside
/// each other.
///
/// The handle is cheap to clone. Dropping it changes nothing; [`delete`](Self::delete) ends the context.
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::Language;
///
/// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
/// let python = process.create_context(Language::Python).await?;
/// python.run("x = 40").await?;
/// assert_eq!(python.run("print(x + 2)").await?.stdout, "42\n");
/// assert_eq!(python.run("x + 1").await?.displays[0].text, "41");
///
/// let outcome = python.run("1 / 0").await?;
/// assert_eq!(outcome.error.unwrap().name, "ZeroDivisionError");
/// python.delete().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    client: Client,
    /// `None`: the default one.
    id: Option<Arc<str>>,
}

impl Context {
    pub(crate) fn new(client: Client, id: Option<&str>) -> Self {
        Self {
            client,
            id: id.map(Arc::from),
        }
    }

    /// Returns the id of the context.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("default")
    }

    /// Returns code to run in the context: await it to run the code to its end.
    pub fn run(&self, code: impl Into<String>) -> RunCode {
        RunCode {
            client: self.client.clone(),
            request: InterpretRequest {
                code: code.into(),
                context_id: self.id.as_deref().map(str::to_owned),
                ..InterpretRequest::default()
            },
        }
    }

    /// Interrupts what runs in the context, as Ctrl-C does; its state remains. *Extension* of this project's daemon.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the code may or may not be interrupted.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the context does not exist, and of kind
    /// [`Unsupported`](crate::ErrorKind::Unsupported) with other daemons.
    #[doc(alias = "interrupt_context")]
    pub async fn interrupt(&self) -> Result<(), Error> {
        let api = self.client.ready().await?;
        api.interrupt_context(self.id()).await
    }

    /// Gives the context a new interpreter: what runs in it is killed, and its state is lost. *Extension* of this project's
    /// daemon.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the interpreter may or may not be replaced.
    ///
    /// # Errors
    ///
    /// Those of [`interrupt`](Self::interrupt).
    #[doc(alias = "restart_context")]
    pub async fn restart(&self) -> Result<(), Error> {
        self.client.ready().await?.restart_context(self.id()).await
    }

    /// Deletes the context, and kills what runs in it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the context may or may not be deleted.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the context does not exist, and of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for the default one.
    #[doc(alias = "delete_context")]
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.ready().await?.delete_context(self.id()).await
    }
}

/// An interpreter context to create; made by [`Process::create_context`](crate::Process::create_context). Await it: the result is a
/// [`Context`].
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the context may or may not exist.
///
/// # Errors
///
/// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the daemon has no contexts of the language or the
/// directory is not valid.
#[derive(Debug, Clone)]
#[must_use = "nothing is created before it is awaited"]
pub struct CreateContext {
    client: Client,
    cwd: Option<PathBuf>,
    language: Language,
    limits: ResourceLimits,
    isolation: Option<Isolation>,
}

impl CreateContext {
    pub(crate) fn new(client: Client, language: Language) -> Self {
        Self {
            client,
            cwd: None,
            language,
            limits: ResourceLimits::default(),
            isolation: None,
        }
    }

    cwd_option!(cwd);
    limit_options!(limits);
    isolation_option!(isolation);

    /// Sets the language of the code. Default: Python. Daemons other than this project's have no others; this project's has
    /// JavaScript and TypeScript.
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    async fn create(self) -> Result<Context, Error> {
        // Daemons that know no other language may not know the field.
        let is_named = self.language != Language::Python;
        let request = ContextRequest {
            cwd: directory(self.cwd.as_deref())?,
            language: is_named.then(|| self.language.name().to_owned()),
            limits: self.limits,
            isolation: self.isolation,
        };
        let created = self.client.ready().await?.create_context(request).await?;
        Ok(Context::new(self.client, Some(&created.id)))
    }
}

impl IntoFuture for CreateContext {
    type Output = Result<Context, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

/// Code to run in an interpreter context; made by [`Context::run`].
///
/// Await it to run the code to its end. [`spawn`](Self::spawn) starts it and returns a handle, by which its output is read while it
/// runs.
///
/// The termination of its outcome is what that of a program with the same code would be: code that raises an error exits with 1, code
/// that is interrupted is terminated by signal 2, and if the interpreter itself ends, the end of the code is lost.
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the code runs on to its end or its time limit.
///
/// # Errors
///
/// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the context does not exist, and of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the code is empty or a variable's name is not valid. An error that the code
/// raises is an [outcome](Outcome::error).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct RunCode {
    client: Client,
    request: InterpretRequest,
}

impl RunCode {
    env_options!(request.env);

    /// Runs the code in this context. Default: that by which the builder was made.
    pub fn context(mut self, id: impl Into<String>) -> Self {
        self.request.context_id = Some(id.into());
        self
    }

    /// Sets a time limit, after which the code is interrupted. Default: the daemon's, 600 s; [`Duration::MAX`] is none. Over HTTP
    /// it is rounded up to whole seconds.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.timeout = Some(limit);
        self
    }

    /// Starts the code, and returns a handle to it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the code may run.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) or [`Timeout`](crate::ErrorKind::Timeout) if the daemon
    /// cannot be reached. What the daemon refuses is the first item of the handle.
    pub async fn spawn(self) -> Result<RunningCode, Error> {
        let context = Context {
            id: self.request.context_id.as_deref().map(Arc::from),
            client: self.client,
        };
        let api = context.client.ready().await?;
        let events = api.interpret(self.request).await?;
        Ok(RunningCode {
            context,
            events,
            output: Collected::new(),
            shown: Outcome::default(),
            has_failed: false,
            end: None,
        })
    }
}

impl IntoFuture for RunCode {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.spawn().await?.wait().await })
    }
}

/// Code that runs in an interpreter context: a handle by which its output is read.
///
/// It is a [`Stream`] of events. Dropping it closes the connection; the code runs on.
#[derive(Debug)]
pub struct RunningCode {
    context: Context,
    events: InterpreterStream,
    output: Collected,
    /// Charts, values and the error that `wait` has read.
    shown: Outcome,
    /// Whether the code has raised an error, by `next` or by `wait`.
    has_failed: bool,
    end: Option<End>,
}

/// How code ended.
#[derive(Debug, Clone)]
struct End {
    outcome: InterpreterOutcome,
    termination: Option<Termination>,
    usage: Option<Usage>,
}

impl RunningCode {
    /// Returns the context that the code runs in.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the next event; `None` after the end of the code.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    ///
    /// # Errors
    ///
    /// Returns what the daemon refused (see [`RunCode`]), and an error of kind [`Closed`](crate::ErrorKind::Closed) or
    /// [`Protocol`](crate::ErrorKind::Protocol) if the connection ended before the code did.
    pub async fn next(&mut self) -> Option<Result<InterpreterEvent, Error>> {
        next(self).await
    }

    /// Waits for the end of the code, and returns its outcome with what was not read by [`next`](Self::next) before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was read before the future was dropped is returned by the next call.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn wait(&mut self) -> Result<Outcome, Error> {
        while let Some(event) = self.next().await {
            match event? {
                InterpreterEvent::Output { channel, bytes } => self.output.push(channel, &bytes),
                event => self.note(event),
            }
        }
        self.outcome()
    }

    /// Passes the output to `on_output` as it arrives, until the end of the code, and returns its outcome without that output.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the piece that `on_output` was called with last may be lost; it can be called again.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn wait_with(
        &mut self,
        mut on_output: impl AsyncFnMut(Channel, Bytes),
    ) -> Result<Outcome, Error> {
        while let Some(event) = self.next().await {
            match event? {
                InterpreterEvent::Output { channel, bytes } => on_output(channel, bytes).await,
                event => self.note(event),
            }
        }
        self.outcome()
    }

    fn note(&mut self, event: InterpreterEvent) {
        match event {
            InterpreterEvent::Error {
                name,
                value,
                traceback,
            } => {
                self.shown.error = Some(ExecutionError {
                    name,
                    value,
                    traceback,
                });
            }
            InterpreterEvent::Chart { chart } => self.shown.charts.push(Chart::from_json(&chart)),
            InterpreterEvent::Display(display) => self.shown.displays.push(display),
            _ => {}
        }
    }

    fn outcome(&mut self) -> Result<Outcome, Error> {
        let end = self.end.clone().ok_or_else(missing_end)?;
        let shown = std::mem::take(&mut self.shown);
        let output = std::mem::take(&mut self.output).output();
        let known = end
            .termination
            .filter(|ended| *ended != Termination::Unknown);
        let ended = known.unwrap_or_else(|| termination(end.outcome, self.has_failed));
        let mut outcome = Outcome::new(output, ended).with_usage(end.usage);
        outcome.charts = shown.charts;
        outcome.displays = shown.displays;
        outcome.error = shown.error;
        Ok(outcome)
    }
}

impl Stream for RunningCode {
    type Item = Result<InterpreterEvent, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        // After the end nothing matters, not even an error of the connection.
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        let next = Pin::new(&mut self.events).poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(InterpreterEvent::Error { .. }))) => self.has_failed = true,
            Poll::Ready(Some(Ok(InterpreterEvent::Ended {
                outcome,
                termination,
                usage,
            }))) => {
                self.end = Some(End {
                    outcome: outcome.clone(),
                    termination: termination.clone(),
                    usage: *usage,
                });
            }
            _ => {}
        }
        next
    }
}

/// Returns how a program with the same code would have ended.
fn termination(end: InterpreterOutcome, has_failed: bool) -> Termination {
    match end {
        InterpreterOutcome::Completed => Termination::Exited {
            code: i32::from(has_failed),
        },
        InterpreterOutcome::Interrupted => Termination::Signaled { signal: 2 },
        InterpreterOutcome::TimedOut => Termination::TimedOut,
        InterpreterOutcome::WorkerEnded { reason } => Termination::Lost { reason },
        _ => Termination::Unknown,
    }
}
