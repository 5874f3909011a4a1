//! The bodies of responses.

use std::io;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;

use crate::memory::Holder;

/// The body of a response: complete, or a stream that may fail, which ends the connection within the body.
pub(crate) type Body = Either<Full<Bytes>, StreamBody<Frames>>;

type Frames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>;

pub(crate) fn whole_body(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

pub(crate) fn empty_body() -> Body {
    whole_body(Bytes::new())
}

pub(crate) fn stream_body(
    stream: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
) -> Body {
    // Dropped with the body, when the memory that it took can be returned.
    let holder = Holder;
    let frames = stream.map_ok(move |bytes| {
        // Makes the closure capture it.
        let _held = &holder;
        Frame::data(bytes)
    });
    Either::Right(StreamBody::new(Box::pin(frames)))
}

/// Returns a complete body, with its length, if it is short and in memory; else one that is sent while it is read.
pub(crate) fn short_or_streamed<S>(make: impl Fn() -> S) -> Body
where
    S: Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
{
    match short(make()) {
        Some(whole) => whole_body(whole),
        None => stream_body(make()),
    }
}

fn short(pieces: impl Stream<Item = Result<Bytes, io::Error>>) -> Option<Bytes> {
    let mut whole = Vec::new();
    let mut pieces = pin!(pieces);
    while whole.len() <= SHORT {
        // What has to be waited for is not in memory. The pieces that were read are dropped then,
        // and the stream begins anew.
        match pieces.next().now_or_never()? {
            Some(piece) => whole.extend_from_slice(&piece.ok()?),
            None => return Some(whole.into()),
        }
    }
    None
}

/// Maximum size in bytes of a body that is created before it is sent.
pub(crate) const SHORT: usize = 64 * 1024;

/// Returns a response with this object.
pub(crate) fn json(
    status: StatusCode,
    value: &impl Serialize,
) -> Result<Response<Body>, serde_json::Error> {
    let body = serde_json::to_vec(value)?;
    let mut response = typed(JSON, whole_body(body.into()));
    *response.status_mut() = status;
    Ok(response)
}

/// The content type of a response with an object.
pub(super) const JSON: &str = "application/json; charset=utf-8";

pub(crate) fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Returns a response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    response
}
