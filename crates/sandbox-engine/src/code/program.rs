//! A program to run, its language, and the errors of running it.

use std::io;

use thiserror::Error;

use crate::environment::InvalidVariable;
use crate::run::RunError;
use crate::runtimes::RuntimeError;

/// A language whose programs the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python 3; the only language with charts.
    Python,
    /// JavaScript, by Node.js.
    JavaScript,
    /// TypeScript, by Node.js; with the feature `typescript`. Types are not checked.
    TypeScript,
    /// A bash script.
    Bash,
    /// Ruby.
    Ruby,
    /// R, by `Rscript`.
    R,
    /// TypeScript or JavaScript, by Deno, with all permissions.
    Deno,
    /// TypeScript or JavaScript, by Bun.
    Bun,
}

impl Language {
    /// The languages whose programs this build runs.
    pub const ALL: &[Self] = &[
        Self::Python,
        Self::JavaScript,
        Self::Bash,
        Self::Ruby,
        Self::R,
        Self::Deno,
        Self::Bun,
        #[cfg(feature = "typescript")]
        Self::TypeScript,
    ];

    /// Returns the language called `name`, in lower case as in the wire format.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|language| language.name() == name)
    }

    /// Returns the [name](Self::from_name) of the language.
    pub fn name(self) -> &'static str {
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

/// A program to run, with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// The language of the program.
    pub language: Language,
    /// The text of the program.
    pub code: String,
    /// The arguments, passed verbatim.
    pub argv: Vec<String>,
}

/// The reason why a program has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodeError {
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The language's runtime is missing or does not work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The program's text could not be written where the runtime finds it.
    #[error("cannot write the program to a temporary file")]
    Scratch(#[source] io::Error),
    /// The engine was built without the feature `typescript`.
    #[error("TypeScript is not built in")]
    NoCompiler,
    /// The run has no outcome.
    #[error(transparent)]
    Run(#[from] RunError),
}
