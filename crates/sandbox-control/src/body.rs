//! The bodies of requests and responses.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use sandbox_wire::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::limits::{BODY, BODY_BYTES, REFUSED_BODY, REFUSED_BODY_BYTES};

/// The body of a response: complete, or passed on from a sandbox.
pub(crate) type Body = Either<Full<Bytes>, Passed>;

/// A body that is passed on from a sandbox, with what lives as long as it.
pub(crate) struct Passed {
    body: Incoming,
    held: Option<Box<dyn Held>>,
}

/// What lives as long as a body.
pub(crate) trait Held: Send + Sync {
    /// Notes that the body was read to its end; it is dropped then.
    fn complete(self: Box<Self>);
}

pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

pub(crate) fn passed(body: Incoming, held: Box<dyn Held>) -> Body {
    let held = Some(held);
    Either::Right(Passed { body, held })
}

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if (frame.is_none() || self.body.is_end_stream())
            && let Some(held) = self.held.take()
        {
            held.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").finish_non_exhaustive()
    }
}

/// Returns a response with this object.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| ApiError::new(ErrorCode::InternalServerError, error.to_string()))?;
    let mut response = Response::new(whole(bytes));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// Returns a response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Reads a body as an object of JSON; an empty one is an empty object.
///
/// # Errors
///
/// Returns 400, 408 or 413 for a body that is not one, is not complete in time, or is too long.
pub(crate) async fn read<T: DeserializeOwned>(body: &mut Incoming) -> Result<T, ApiError> {
    let bytes = match tokio::time::timeout(BODY, collect(body)).await {
        Ok(bytes) => bytes?,
        Err(_) => {
            let message = "the body did not come in time";
            return Err(ApiError::new(ErrorCode::RequestTimeout, message));
        }
    };
    parse(&bytes)
}

/// Parses a body as an object of JSON; an empty one is an empty object.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // By way of a map, since a list would pass for the fields in their order.
    let object = serde_json::from_slice::<Map<String, Value>>(bytes);
    let read = object.and_then(|object| T::deserialize(Value::Object(object)));
    read.map_err(|error| unreadable(&error))
}

/// Returns the refusal of a body that is no object, or has fields of other types.
pub(crate) fn unreadable(error: &serde_json::Error) -> ApiError {
    let message = format!("the body is not what this route reads: {error}");
    ApiError::new(ErrorCode::InvalidRequestBody, message)
}

async fn collect(body: &mut Incoming) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::bad(error.to_string()))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > BODY_BYTES {
            let message = format!("the body is longer than {BODY_BYTES} bytes");
            return Err(ApiError::new(ErrorCode::PayloadTooLarge, message));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads a body to its end, or to a bound, and discards it: many clients read no response before they have sent all.
pub(crate) async fn discard(body: &mut Incoming) {
    let read = async {
        let mut left = REFUSED_BODY_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // What is longer is cut off with the connection.
    let _ = tokio::time::timeout(REFUSED_BODY, read).await;
}
