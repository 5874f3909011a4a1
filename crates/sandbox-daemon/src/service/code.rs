//! Programs, each run in a fresh process.

use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{Recorded, RunError, RunOptions, SpawnError};
use sandbox_wire::ErrorCode;

use super::repeat::{Done, Found, Operation};
use super::{Error, State, chain, isolation};

/// A program that is to be run.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) code: String,
    /// The name of its language.
    pub(crate) language: String,
    pub(crate) argv: Vec<String>,
    pub(crate) options: RunOptions,
}

/// Runs a program to its end, or returns the run of an earlier request with this key; the inner error is why it was not
/// started, which is a result. If the caller stops waiting, the program runs on.
pub(crate) async fn run(
    state: &State,
    key: &str,
    request: Request,
) -> Result<Result<Found<Recorded>, SpawnError>, Error> {
    for (field, value) in [("code", &request.code), ("language", &request.language)] {
        if value.is_empty() {
            return Err(Error::incomplete(&format!("{field} is required")));
        }
    }
    isolation::check(state, request.options.isolation.as_ref())?;
    let language = Language::from_name(&request.language)
        .ok_or_else(|| Error::bad(format!("unsupported language: {}", request.language)))?;
    let program = Program {
        language,
        code: request.code,
        argv: request.argv,
    };
    let options = request.options;
    let what = (&request.language, &program.code, &program.argv, &options);
    let request = state.repeats.request(Operation::Code, key, what)?;
    let find = |done| match done {
        Done::Ran(run) => Some(run),
        Done::Started(_) | Done::Created(_) => None,
    };
    let engine = state.engine.clone();
    let operation = async move {
        let run = engine.run_code_recorded(program, options).await?;
        Ok((run.clone(), Done::Ran(run)))
    };
    match state.repeats.once(request, false, find, operation).await? {
        Ok(found) => Ok(Ok(found)),
        Err(error) => not_run(error).map(Err),
    }
}

/// Returns the reason why a program was not run, if that is a result and not an error.
fn not_run(error: CodeError) -> Result<SpawnError, Error> {
    match error {
        error @ CodeError::Variable(_) => Err(Error::bad(chain(&error))),
        CodeError::Runtime(RuntimeError::Run(RunError::Spawn(error)))
        | CodeError::Run(RunError::Spawn(error)) => Error::unless_result(error),
        CodeError::Runtime(
            error @ (RuntimeError::Missing { .. } | RuntimeError::Broken { .. }),
        ) => Err(Error::new(ErrorCode::UnprocessableEntity, chain(&error))),
        error => Err(Error::internal(error)),
    }
}
