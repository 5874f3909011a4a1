//! The routes.

mod body;
mod convert;
mod error;
mod info;
mod peer;
mod process;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use sandbox_engine::Engine;
use serde::Serialize;

pub(crate) use error::ApiError;
use peer::Peer;

/// The body of an answer.
pub(crate) type Body = Full<Bytes>;

/// Answers the requests of one route.
pub(crate) type Handler = fn(Call) -> Answer;

/// An answer in the making.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, ApiError>> + Send>>;

/// What all handlers share.
#[derive(Debug, Clone)]
pub(crate) struct State {
    engine: Engine,
}

impl State {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

/// One request on its way to its handler.
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) parts: Parts,
    pub(crate) body: Incoming,
}

impl Call {
    fn peer(&self) -> Peer {
        Peer::of(&self.parts.headers)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("uri", &self.parts.uri)
            .finish_non_exhaustive()
    }
}

/// One route: what it answers and who may ask.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    pub(crate) handler: Handler,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Anybody: the answer tells nothing and does nothing.
    Anybody,
    /// Who was let in by the server's [`Access`].
    LetIn,
}

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let route = |method, path, door, handler| Route {
        method,
        path,
        door,
        handler,
    };
    vec![
        route(Method::GET, "/healthz", Door::Anybody, info::healthz),
        route(Method::GET, "/version", Door::LetIn, info::version),
        route(
            Method::POST,
            "/process/execute",
            Door::LetIn,
            process::execute,
        ),
        route(
            Method::POST,
            "/process/code-run",
            Door::LetIn,
            process::code_run,
        ),
    ]
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let body = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}
