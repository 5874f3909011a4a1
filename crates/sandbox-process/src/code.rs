//! Programs.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_transport::{Error, ExecRequest, Language, RunRequest};

use crate::{ExecuteResponse, Process};

/// Arguments and variables of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeRunParams {
    /// The arguments, handed over verbatim.
    pub argv: Vec<String>,
    /// Variables on top of the daemon's environment.
    pub env: BTreeMap<String, String>,
}

/// A program to run; `await` it.
///
/// It runs as a file of its own would, in the daemon's working directory, with an empty standard input. What
/// `matplotlib.pyplot.show()` shows comes back as [charts](crate::ExecutionArtifacts::charts).
///
/// Cancel safety and errors are those of [`Exec`](crate::Exec).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct CodeRun<'a> {
    process: &'a Process,
    request: RunRequest,
}

impl<'a> CodeRun<'a> {
    pub(crate) fn new(process: &'a Process, code: String) -> Self {
        let language = process.code_toolbox().language().name().to_owned();
        Self {
            process,
            request: RunRequest {
                code,
                language,
                ..RunRequest::default()
            },
        }
    }

    /// Chooses the language. Default: that of the toolbox, which is Python.
    pub fn language(mut self, language: Language) -> Self {
        language.name().clone_into(&mut self.request.language);
        self
    }

    /// Adds arguments and variables.
    pub fn params(mut self, params: CodeRunParams) -> Self {
        self.request.argv.extend(params.argv);
        self.request.env.extend(params.env);
        self
    }

    /// Adds an argument, handed over verbatim.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.request.argv.push(argument.into());
        self
    }

    /// Sets a variable on top of the daemon's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.env.insert(name.into(), value.into());
        self
    }

    /// Ends it with all its processes after this long. Default: no limit. Rounded as [for
    /// commands](crate::Exec::timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.timeout = Some(limit);
        self
    }

    /// Asks for stdout and stderr apart, as [for commands](crate::Exec::split_output).
    pub fn split_output(mut self) -> Self {
        self.request.split_output = true;
        self
    }
}

impl CodeRun<'_> {
    /// Runs it by a command, with a daemon that only runs commands; `unsupported` is what that said.
    async fn run_by_command(self, unsupported: Error) -> Result<ExecuteResponse, Error> {
        let toolbox = self.process.code_toolbox();
        if toolbox.language().name() != self.request.language {
            return Err(unsupported);
        }
        let params = CodeRunParams {
            argv: self.request.argv,
            env: BTreeMap::new(),
        };
        let mut exec = self
            .process
            .exec(toolbox.run_command(&self.request.code, &params));
        exec.request = ExecRequest {
            env: self.request.env,
            timeout: self.request.timeout,
            split_output: self.request.split_output.then_some(true),
            ..exec.request
        };
        exec.await
    }
}

impl<'a> IntoFuture for CodeRun<'a> {
    type Output = Result<ExecuteResponse, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let api = self.process.ready().await?;
            match api.code_run(self.request.clone()).await {
                Err(error) if error.is_unsupported() => self.run_by_command(error).await,
                outcome => outcome.map(ExecuteResponse::from),
            }
        })
    }
}
