//! `/process/interpreter`: contexts, and the socket on which code is executed.

mod execute;
mod messages;

use http::StatusCode;
use sandbox_engine::interpreter::{Context, ContextOptions};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    CreateContextRequest, InterpreterContext, ListContextsResponse, MessageResponse,
};

use super::convert::{directory, isolation, level};
use super::peer::Peer;
use super::resources::limits;
use super::response::{empty, json};
use super::{Call, Responded, body};
use crate::service::interpreter;

pub(super) use execute::execute;

/// `POST /process/interpreter/context`. The body is optional.
pub(super) async fn create(mut call: Call) -> Responded {
    let bytes = call.collect_body().await?;
    let request = if bytes.is_empty() {
        CreateContextRequest::default()
    } else {
        body::parse_apart(bytes, ErrorCode::InvalidRequestBody).await?
    };
    let options = ContextOptions {
        cwd: directory(request.cwd),
        limits: limits(request.limits),
        isolation: isolation(request.isolation)?,
    };
    let language = request.language.as_deref();
    let context = interpreter::create(&call.state, call.key(), language, options).await?;
    Ok(json(StatusCode::OK, &describe(&context, &call.peer()))?)
}

/// `GET /process/interpreter/context`.
pub(super) async fn list(call: Call) -> Responded {
    let contexts = call.state.engine.contexts().list();
    let peer = call.peer();
    let contexts = contexts.iter().map(|context| describe(context, &peer));
    let contexts = contexts.collect();
    Ok(json(StatusCode::OK, &ListContextsResponse { contexts })?)
}

/// `DELETE /process/interpreter/context/{id}`.
pub(super) async fn delete(call: Call) -> Responded {
    interpreter::delete(&call.state.engine, call.parameter("id")).await?;
    let message = "Context deleted successfully".to_owned();
    Ok(json(StatusCode::OK, &MessageResponse { message })?)
}

/// *Extension*: `POST /process/interpreter/context/{id}/interrupt`. Succeeds also if nothing runs.
pub(super) async fn interrupt(call: Call) -> Responded {
    let context = interpreter::find(&call.state.engine, call.parameter("id"))?;
    context.interrupt().await;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// *Extension*: `POST /process/interpreter/context/{id}/restart`.
pub(super) async fn restart(call: Call) -> Responded {
    interpreter::restart(&call.state.engine, call.parameter("id")).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn describe(context: &Context, peer: &Peer) -> InterpreterContext {
    InterpreterContext {
        id: context.id().to_owned(),
        cwd: context.cwd().to_string_lossy().into_owned(),
        created_at: humantime::format_rfc3339_nanos(context.created_at()).to_string(),
        active: true,
        language: context.language().name().to_owned(),
        isolation_level: peer.takes_extensions().then(|| level(context.level())),
    }
}
