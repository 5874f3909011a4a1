//! Where each request goes.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use sandbox_daemon::doors::{is_host, is_loopback};
use sandbox_provider::Provider;
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::api::{Call, Routes};
use crate::body::{Body, discard, empty};
use crate::error::ApiError;
use crate::link::Link;
use crate::page;
use crate::preview::{self, Place};
use crate::proxy;
use crate::shared::Shared;
use crate::toolbox;

/// Responds to the requests of all connections.
pub(crate) struct Router<P> {
    shared: Arc<Shared<P>>,
    routes: Routes<P>,
    /// The URL of this server, if clients reach it by another one than that of their requests.
    public_url: Option<String>,
    /// Whether only this machine reaches the listener, so that other names for it are those of strangers' pages.
    is_local: bool,
}

/// The header with the request's id, on every response.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl<P: Provider> Router<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>, is_local: bool, public_url: Option<String>) -> Self {
        Self {
            shared,
            routes: Routes::new(),
            public_url,
            is_local,
        }
    }

    /// Responds to one request. Every response has an id; every failure is an error envelope.
    pub(crate) async fn respond(&self, request: Request<Incoming>, link: Link) -> Response<Body> {
        let method = request.method().clone();
        // Without the query, which may hold a token: for the log, and for the envelope.
        let path = request.uri().path().to_owned();
        let is_upgrade = proxy::is_upgrade(request.headers());
        let (parts, body) = request.into_parts();
        let mut body = Some(body);
        let mut response = match self.dispatch(&mut body, parts, link).await {
            Ok(response) => response,
            Err((error, expects)) => {
                // A client that asked whether to send its body receives the response instead.
                if let Some(body) = body.as_mut().filter(|_| !expects) {
                    discard(body).await;
                }
                error.into_response(&method, &path)
            }
        };
        let status = response.status();
        tracing::debug!(%method, path, status = status.as_u16(), "answered");
        let headers = response.headers_mut();
        if !headers.contains_key(REQUEST_ID)
            && let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().simple().to_string())
        {
            headers.insert(REQUEST_ID, id);
        }
        // A client whose upgrade was refused may go on with data that is not HTTP.
        if is_upgrade && status != StatusCode::SWITCHING_PROTOCOLS {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn dispatch(
        &self,
        body: &mut Option<Incoming>,
        parts: Parts,
        link: Link,
    ) -> Result<Response<Body>, (ApiError, bool)> {
        let expects = parts.headers.contains_key(header::EXPECT);
        let path = parts.uri.path().to_owned();
        let shared = &self.shared;
        let routed = async {
            let host = self.host(&parts)?;
            // A preview's host reaches nothing else.
            if let Some(place) = Place::of_host(&host) {
                return preview::respond(shared, place, parts, body, link).await;
            }
            if let Some(place) = Place::of_path(&path) {
                return preview::respond(shared, place, parts, body, link).await;
            }
            if let Some(rest) = path.strip_prefix("/toolbox/") {
                return toolbox::respond(shared, body, parts, rest, link).await;
            }
            if let Some(rest) = path.strip_prefix("/api/") {
                let mut call = Call {
                    shared: Arc::clone(shared),
                    base: self.base(&host),
                    parts,
                    body,
                    parameters: Vec::new(),
                    link,
                };
                return self.routes.respond(&mut call, rest).await;
            }
            if path == "/healthz" && parts.method == Method::GET {
                return Ok(empty(StatusCode::OK));
            }
            if let Some(response) = page::respond(&parts.method, &path) {
                return Ok(response);
            }
            shared.authorize(&parts, &link)?;
            Err(ApiError::new(
                ErrorCode::NotFound,
                "no such page; the API is at /api",
            ))
        };
        routed.await.map_err(|error| (error, expects))
    }

    /// Returns the host that a request names.
    ///
    /// # Errors
    ///
    /// Returns 400 if there is none, or more than one, and 403 for a foreign name of a server that only this machine reaches: a page
    /// whose name was made to resolve to it.
    fn host(&self, parts: &Parts) -> Result<String, ApiError> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let host = match (parts.uri.authority(), hosts.next(), hosts.next()) {
            (Some(authority), ..) => authority.as_str().to_owned(),
            (None, Some(host), None) if is_host(host) => {
                host.to_str().unwrap_or_default().to_owned()
            }
            (None, None, _) => return Err(ApiError::bad("the request needs a Host header")),
            _ => return Err(ApiError::bad("the Host header is malformed")),
        };
        if self.is_local && !is_loopback(&host) && Place::of_host(&host).is_none() {
            Err(ApiError::new(
                ErrorCode::Forbidden,
                "the Host header names another host",
            ))
        } else {
            Ok(host)
        }
    }

    /// Returns the URL of this server as the client of a request reaches it.
    fn base(&self, host: &str) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{host}"),
        }
    }
}

impl<P> fmt::Debug for Router<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}
