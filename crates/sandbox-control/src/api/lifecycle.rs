//! The life of a sandbox after its creation.

use http::StatusCode;
use sandbox_provider::{Provider, Spec, State, Stop};
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
    let how = match force.as_deref() {
        None | Some("" | "false") => Stop::Terminate,
        Some("true") => Stop::Kill,
        Some(_) => return Err(ApiError::bad("force is true or false")),
    };
    let sandbox = call.sandbox().await?;
    let stopped = call.shared.stop(sandbox, how).await?;
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
    let spec = forked(sandbox.spec, wanted.name);
    let forked = call.shared.fork(sandbox.id, spec).await?;
    call.respond(&forked)
}

/// Returns the description of a fork. URLs that were signed for a sandbox's files are not for those of its forks.
fn forked(mut spec: Spec, name: Option<String>) -> Spec {
    spec.name = name.filter(|name| !name.is_empty());
    spec.signing_key = None;
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_has_no_key_of_its_origin() {
        let mut spec = Spec::default();
        spec.user = Some("user".to_owned());
        spec.name = Some("name".to_owned());
        spec.signing_key = Some("key".to_owned());
        let forked = forked(spec, Some(String::new()));
        assert_eq!(forked.user.as_deref(), Some("user"));
        assert_eq!((forked.name, forked.signing_key), (None, None));
    }
}
