//! One request of the API.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use sandbox_daemon::doors::query_value;
use sandbox_provider::{Provider, Sandbox};
use serde::de::DeserializeOwned;

use super::convert;
use crate::body::{self, Body, json};
use crate::error::ApiError;
use crate::link::Link;
use crate::shared::Shared;

/// A request of the API.
pub(crate) struct Call<'a, P> {
    pub(crate) shared: Arc<Shared<P>>,
    /// The URL of this server as the client reaches it.
    pub(crate) base: String,
    pub(crate) parts: Parts,
    pub(crate) body: &'a mut Option<Incoming>,
    /// The parameters of the route's path, without escapes.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) link: Link,
}

/// The result of a handler.
pub(crate) type Responded = Result<Response<Body>, ApiError>;

impl<P: Provider> Call<'_, P> {
    /// Returns the segment of the path where the route has `{name}`.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(parameter, _)| parameter == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the segment of the path as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let text = self.parameter(name);
        let message = || format!("`{text}` is not a valid number for {name}");
        text.parse().map_err(|_| ApiError::bad(message()))
    }

    /// Returns the first value of a name in the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        query_value(self.parts.uri.query(), name)
    }

    /// Returns all values of a name in the query.
    pub(super) fn queries(&self, name: &str) -> Vec<String> {
        let pairs = self.parts.uri.query().unwrap_or_default().split('&');
        pairs
            .filter_map(|pair| query_value(Some(pair), name))
            .collect()
    }

    /// Returns the sandbox of the path, by its id or its name.
    pub(super) async fn sandbox(&self) -> Result<Sandbox, ApiError> {
        Ok(self.shared.find(self.parameter("id")).await?)
    }

    /// Reads the body as an object. To be called once.
    pub(super) async fn read<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        match self.body.as_mut() {
            Some(body) => body::read(body).await,
            None => Err(ApiError::bad("the request has no body")),
        }
    }

    /// Returns the response with a sandbox.
    pub(super) fn respond(&self, sandbox: &Sandbox) -> Responded {
        let view = convert::whole(&self.shared, sandbox, &self.base);
        json(StatusCode::OK, &view)
    }
}
