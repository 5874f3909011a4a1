//! A request on its way to its handler.

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
use crate::service::{Error, State, session};
use crate::uri;

/// Responds to the requests of one route.
pub(crate) type Handler = fn(Call) -> Answer;

/// A response in the making.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Responded> + Send>>;

/// What a handler responds with.
pub(crate) type Responded = Result<Response<Body>, ApiError>;

/// The name of a request that is not to be carried out twice.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One request on its way to its handler.
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) parts: Parts,
    pub(crate) body: RequestBody,
    /// What the route's path leaves open, without escapes.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) link: Link,
    /// Its body, and what is made of it, may be large.
    pub(crate) _memory: Holder,
}

impl Call {
    pub(super) fn peer(&self) -> Peer {
        Peer::of(&self.parts.headers)
    }

    /// The request's [`IDEMPOTENCY_KEY`]; empty if it has none.
    pub(super) fn key(&self) -> &str {
        let key = self.parts.headers.get(IDEMPOTENCY_KEY);
        key.and_then(|key| key.to_str().ok()).unwrap_or_default()
    }

    /// What stands in the path where the route has `{name}`.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(parameter, _)| parameter == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the session of the path.
    pub(super) fn session(&self) -> Result<Session, Error> {
        session::find(&self.state.engine, self.parameter("id"))
    }

    /// Returns the command of the path.
    pub(super) fn command(&self) -> Result<Command, Error> {
        let engine = &self.state.engine;
        session::command(engine, self.parameter("id"), self.parameter("cid"))
    }

    /// The entrypoint's session is the daemon's, whatever the request's body says.
    pub(super) fn not_on_entrypoint(&self, what: &str) -> Result<(), Error> {
        session::not_the_entrypoint(self.parameter("id"), what)
    }

    /// Reads the body as a JSON object; `code` is what one that is none is answered with. To be called once.
    pub(super) async fn read_body<T>(&mut self, code: ErrorCode) -> Result<T, ApiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.check_encoding().await?;
        Ok(body::read(&mut self.body, code).await?)
    }

    /// Reads the body as it is. To be called once.
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
        // A client that asked whether to send its body has the final response instead.
        if !self.parts.headers.contains_key(header::EXPECT) {
            body::discard(&mut self.body).await;
        }
    }

    /// The body, which is still there to be read by others.
    pub(crate) async fn whole_body(&mut self) -> Result<Bytes, ApiError> {
        let bytes = self.collect_body().await?;
        self.body = Either::Right(Full::new(bytes.clone()));
        Ok(bytes)
    }

    /// The first value of a name in the query, as the bytes that it is.
    pub(super) fn query_bytes(&self, name: &str) -> Option<Vec<u8>> {
        uri::query_bytes(self.parts.uri.query(), name)
    }

    /// The first value of a name in the query.
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
