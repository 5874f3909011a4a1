//! Responses that take long to create.

use http::header::HeaderName;
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::http::response::{Body, JSON, typed, whole_body};
use crate::http::{ApiError, Responded};

/// Responds with a value that may be large, and is created on a blocking thread.
pub(super) async fn respond_apart<T: Serialize>(
    make: impl FnOnce() -> T + Send + 'static,
    is_truncated: bool,
) -> Responded {
    // Serializing a long listing would block the other connections of a runtime's thread.
    let body = tokio::task::spawn_blocking(move || serde_json::to_vec(&make()));
    let body = body.await.map_err(ApiError::internal)??;
    let mut response: Response<Body> = typed(JSON, whole_body(body.into()));
    if is_truncated {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(TRUNCATED, yes);
    }
    Ok(response)
}

/// *Extension*: on a response that ends at a limit.
const TRUNCATED: HeaderName = HeaderName::from_static("x-sandbox-truncated");
