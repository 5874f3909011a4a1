//! `/process/interpreter`: contexts, and the socket on which code is run.

mod execute;
mod messages;

use http::{Response, StatusCode};
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions, CreateContextError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    CreateContextRequest, DEFAULT_CONTEXT, InterpreterContext, ListContextsResponse,
    MessageResponse,
};

use super::error::chain;
use super::response::{empty, json};
use super::{Answer, ApiError, Body, Call, body};

pub(super) use execute::execute;

/// `POST /process/interpreter/context`. A body is not needed.
pub(super) fn create(mut call: Call) -> Answer {
    Box::pin(async move {
        let bytes = call.collect_body().await?;
        let request = match bytes.is_empty() {
            true => CreateContextRequest::default(),
            false => body::parse_or(&bytes, ErrorCode::InvalidRequestBody)?,
        };
        let language = request.language.as_deref().unwrap_or(PYTHON);
        let known = Language::from_name(language).filter(|known| *known == Language::Python);
        let language = known.ok_or_else(|| {
            let message = format!("unsupported language: {language:?}; there is {PYTHON:?}");
            ApiError::new(ErrorCode::BadRequest, message)
        })?;
        let options = ContextOptions {
            cwd: request.cwd.filter(|cwd| !cwd.is_empty()).map(Into::into),
        };
        match call.state.engine.create_context(language, options).await {
            Ok(context) => json(StatusCode::OK, &describe(&context)),
            Err(error) => Err(refusal(&error)),
        }
    })
}

/// `GET /process/interpreter/context`.
pub(super) fn list(call: Call) -> Answer {
    Box::pin(async move {
        let contexts = call.state.engine.contexts().iter().map(describe).collect();
        json(StatusCode::OK, &ListContextsResponse { contexts })
    })
}

/// `DELETE /process/interpreter/context/{id}`.
pub(super) fn delete(call: Call) -> Answer {
    Box::pin(async move {
        let id = call.parameter("id");
        if id == DEFAULT_CONTEXT {
            let message = "the default context cannot be deleted";
            return Err(ApiError::new(ErrorCode::BadRequest, message));
        }
        match call.state.engine.delete_context(id).await {
            true => json(
                StatusCode::OK,
                &MessageResponse {
                    message: "Context deleted successfully".to_owned(),
                },
            ),
            false => Err(not_found(id)),
        }
    })
}

/// *Extension*: `POST /process/interpreter/context/{id}/interrupt`. Nothing that runs is as good.
pub(super) fn interrupt(call: Call) -> Answer {
    Box::pin(async move {
        find(&call)?.interrupt().await;
        done()
    })
}

/// *Extension*: `POST /process/interpreter/context/{id}/restart`.
pub(super) fn restart(call: Call) -> Answer {
    Box::pin(async move {
        match find(&call)?.restart().await {
            true => done(),
            false => Err(not_found(call.parameter("id"))),
        }
    })
}

fn find(call: &Call) -> Result<Context, ApiError> {
    let engine = &call.state.engine;
    match call.parameter("id") {
        DEFAULT_CONTEXT => Ok(engine.default_context()),
        id => engine.context(id).ok_or_else(|| not_found(id)),
    }
}

fn done() -> Result<Response<Body>, ApiError> {
    Ok(empty(StatusCode::NO_CONTENT))
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("context not found: {id}"))
}

fn refusal(error: &CreateContextError) -> ApiError {
    let code = match error {
        CreateContextError::TooMany { .. } => ErrorCode::TooManyRequests,
        // What is asked for here may be impossible, but clients know this as the daemon's failure.
        _ => ErrorCode::InternalServerError,
    };
    ApiError::new(code, chain(error))
}

fn describe(context: &Context) -> InterpreterContext {
    InterpreterContext {
        id: context.id().to_owned(),
        cwd: context.cwd().to_string_lossy().into_owned(),
        created_at: humantime::format_rfc3339_nanos(context.created_at()).to_string(),
        active: true,
        language: PYTHON.to_owned(),
    }
}

const PYTHON: &str = "python";
