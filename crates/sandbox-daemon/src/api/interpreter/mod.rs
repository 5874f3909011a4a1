//! `/process/interpreter`: contexts, and the socket on which code is run.

mod execute;
pub(crate) mod messages;

use http::{Response, StatusCode};
use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{Context, ContextOptions, CreateContextError};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    CreateContextRequest, DEFAULT_CONTEXT, InterpreterContext, ListContextsResponse,
    MessageResponse,
};

use super::error::{chain, is_shortage};
use super::response::{empty, json};
use super::{Answer, ApiError, Body, Call, body};

pub(super) use execute::execute;

/// `POST /process/interpreter/context`. A body is not needed.
pub(super) fn create(mut call: Call) -> Answer {
    Box::pin(async move {
        let bytes = call.collect_body().await?;
        let request = match bytes.is_empty() {
            true => CreateContextRequest::default(),
            false => body::parse_apart(bytes, ErrorCode::InvalidRequestBody).await?,
        };
        let context = make(&call.state.engine, request).await?;
        json(StatusCode::OK, &describe(&context))
    })
}

/// Makes a context.
pub(crate) async fn make(
    engine: &Engine,
    request: CreateContextRequest,
) -> Result<Context, ApiError> {
    let name = request
        .language
        .as_deref()
        .unwrap_or_else(|| Language::Python.name());
    let unsupported = || {
        let message = format!(
            "unsupported language: {name:?}; there are {}",
            LANGUAGES.join(", ")
        );
        ApiError::new(ErrorCode::BadRequest, message)
    };
    let language = Language::from_name(name).ok_or_else(unsupported)?;
    let options = ContextOptions {
        cwd: request.cwd.filter(|cwd| !cwd.is_empty()).map(Into::into),
    };
    let made = engine.contexts().create(language, options).await;
    made.map_err(|error| match error {
        CreateContextError::Language => unsupported(),
        error => refusal(&error),
    })
}

/// `GET /process/interpreter/context`.
pub(super) fn list(call: Call) -> Answer {
    Box::pin(async move {
        let contexts = call
            .state
            .engine
            .contexts()
            .list()
            .iter()
            .map(describe)
            .collect();
        json(StatusCode::OK, &ListContextsResponse { contexts })
    })
}

/// `DELETE /process/interpreter/context/{id}`.
pub(super) fn delete(call: Call) -> Answer {
    Box::pin(async move {
        end(&call.state.engine, call.parameter("id")).await?;
        let message = "Context deleted successfully".to_owned();
        json(StatusCode::OK, &MessageResponse { message })
    })
}

/// Deletes a context.
pub(crate) async fn end(engine: &Engine, id: &str) -> Result<(), ApiError> {
    if id == DEFAULT_CONTEXT {
        let message = "the default context cannot be deleted";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    match engine.contexts().delete(id).await {
        true => Ok(()),
        false => Err(not_found(id)),
    }
}

/// *Extension*: `POST /process/interpreter/context/{id}/interrupt`. Nothing that runs is as good.
pub(super) fn interrupt(call: Call) -> Answer {
    Box::pin(async move {
        find(&call.state.engine, call.parameter("id"))?
            .interrupt()
            .await;
        done()
    })
}

/// *Extension*: `POST /process/interpreter/context/{id}/restart`.
pub(super) fn restart(call: Call) -> Answer {
    Box::pin(async move {
        begin_again(&call.state.engine, call.parameter("id")).await?;
        done()
    })
}

/// Gives a context a new worker.
pub(crate) async fn begin_again(engine: &Engine, id: &str) -> Result<(), ApiError> {
    match find(engine, id)?.restart().await {
        true => Ok(()),
        false => Err(not_found(id)),
    }
}

/// The context with this id.
pub(crate) fn find(engine: &Engine, id: &str) -> Result<Context, ApiError> {
    match id {
        DEFAULT_CONTEXT => Ok(engine.contexts().default_context()),
        id => engine.contexts().get(id).ok_or_else(|| not_found(id)),
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
        error if is_shortage(error) => {
            let code = ErrorCode::InternalServerError;
            return ApiError::not_started("the context's worker", error, code);
        }
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
        language: context.language().name().to_owned(),
    }
}

/// Those of which a context can be made; *extension*: others than `python`.
pub(crate) const LANGUAGES: [&str; if cfg!(feature = "typescript") { 3 } else { 2 }] = [
    "python",
    "javascript",
    #[cfg(feature = "typescript")]
    "typescript",
];
