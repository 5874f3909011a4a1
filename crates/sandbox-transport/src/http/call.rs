//! One operation: a request, its deadline, and its repetition after a failure.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::Outgoing;
use super::{HttpTransport, convert};
use crate::exchange::answer::{self, Answer};
use crate::exchange::{Attempts, Progress, timed_out};
use crate::limits::RESPONSE_TIMEOUT;
use crate::token::Presented;
use crate::{Delivery, Effect, Error, ErrorKind};

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(super) method: Method,
    /// The path, with the query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) effect: Effect,
    /// The deadline, unless the caller sets another one.
    pub(super) deadline: Duration,
    /// Whether the request is for a WebSocket.
    pub(super) is_upgrade: bool,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), Effect::None)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        // Only the other three methods are idempotent by definition (RFC 9110, section 9.2.2).
        Self::new(Method::POST, path.into(), Effect::Once)
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into(), Effect::Idempotent)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into(), Effect::Idempotent)
    }

    fn new(method: Method, path: String, effect: Effect) -> Self {
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            effect,
            deadline: RESPONSE_TIMEOUT,
            is_upgrade: false,
        }
    }

    pub(crate) fn json(self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let message = "the request cannot be written as JSON";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        })?;
        Ok(self.body("application/json", body.into()))
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: Bytes) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self.body = body;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    pub(crate) fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Requests an upgrade to a WebSocket.
    pub(crate) fn upgrade(mut self) -> Self {
        self.is_upgrade = true;
        self
    }
}

impl HttpTransport {
    /// Sends a request, and reads the JSON of the response.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(&call).await?;
        answer
            .json()
            .map_err(|error| error.with_request_id(answer.id))
    }

    /// Sends a request whose response has no content of interest.
    pub(super) async fn command(&self, call: Call) -> Result<(), Error> {
        let answer = self.send(&call).await?;
        answer
            .nothing()
            .map_err(|error| error.with_request_id(answer.id))
    }

    /// Sends a request, and repeats it as the policy says, until the deadline.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let exchange = |token, progress| self.exchange(call, whole(call), token, progress);
        let attempts = self.attempts(call, self.deadline(call));
        attempts.make(exchange).await
    }

    /// Sends a request whose response is read as a stream, until its head has come.
    pub(super) async fn open_body(&self, call: &Call) -> Result<Response<Incoming>, Error> {
        let exchange = |token, progress| async move {
            let response = self.request(call, whole(call), token, progress).await?;
            if response.status().is_success() {
                Ok(response)
            } else {
                Err(self.refusal(response).await)
            }
        };
        let attempts = self.attempts(call, self.deadline(call));
        attempts.make(exchange).await
    }

    fn deadline(&self, call: &Call) -> Duration {
        self.options.deadline.unwrap_or(call.deadline)
    }

    pub(super) fn attempts(&self, call: &Call, deadline: Duration) -> Attempts<'_> {
        Attempts {
            tokens: &self.inner.tokens,
            policy: &**self.options.retry.as_ref().unwrap_or(&self.inner.retry),
            effect: call.effect,
            has_key: self.options.idempotency_key.is_some(),
            deadline,
        }
    }

    /// Waits for what follows a response, for at most as long as for a response.
    pub(crate) async fn within<T>(
        &self,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.options.deadline.unwrap_or(RESPONSE_TIMEOUT);
        match tokio::time::timeout(limit, future).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(limit, Delivery::Uncertain)),
        }
    }

    /// Makes one attempt.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        body: Outgoing,
        token: Option<Presented>,
        progress: Progress,
    ) -> Result<Answer, Error> {
        let response = self.request(call, body, token, progress).await?;
        self.read(response, call.is_upgrade).await
    }

    async fn read(&self, response: Response<Incoming>, is_upgrade: bool) -> Result<Answer, Error> {
        let limit = self.inner.response_limit;
        answer::read(response, limit, is_upgrade, convert::refusal).await
    }

    /// Returns the error of a response without success.
    async fn refusal(&self, response: Response<Incoming>) -> Error {
        match self.read(response, false).await {
            Err(error) => error,
            Ok(_) => {
                let message = "the response is not the daemon's";
                Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
            }
        }
    }

    /// Sends a request, and returns when the head of the response has come. The library below repeats a request only if
    /// a pooled connection turns out to be closed before any part of the request was written.
    async fn request(
        &self,
        call: &Call,
        body: Outgoing,
        token: Option<Presented>,
        progress: Progress,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = self.assemble(call, body, token.as_ref())?;
        progress.begin(capture_connection(&mut request));
        // A pooled connection may be of HTTP/2, which cannot be upgraded as HTTP/1.1 is (RFC 9113,
        // section 8.6).
        let client = if call.is_upgrade {
            &self.inner.upgrades
        } else {
            &self.inner.client
        };
        let response = client.request(request).await;
        response.map_err(|error| answer::lost(error, &self.inner.endpoint))
    }

    fn assemble(
        &self,
        call: &Call,
        body: Outgoing,
        token: Option<&Presented>,
    ) -> Result<Request<Outgoing>, Error> {
        let invalid = |what: &str| {
            let message = format!("{what} cannot be used");
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
        };
        let uri = self.inner.endpoint.uri(&call.path);
        let uri = uri.map_err(|error| invalid("the base URL").with_source(error))?;
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.extend(self.inner.headers.clone());
        // `extend` replaces: the operation's own headers win over those of every request.
        headers.extend(call.headers.clone());
        // Last, so that no header of every request replaces a token that was renewed.
        if let Some(token) = token {
            headers.insert(header::AUTHORIZATION, token.header.clone());
        }
        if let Some(key) = &self.options.idempotency_key {
            let key = HeaderValue::try_from(key)
                .map_err(|error| invalid("the idempotency key").with_source(error))?;
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        Ok(request)
    }
}

fn whole(call: &Call) -> Outgoing {
    Outgoing::Whole(Full::new(call.body.clone()))
}

/// Returns whether the daemon does not have the route: in that case its response has no error code.
pub(crate) fn is_missing(error: &Error) -> bool {
    match error.status() {
        // With a code it is the object that is missing, and not the route.
        Some(404) => error.code().is_none(),
        // The path may exist for other methods than this one.
        Some(405 | 501) => true,
        _ => false,
    }
}

/// Returns the error of a route that a daemon may not have.
pub(crate) fn unsupported(error: Error) -> Error {
    if is_missing(&error) {
        error.with_kind(ErrorKind::Unsupported)
    } else {
        error
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
