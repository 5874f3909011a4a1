//! Programs, run by the runtime of their language.

#[cfg(feature = "typescript")]
mod cell;
#[cfg(feature = "typescript")]
mod compiler;
mod json;
#[cfg(feature = "typescript")]
mod local;
mod node;
mod place;
mod python;
mod script;
#[cfg(feature = "typescript")]
pub(crate) mod task;
#[cfg(feature = "typescript")]
mod typescript;

use std::io;

use thiserror::Error;

#[cfg(feature = "typescript")]
pub(crate) use self::compiler::cell;
pub(crate) use self::node::{Boot as NodeBoot, Source as NodeSource};
pub(crate) use self::python::BOOT;
#[cfg(feature = "typescript")]
pub(crate) use self::task::work;
#[cfg(feature = "typescript")]
pub(crate) use self::typescript::{NAME as TYPESCRIPT_NAME, helpers as typescript_helpers};
use crate::engine::Engine;
use crate::environment::InvalidVariable;
use crate::run::{Outcome, Recorded, RunError, RunOptions};
pub use crate::runtimes::RuntimeError;

/// A language whose programs the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python 3; the one with charts.
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
    /// The language called `name`, in lower case as the wire has it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "python" => Some(Self::Python),
            "javascript" => Some(Self::JavaScript),
            #[cfg(feature = "typescript")]
            "typescript" => Some(Self::TypeScript),
            "bash" => Some(Self::Bash),
            "ruby" => Some(Self::Ruby),
            "r" => Some(Self::R),
            "deno" => Some(Self::Deno),
            "bun" => Some(Self::Bun),
            _ => None,
        }
    }

    /// What it is [called](Self::from_name).
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

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its language.
    pub language: Language,
    /// Its text.
    pub code: String,
    /// Its arguments, handed over verbatim.
    pub argv: Vec<String>,
}

/// Why a program has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodeError {
    /// A variable cannot be set.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// The language's runtime is missing or does not work.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The program's text could not be put where the runtime finds it.
    #[error("cannot write the program to a temporary file")]
    Scratch(#[source] io::Error),
    /// The engine was built without the feature `typescript`.
    #[error("TypeScript is not built in")]
    NoCompiler,
    /// The run has no outcome.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Engine {
    /// Runs `program` in a new process of its language's runtime to its end.
    ///
    /// The working directory, the environment, the time limit, the process group and the standard input are as for
    /// [`exec`](Self::exec). The program runs as a file of its own would; its charts come as
    /// [`artifacts`](Outcome::artifacts), one JSON object each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the program running to its end or its time limit.
    ///
    /// # Errors
    ///
    /// [`CodeError`] when there is no outcome. Whatever a program does once it runs is an [`Outcome`].
    pub async fn run_code(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Outcome, CodeError> {
        Ok(self
            .run_code_recorded(program, options)
            .await?
            .collect()
            .await)
    }

    /// Runs `program` as [`run_code`](Self::run_code) does, and returns its output in its record instead of in memory.
    ///
    /// # Cancel safety
    ///
    /// As of [`run_code`](Self::run_code).
    ///
    /// # Errors
    ///
    /// As of [`run_code`](Self::run_code).
    pub async fn run_code_recorded(
        &self,
        program: Program,
        options: RunOptions,
    ) -> Result<Recorded, CodeError> {
        match program.language {
            Language::Python => python::run(self, program, options).await,
            Language::JavaScript => node::javascript(self, program, options).await,
            #[cfg(feature = "typescript")]
            Language::TypeScript => node::typescript(self, program, options).await,
            #[cfg(not(feature = "typescript"))]
            Language::TypeScript => Err(CodeError::NoCompiler),
            Language::Bash | Language::Ruby | Language::R | Language::Deno | Language::Bun => {
                script::run(self, program, options).await
            }
        }
    }
}
