//! The life of a sandbox after its creation.

use http::StatusCode;
use sandbox_provider::{Provider, State};
use sandbox_wire::ErrorCode;
use serde::Deserialize;

use super::{Call, Responded, convert};
use crate::body::json;
use crate::error::ApiError;

pub(super) async fn get<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    call.respond(&sandbox)
}

pub(super) async fn delete<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    call.shared.delete(sandbox.clone()).await?;
    let view = convert::destroyed(&call.shared, &sandbox, &call.base);
    json(StatusCode::OK, &view)
}

pub(super) async fn start<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    let started = call.shared.start(sandbox).await?;
    call.respond(&started)
}

pub(super) async fn stop<P: Provider>(call: &Call<'_, P>) -> Responded {
    let force = call.query("force");
    let force = match force.as_deref() {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::bad("force is true or false")),
    };
    let sandbox = call.sandbox().await?;
    let stopped = call.shared.stop(sandbox, force).await?;
    call.respond(&stopped)
}

pub(super) async fn pause<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    let paused = call.shared.pause(sandbox).await?;
    call.respond(&paused)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fork {
    name: Option<String>,
}

pub(super) async fn fork<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let wanted: Fork = call.read().await?;
    let sandbox = call.sandbox().await?;
    if sandbox.state == State::Error {
        let message = "the sandbox is in an error state; start it first";
        return Err(ApiError::new(ErrorCode::Conflict, message));
    }
    let mut spec = sandbox.spec.clone();
    spec.name = wanted.name.filter(|name| !name.is_empty());
    let forked = call.shared.fork(sandbox.id, spec).await?;
    call.respond(&forked)
}
