//! Programs, each in a fresh process.

use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{Engine, RunError, RunOptions, SpawnError};
use sandbox_wire::ErrorCode;

use super::{Error, Run, chain};

/// A program that is to be run.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) code: String,
    /// The name of its language.
    pub(crate) language: String,
    pub(crate) argv: Vec<String>,
    pub(crate) options: RunOptions,
}

/// Runs a program to its end; inside, why it was not started, which is a result.
pub(crate) async fn run(
    engine: &Engine,
    request: Request,
) -> Result<Result<Run, SpawnError>, Error> {
    for (field, value) in [("code", &request.code), ("language", &request.language)] {
        if value.is_empty() {
            return Err(Error::incomplete(&format!("{field} is required")));
        }
    }
    let language = Language::from_name(&request.language)
        .ok_or_else(|| Error::bad(format!("unsupported language: {}", request.language)))?;
    let program = Program {
        language,
        code: request.code,
        argv: request.argv,
    };
    match engine.run_code_recorded(program, request.options).await {
        Ok(run) => Ok(Ok(run.into())),
        Err(error @ CodeError::Variable(_)) => Err(Error::bad(chain(&error))),
        Err(
            CodeError::Runtime(RuntimeError::Run(RunError::Spawn(error)))
            | CodeError::Run(RunError::Spawn(error)),
        ) => Error::unless_result(error).map(Err),
        Err(CodeError::Runtime(
            error @ (RuntimeError::Missing { .. } | RuntimeError::Broken { .. }),
        )) => Err(Error::new(ErrorCode::UnprocessableEntity, chain(&error))),
        Err(error) => Err(Error::internal(error)),
    }
}
