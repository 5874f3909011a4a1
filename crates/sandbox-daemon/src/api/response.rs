//! The bodies of answers.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;

use super::ApiError;

/// The body of an answer: whole, or a stream that may fail, which ends the connection within the body.
pub(crate) type Body = Either<Full<Bytes>, StreamBody<Frames>>;

type Frames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>;

pub(crate) fn whole_body(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

pub(crate) fn empty_body() -> Body {
    whole_body(Bytes::new())
}

pub(super) fn stream_body(
    stream: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
) -> Body {
    Either::Right(StreamBody::new(Box::pin(stream.map_ok(Frame::data))))
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let body = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let mut response = typed("application/json; charset=utf-8", whole_body(body.into()));
    *response.status_mut() = status;
    Ok(response)
}

pub(super) fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    response
}
