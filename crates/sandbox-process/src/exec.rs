//! Shell commands.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_transport::Error;
use sandbox_wire::rest::ExecuteRequest;

use crate::{ExecuteResponse, Process, convert};

/// A shell command to run; `await` it, or [`stream`](Self::stream) it.
///
/// The shell is the daemon's, neither interactive nor a login shell. The command's standard input is empty.
///
/// # Cancel safety
///
/// Nothing happens before it is awaited. Dropped while awaited, the command may or may not have begun; one that has runs
/// to its end or its time limit.
///
/// # Errors
///
/// An [`Error`] when the daemon tells no outcome. Exit codes, signals, time limits and failed starts are
/// [outcomes](ExecuteResponse::termination).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct Exec<'a> {
    pub(crate) process: &'a Process,
    pub(crate) request: ExecuteRequest,
    pub(crate) with_input: bool,
    pub(crate) kill_on_drop: bool,
}

impl<'a> Exec<'a> {
    pub(crate) fn new(process: &'a Process, command: String) -> Self {
        Self {
            process,
            request: ExecuteRequest {
                command,
                ..ExecuteRequest::default()
            },
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
        let envs = self.request.envs.get_or_insert_default();
        envs.insert(name.into(), Some(value.into()));
        self
    }

    /// Ends it with all its processes after this long. Default: no limit.
    ///
    /// A stock daemon counts whole seconds: the limit is rounded up there.
    pub fn timeout(mut self, limit: Duration) -> Self {
        (self.request.timeout, self.request.timeout_millis) = convert::timeout(limit);
        self
    }

    /// Lets input be given to it while it is [followed](Self::stream). Otherwise its input is empty.
    pub fn with_input(mut self) -> Self {
        self.with_input = true;
        self
    }

    /// Ends it with all its processes when what [follows](Self::stream) it is dropped before its end. Default: no, it runs
    /// on; as does one that is awaited instead of followed, whatever is set here.
    ///
    /// The signal is sent by the runtime in which it was started, soon after: a runtime that ends at once may not come to
    /// it.
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

impl<'a> IntoFuture for Exec<'a> {
    type Output = Result<ExecuteResponse, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.process.ready().await?.execute(self.request).await {
                Ok(response) => Ok(convert::execute_response(response)),
                Err(error) => convert::timed_out(error),
            }
        })
    }
}
