//! A request and its parts, as handlers receive it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Response, header};
use http_body_util::{Either, Full};
use sandbox_engine::{Command, Session};
use sandbox_wire::ErrorCode;
use serde::de::DeserializeOwned;

use super::body::{self, RequestBody};
use super::error::ApiError;
use super::peer::Peer;
use super::response::Body;
use crate::link::Link;
use crate::memory::Holder;
use crate::service::{Error, State, exec, session};
use crate::uri;

/// Responds to the requests of one route.
pub(crate) type Handler = fn(Call) -> Answer;

/// The future of a response.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Responded> + Send>>;

/// The result of a handler.
pub(crate) type Responded = Result<Response<Body>, ApiError>;

/// The header with the name of a request that must not be carried out twice.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request, as its handler receives it.
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) parts: Parts,
    pub(crate) body: RequestBody,
    /// The parameters of the route's path, without escapes.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) link: Link,
    /// The body, and the values that are parsed from it, may be large.
    pub(crate) _memory: Holder,
}

impl Call {
    pub(super) fn peer(&self) -> Peer {
        Peer::of(&self.parts.headers)
    }

    /// Returns the request's [`IDEMPOTENCY_KEY`]; empty if it has none.
    pub(super) fn key(&self) -> &str {
        let key = self.parts.headers.get(IDEMPOTENCY_KEY);
        key.and_then(|key| key.to_str().ok()).unwrap_or_default()
    }

    /// Returns the segment of the path where the route has `{name}`.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(parameter, _)| parameter == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the session of the path.
    pub(super) fn session(&self) -> Result<Session, Error> {
        session::find(&self.state.engine, self.parameter("id"))
    }

    /// Returns the command of the path: of a session, or without one.
    pub(super) fn command(&self) -> Result<Command, Error> {
        let engine = &self.state.engine;
        match self.parameter("exec") {
            "" => session::command(engine, self.parameter("id"), self.parameter("cid")),
            id => exec::command(&self.state, id),
        }
    }

    /// Refuses the entrypoint's session, which belongs to the daemon, whatever the request's body contains.
    pub(super) fn not_on_entrypoint(&self, what: &str) -> Result<(), Error> {
        session::not_the_entrypoint(self.parameter("id"), what)
    }

    /// Reads the body as a JSON object; `code` is the code of the error for an invalid one. To be called once.
    pub(super) async fn read_body<T>(&mut self, code: ErrorCode) -> Result<T, ApiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check_encoding().await?;
        Ok(body::read(&mut self.body, code).await?)
    }

    /// Reads the body as raw bytes. To be called once.
    pub(super) async fn collect_body(&mut self) -> Result<Bytes, ApiError> {
        self.check_encoding().await?;
        Ok(body::collect(&mut self.body).await?)
    }

    /// Refuses a body that is encoded.
    pub(super) async fn check_encoding(&mut self) -> Result<(), ApiError> {
        let checked = body::check_encoding(&self.parts.headers);
        if checked.is_err() {
            self.discard_body().await;
        }
        checked
    }

    /// Reads the body and discards it, so that a client which sends all of it before it reads
    /// anything receives the response; not beyond the bounds of [`Self::collect_body`].
    pub(crate) async fn discard_body(&mut self) {
        // A client that asked whether to send its body receives the final response instead.
        if !self.parts.headers.contains_key(header::EXPECT) {
            body::discard(&mut self.body).await;
        }
    }

    /// Returns the body, which can still be read afterwards.
    pub(crate) async fn whole_body(&mut self) -> Result<Bytes, ApiError> {
        let bytes = self.collect_body().await?;
        // The handler reads the body as if it had not been read.
        self.body = Either::Right(Full::new(bytes.clone()));
        Ok(bytes)
    }

    /// Returns the first value of a name in the query, as bytes.
    pub(super) fn query_bytes(&self, name: &str) -> Option<Vec<u8>> {
        uri::query_bytes(self.parts.uri.query(), name)
    }

    /// Returns the first value of a name in the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        uri::query_value(self.parts.uri.query(), name)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("path", &self.parts.uri.path())
            .finish_non_exhaustive()
    }
}
