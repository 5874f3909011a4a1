//! Programs.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use sandbox_transport::Error;
use sandbox_wire::rest::CodeRunRequest;

use crate::{ExecuteResponse, Process, convert};

/// The languages that the protocol names, and those that this project's daemon runs besides (*extensions*). A daemon may lack one,
/// or the runtime of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python 3; the one whose charts are told.
    #[default]
    Python,
    /// JavaScript, by Node.js.
    JavaScript,
    /// TypeScript, by Node.js. Types are not checked.
    TypeScript,
    /// A bash script. *Extension.*
    Bash,
    /// Ruby. *Extension.*
    Ruby,
    /// R, by `Rscript`. *Extension.*
    R,
    /// TypeScript or JavaScript, by Deno with all permissions. *Extension.*
    Deno,
    /// TypeScript or JavaScript, by Bun. *Extension.*
    Bun,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 8] = [
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Bash,
        Self::Ruby,
        Self::R,
        Self::Deno,
        Self::Bun,
    ];

    /// Returns the name by which requests call the language, in lower case; [`FromStr`] is the inverse.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Bash => "bash",
            Self::Ruby => "ruby",
            Self::R => "r",
            Self::Deno => "deno",
            Self::Bun => "bun",
        }
    }
}

/// Writes the [name](Language::name).
impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads the [name](Language::name).
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|language| language.name() == name);
        found.ok_or(UnknownLanguage(()))
    }
}

/// The error of reading a [`Language`] from a text that is no language's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLanguage(());

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown language; the languages are")?;
        for (index, language) in Language::ALL.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}{language}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownLanguage {}

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
    request: CodeRunRequest,
}

impl<'a> CodeRun<'a> {
    pub(crate) fn new(process: &'a Process, code: String) -> Self {
        let language = process.code_toolbox().language().name().to_owned();
        Self {
            process,
            request: CodeRunRequest {
                code,
                language,
                ..CodeRunRequest::default()
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
        for argument in params.argv {
            self = self.arg(argument);
        }
        for (name, value) in params.env {
            self = self.env(name, value);
        }
        self
    }

    /// Adds an argument, handed over verbatim.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.request
            .argv
            .get_or_insert_default()
            .push(argument.into());
        self
    }

    /// Sets a variable on top of the daemon's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let envs = self.request.envs.get_or_insert_default();
        envs.insert(name.into(), Some(value.into()));
        self
    }

    /// Ends it with all its processes after this long. Default: no limit. Rounded as [for
    /// commands](crate::Exec::timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        (self.request.timeout, self.request.timeout_millis) = convert::timeout(limit);
        self
    }

    /// Asks for stdout and stderr apart, as [for commands](crate::Exec::split_output).
    pub fn split_output(mut self) -> Self {
        self.request.split_output = Some(true);
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
            argv: self.request.argv.unwrap_or_default(),
            env: BTreeMap::new(),
        };
        let mut exec = self
            .process
            .exec(toolbox.run_command(&self.request.code, &params));
        exec.request.envs = self.request.envs;
        exec.request.timeout = self.request.timeout;
        exec.request.timeout_millis = self.request.timeout_millis;
        exec.request.split_output = self.request.split_output;
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
                Ok(response) => Ok(convert::code_run_response(response)),
                Err(error) if error.is_unsupported() => self.run_by_command(error).await,
                Err(error) => convert::timed_out(error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_by_the_names_that_they_write() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        for unknown in ["", "Python", "py"] {
            assert_eq!(unknown.parse::<Language>(), Err(UnknownLanguage(())));
        }
        assert_eq!(
            UnknownLanguage(()).to_string(),
            "unknown language; the languages are python, javascript, typescript, bash, ruby, r, deno, bun"
        );
    }
}
