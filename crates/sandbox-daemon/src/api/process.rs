//! `POST /process/execute` and `POST /process/code-run`.

use http::Response;
use sandbox_engine::code::{CodeError, Language, Program, RuntimeError};
use sandbox_engine::{ExecError, RunError, RunOptions, SpawnError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{CodeRunRequest, ExecuteRequest};

use super::convert::{self, Run, RunFields};
use super::error::{chain, is_shortage};
use super::{Answer, ApiError, Body, Call};
#[cfg(feature = "grpc")]
use crate::execs::{Found, Program as Exec};

pub(super) fn execute(call: Call) -> Answer {
    Box::pin(execute_command(call))
}

pub(super) fn code_run(call: Call) -> Answer {
    Box::pin(run_code(call))
}

async fn execute_command(mut call: Call) -> Result<Response<Body>, ApiError> {
    let peer = call.peer();
    let request: ExecuteRequest = call.read_body(ErrorCode::BadRequest).await?;
    if request.command.trim().is_empty() {
        let message = "the command cannot be empty or only white space";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    let (command, options) = convert::execute_request(request);
    let fields = match run(&call, command, options).await? {
        Ok(run) => convert::outcome(run).await?,
        Err(error @ (ExecError::Blank | ExecError::Variable(_))) => {
            return Err(bad_request(&error));
        }
        Err(ExecError::Run(RunError::Spawn(error))) => not_started(&error)?,
        Err(error) => return Err(ApiError::internal(error)),
    };
    fields.for_peer(&peer).into_execute_response()
}

/// Runs a command to its end. One whose request has a key is also found by calls of gRPC with that key.
async fn run(
    call: &Call,
    command: String,
    options: RunOptions,
) -> Result<Result<Run, ExecError>, ApiError> {
    let engine = &call.state.engine;
    #[cfg(feature = "grpc")]
    if !call.key().is_empty() {
        let key = (&*call.state.keys, call.key());
        let program = Exec::Command(command);
        let started = call.state.execs.start(engine, key, program, options, true);
        return Ok(match started.await? {
            Ok(Found { exec, .. }) => Ok(Run {
                termination: exec.command.ended().await,
                record: exec.command.record().clone(),
                output: exec.output,
                artifacts: Vec::new(),
            }),
            Err(error) => Err(error),
        });
    }
    let run = engine.exec_recorded(&command, options).await;
    Ok(run.map(Run::from))
}

async fn run_code(mut call: Call) -> Result<Response<Body>, ApiError> {
    let peer = call.peer();
    let request: CodeRunRequest = call.read_body(ErrorCode::InvalidRequestBody).await?;
    for (field, value) in [("code", &request.code), ("language", &request.language)] {
        if value.is_empty() {
            let message = format!("invalid request body: {field} is required");
            return Err(ApiError::new(ErrorCode::InvalidRequestBody, message));
        }
    }
    let language = Language::from_name(&request.language).ok_or_else(|| {
        let message = format!("unsupported language: {}", request.language);
        ApiError::new(ErrorCode::BadRequest, message)
    })?;
    let (code, argv, options) = convert::code_run_request(request);
    let program = Program {
        language,
        code,
        argv,
    };
    let run = call.state.engine.run_code_recorded(program, options).await;
    let fields = match run {
        Ok(run) => convert::outcome(run.into()).await?,
        Err(error @ CodeError::Variable(_)) => return Err(bad_request(&error)),
        Err(CodeError::Runtime(RuntimeError::Run(RunError::Spawn(error)))) => not_started(&error)?,
        Err(CodeError::Runtime(
            error @ (RuntimeError::Missing { .. } | RuntimeError::Broken { .. }),
        )) => {
            return Err(ApiError::new(ErrorCode::UnprocessableEntity, chain(&error)));
        }
        Err(CodeError::Run(RunError::Spawn(error))) => not_started(&error)?,
        Err(error) => return Err(ApiError::internal(error)),
    };
    fields.for_peer(&peer).into_code_run_response()
}

/// A process that never ran is a result, unless it would run a moment later.
fn not_started(error: &SpawnError) -> Result<RunFields, ApiError> {
    match is_shortage(error) {
        true => {
            let code = ErrorCode::ServiceUnavailable;
            Err(ApiError::not_started("the process", error, code))
        }
        false => Ok(RunFields::not_started(error)),
    }
}

fn bad_request(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, chain(error))
}
