//! The operations over HTTP.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, ErrorEnvelope, ExecuteRequest, ExecuteResponse, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connect::Connector;
use crate::limits::{
    ANSWER, ANSWER_AFTER_LIMIT, ANSWER_BYTES, ANSWER_WITHOUT_LIMIT, IDLE_CONNECTION,
};
use crate::{ApiFuture, CallOptions, Delivery, Endpoint, Error, ErrorKind, ProcessApi};

/// Carries the operations over HTTP/1.1. Cheap to clone; clones share their connections.
///
/// Connections are made when needed and kept for reuse for 20 s. Deadlines are those of [`limits`](crate::limits).
#[derive(Clone)]
pub struct HttpTransport {
    client: Client<Connector, Full<Bytes>>,
    endpoint: Endpoint,
    headers: HeaderMap,
    answer_limit: usize,
    options: CallOptions,
}

/// Settings of an [`HttpTransport`].
#[derive(Clone)]
pub struct HttpTransportBuilder {
    endpoint: Endpoint,
    token: Option<String>,
    answer_limit: usize,
}

impl HttpTransportBuilder {
    /// Refuses answers with a longer body. Default: 512 MiB.
    #[must_use]
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Presents this token with every request.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Makes the transport; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when a header cannot carry the token.
    pub fn build(self) -> Result<HttpTransport, Error> {
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token {
            let value = format!("Bearer {}", token.trim());
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                let message = "the access token has characters that a header cannot carry";
                Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
            })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let agent = concat!("sandbox-process/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .build(Connector::new(self.endpoint.target().clone()));
        Ok(HttpTransport {
            client,
            endpoint: self.endpoint,
            headers,
            answer_limit: self.answer_limit,
            options: CallOptions::default(),
        })
    }
}

impl HttpTransport {
    /// Settings to make a transport from.
    pub fn builder(endpoint: Endpoint) -> HttpTransportBuilder {
        HttpTransportBuilder {
            endpoint,
            token: None,
            answer_limit: ANSWER_BYTES,
        }
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let message = "the request cannot be written as JSON";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        })?;
        self.call(Method::POST, path, body.into(), deadline).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        deadline: Duration,
    ) -> Result<T, Error> {
        let deadline = self.options.deadline.unwrap_or(deadline);
        let request = self.request(method, path, body)?;
        match tokio::time::timeout(deadline, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!("no answer within {} s", deadline.as_secs());
                Err(Error::new(ErrorKind::Timeout, Delivery::Uncertain, message))
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let invalid = |error: http::Error| {
            let message = "the base URL cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        };
        let mut request = Request::builder()
            .method(method)
            .uri(self.endpoint.uri(path).map_err(invalid)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(invalid)?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }

    /// Sends the request once. The library below repeats it only when a kept connection turns out to be closed before
    /// anything was written to it.
    async fn exchange<T: DeserializeOwned>(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<T, Error> {
        let response = self.client.request(request).await.map_err(|error| {
            let (kind, delivery, message) = if error.is_connect() {
                let message = format!("cannot connect to {}", self.endpoint);
                (ErrorKind::Connect, Delivery::NotSent, message)
            } else {
                let message = "the connection ended before the answer".to_owned();
                (ErrorKind::Closed, Delivery::Uncertain, message)
            };
            Error::new(kind, delivery, message).with_source(error)
        })?;
        let id = response.headers().get("x-request-id");
        let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        read(response, self.answer_limit)
            .await
            .map_err(|error| error.with_request_id(id))
    }
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>, limit: usize) -> Result<T, Error> {
    let status = response.status();
    let body = Limited::new(response.into_body(), limit).collect().await;
    let body = body.map_err(|error| {
        let (kind, message) = if error.is::<LengthLimitError>() {
            (
                ErrorKind::TooLarge,
                format!("the answer is longer than {limit} bytes"),
            )
        } else {
            (
                ErrorKind::Closed,
                "the connection ended within the answer".to_owned(),
            )
        };
        Error::new(kind, Delivery::Uncertain, message).with_source(error)
    })?;
    let body = body.to_bytes();
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| {
            let message = "the daemon's answer cannot be read";
            Error::new(ErrorKind::Protocol, Delivery::Uncertain, message).with_source(error)
        });
    }
    // A proxy's error page is no envelope: its text becomes the message.
    let envelope = serde_json::from_slice(&body).unwrap_or_else(|_| ErrorEnvelope {
        message: String::from_utf8_lossy(&body)
            .trim()
            .chars()
            .take(1000)
            .collect(),
        ..ErrorEnvelope::default()
    });
    Err(Error::answered(status.as_u16(), envelope))
}

impl ProcessApi for HttpTransport {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        let mut other = self.clone();
        other.options = options.or(&self.options);
        Arc::new(other)
    }

    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse> {
        let deadline = answer_within(request.timeout, request.timeout_millis);
        Box::pin(async move { self.post("/process/execute", &request, deadline).await })
    }

    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse> {
        let deadline = answer_within(request.timeout, request.timeout_millis);
        Box::pin(async move { self.post("/process/code-run", &request, deadline).await })
    }

    fn version(&self) -> ApiFuture<'_, Version> {
        Box::pin(self.call(Method::GET, "/version", Bytes::new(), ANSWER))
    }
}

/// How long the answer about a command may take, by the longer of its limits: a stock daemon knows only the first.
fn answer_within(seconds: Option<u32>, millis: Option<u64>) -> Duration {
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    match seconds.max(millis.map(Duration::from_millis)) {
        Some(limit) if !limit.is_zero() => limit.saturating_add(ANSWER_AFTER_LIMIT),
        _ => ANSWER_WITHOUT_LIMIT,
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransportBuilder")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
