//! Programs.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sandbox_transport::{Error, ExecRequest, Language, RunRequest};

use crate::client::Client;
use crate::outcome::Outcome;
use crate::toolbox::{self, CodeRunParams};

/// A program to run; made by [`Process::code_run`](crate::Process::code_run). Await it to run the program to its end.
///
/// It runs as a file of its own would, in the daemon's working directory, with an empty standard input. What
/// `matplotlib.pyplot.show()` shows is in [`Outcome::charts`].
///
/// # Cancel safety
///
/// As for [`Exec`](crate::Exec).
///
/// # Errors
///
/// Those of [`Exec`](crate::Exec), and an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the program is empty
/// or the daemon has no runtime for the language. An error that the program raises is an outcome with a non-zero exit code.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct CodeRun {
    client: Client,
    request: RunRequest,
}

impl CodeRun {
    pub(crate) fn new(client: Client, code: String) -> Self {
        let language = client.toolbox().language().name().to_owned();
        Self {
            client,
            request: RunRequest {
                code,
                language,
                split_output: true,
                ..RunRequest::default()
            },
        }
    }

    /// Sets the language. Default: that of the toolbox, which is Python.
    pub fn language(mut self, language: Language) -> Self {
        language.name().clone_into(&mut self.request.language);
        self
    }

    /// Adds arguments and environment variables.
    pub fn params(mut self, params: CodeRunParams) -> Self {
        self.request.argv.extend(params.argv);
        self.request.env.extend(params.env);
        self
    }

    /// Adds an argument, which is passed as it is.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.request.argv.push(argument.into());
        self
    }

    /// Adds several arguments, which are passed as they are.
    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let arguments = arguments.into_iter().map(Into::into);
        self.request.argv.extend(arguments);
        self
    }

    env_options!(request.env);
    timeout_option!(request.timeout);
    limit_options!(request.limits);
    isolation_option!(request.isolation);

    /// Sends stderr where stdout goes, so that both are in the order in which they were written. Default: they are separate.
    pub fn merge_stderr(mut self) -> Self {
        self.request.split_output = false;
        self
    }

    async fn run(self) -> Result<Outcome, Error> {
        let api = self.client.ready().await?;
        let outcome = match api.code_run(self.request.clone()).await {
            Err(error) if error.is_unsupported() => api.execute(self.command(error)?).await?,
            outcome => outcome?,
        };
        Ok(outcome.into())
    }

    /// Returns a command that runs the program, for a daemon that only runs commands, which `unsupported` reports.
    fn command(&self, unsupported: Error) -> Result<ExecRequest, Error> {
        let language = &self.request.language;
        let own = &**self.client.toolbox();
        let toolbox = if own.language().name() == *language {
            own
        } else {
            toolbox::of(language).ok_or(unsupported)?
        };
        let params = CodeRunParams {
            argv: self.request.argv.clone(),
            env: BTreeMap::new(),
        };
        Ok(ExecRequest {
            env: self.request.env.clone(),
            timeout: self.request.timeout,
            split_output: Some(self.request.split_output),
            limits: self.request.limits,
            isolation: self.request.isolation.clone(),
            ..ExecRequest::new(toolbox.run_command(&self.request.code, &params))
        })
    }
}

impl IntoFuture for CodeRun {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
