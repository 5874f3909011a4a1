//! Shell commands.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_transport::{Error, ExecRequest, Outcome, Termination};
use sandbox_wire::ErrorCode;

use crate::{ExecuteResponse, Process};

/// A shell command to run; `await` it, or [`stream`](Self::stream) it.
///
/// The shell is the daemon's, neither interactive nor a login shell. The command's standard input is empty.
///
/// # Cancel safety
///
/// The request is sent when the future is first polled. If the future is dropped after that, the command may still run to its
/// end or its time limit, unless it is to be [killed](Self::kill_on_drop) then.
///
/// # Errors
///
/// An [`Error`] when the daemon tells no outcome. Exit codes, signals, time limits and failed starts are
/// [outcomes](ExecuteResponse::termination).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct Exec<'a> {
    pub(crate) process: &'a Process,
    pub(crate) request: ExecRequest,
    pub(crate) with_input: bool,
    pub(crate) kill_on_drop: bool,
}

impl<'a> Exec<'a> {
    pub(crate) fn new(process: &'a Process, command: String) -> Self {
        Self {
            process,
            request: ExecRequest::new(command),
            with_input: false,
            kill_on_drop: false,
        }
    }

    /// Runs it in this directory; relative to the daemon's, which is the default.
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.request.cwd = Some(cwd.into());
        self
    }

    /// Sets a variable on top of the daemon's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.env.insert(name.into(), value.into());
        self
    }

    /// Ends it with all its processes after this long. Default: no limit.
    ///
    /// A stock daemon counts whole seconds: the limit is rounded up there.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.timeout = Some(limit);
        self
    }

    /// Lets input be given to it while it is [followed](Self::stream). Otherwise its input is empty.
    pub fn with_input(mut self) -> Self {
        self.with_input = true;
        self
    }

    /// Kills it with all its processes when the future or the [stream](Self::stream) of it is dropped before its end.
    /// Default: no, it runs on.
    ///
    /// An embedded daemon's command is killed before `drop` returns. With any other daemon the connection is closed, which that daemon
    /// takes for the request to end the command (TERM, and KILL after 100 ms); it is closed even if the runtime, or this
    /// process, ends right after.
    ///
    /// *Extension*: awaiting it with another daemon than this project's is an error of kind
    /// [`Unsupported`](crate::ErrorKind::Unsupported), as streaming is.
    pub fn kill_on_drop(mut self) -> Self {
        self.kill_on_drop = true;
        self
    }

    /// Asks for stdout and stderr apart. [`result`](ExecuteResponse::result) then has both in the order in which the
    /// daemon read them, which may differ a little from the order in which they were written.
    pub fn split_output(mut self) -> Self {
        self.request.split_output = Some(true);
        self
    }
}

impl Exec<'_> {
    /// Runs it over a connection of its own, whose end is the command's.
    async fn run_on_a_leash(mut self) -> Result<ExecuteResponse, Error> {
        let is_split = self.request.split_output == Some(true);
        self.request.split_output = Some(is_split);
        self.with_input = false;
        match self.connect().await {
            Ok((connection, mut kill)) => {
                let outcome = connection.collect(is_split).await;
                kill.forget();
                outcome.map(ExecuteResponse::from)
            }
            // A stream reports this as an error.
            Err(error) if error.code() == Some(ErrorCode::UnprocessableEntity.name()) => {
                let reason = error.to_string();
                Ok(ExecuteResponse::from(Outcome {
                    termination: Termination::NotStarted { reason },
                    ..Outcome::default()
                }))
            }
            Err(error) => Err(error),
        }
    }
}

impl<'a> IntoFuture for Exec<'a> {
    type Output = Result<ExecuteResponse, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        if self.kill_on_drop {
            return Box::pin(self.run_on_a_leash());
        }
        Box::pin(async move {
            let outcome = self.process.ready().await?.execute(self.request).await;
            outcome.map(ExecuteResponse::from)
        })
    }
}
