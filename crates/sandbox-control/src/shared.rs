//! What all connections share, and where each request goes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use sandbox_daemon::Token;
use sandbox_daemon::doors::{bearer, decode_segment, is_host, is_loopback, query_value};
use sandbox_provider::{Provider, Sandbox, SandboxId};
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::activity::{Activity, Using};
use crate::api::{Call, Routes};
use crate::body::{Body, discard, empty};
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::Link;
use crate::error::ApiError;
use crate::events::Events;
use crate::keys::Keys;
use crate::page;
use crate::preview::{self, Place, Previews};
use crate::proxy::{self, Passage};
use crate::signing::SignedUrl;
use crate::tickets::{self, Tickets};
use crate::timers::Timers;

/// What all connections of a server share.
pub(crate) struct Shared<P> {
    pub(crate) provider: Arc<P>,
    pub(crate) clock: Clock,
    pub(crate) activity: Arc<Activity>,
    pub(crate) timers: Timers,
    pub(crate) events: Events,
    pub(crate) previews: Previews,
    pub(crate) keys: Keys,
    pub(crate) tickets: Tickets,
    pub(crate) auto_stop: Option<Duration>,
    public_url: Option<String>,
    /// Whether only this machine reaches the listener, so that other names for it are those of strangers' pages.
    is_local: bool,
    key: Token,
    routes: Routes<P>,
}

/// The header with the request's id, on every response.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header with the token of a preview, and the query parameter where a header cannot be set.
pub(crate) const PREVIEW_TOKEN: HeaderName = HeaderName::from_static("x-daytona-preview-token");
pub(crate) const QUERY_TOKEN: &str = "DAYTONA_SANDBOX_AUTH_KEY";

impl<P: Provider> Shared<P> {
    pub(crate) fn new(config: Config, key: Token, provider: Arc<P>, clock: Clock) -> Self {
        Self {
            provider,
            clock,
            activity: Arc::new(Activity::new(clock)),
            timers: Timers::new(clock),
            events: Events::new(),
            previews: Previews::new(clock),
            keys: Keys::new(clock),
            tickets: Tickets::new(clock),
            auto_stop: config.auto_stop,
            is_local: config.listen.ip().is_loopback() && config.public_url.is_none(),
            public_url: config.public_url,
            key,
            routes: Routes::new(),
        }
    }

    /// Responds to one request. Every response has an id; every failure is an error envelope.
    pub(crate) async fn respond(
        self: &Arc<Self>,
        request: Request<Incoming>,
        link: Link,
    ) -> Response<Body> {
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
        self: &Arc<Self>,
        body: &mut Option<Incoming>,
        parts: Parts,
        link: Link,
    ) -> Result<Response<Body>, (ApiError, bool)> {
        let expects = parts.headers.contains_key(header::EXPECT);
        let path = parts.uri.path().to_owned();
        let routed = async {
            let host = self.host(&parts)?;
            // A preview's host reaches nothing else.
            if let Some(place) = Place::of_host(&host) {
                return preview::respond(self, place, parts, body, link).await;
            }
            if let Some(place) = Place::of_path(&path) {
                return preview::respond(self, place, parts, body, link).await;
            }
            if let Some(rest) = path.strip_prefix("/toolbox/") {
                return self.toolbox(body, parts, rest, link).await;
            }
            if let Some(rest) = path.strip_prefix("/api/") {
                let mut call = Call {
                    shared: Arc::clone(self),
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
            self.authorize(&parts, &link)?;
            Err(ApiError::new(
                ErrorCode::NotFound,
                "no such page; the API is at /api",
            ))
        };
        routed.await.map_err(|error| (error, expects))
    }

    /// Passes a request on to the daemon of a sandbox.
    async fn toolbox(
        self: &Arc<Self>,
        body: &mut Option<Incoming>,
        mut parts: Parts,
        path: &str,
        link: Link,
    ) -> Result<Response<Body>, ApiError> {
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        let name = decode_segment(name);
        let asked = parts.uri.query();
        let signed = SignedUrl::of(&parts.method, rest, asked);
        let mut query = asked.map(without_token);
        let ticket = tickets::take(&mut parts.headers);
        let sandbox = match (self.authorize(&parts, &link), signed) {
            (Ok(()), _) => self.find(&name).await.map_err(ApiError::from)?,
            (Err(_), Some(signed)) => {
                query = Some(signed.query());
                self.signer(&signed, &name).await?
            }
            (Err(refused), None) => {
                let holder = self.token_holder(&parts, ticket, &name, rest).await;
                holder.ok_or(refused)?
            }
        };
        link.admit();
        let using = self.enter(&sandbox.id)?;
        let stream = proxy::dial(self, &sandbox.id).await?;
        let target = match query {
            Some(query) => format!("/{rest}?{query}"),
            None => format!("/{rest}"),
        };
        let target = PathAndQuery::try_from(target);
        let target = target.map_err(|error| ApiError::bad(error.to_string()))?;
        let mut uri = Uri::builder().path_and_query(target);
        // HTTP/2 needs them.
        uri = uri.scheme("http").authority("localhost");
        parts.uri = uri
            .build()
            .map_err(|error| ApiError::bad(error.to_string()))?;
        // The rights of the client end here; the daemon lets in whoever can dial it.
        for name in [
            header::AUTHORIZATION,
            header::ORIGIN,
            header::HOST,
            PREVIEW_TOKEN,
        ] {
            parts.headers.remove(name);
        }
        for name in FETCH {
            parts.headers.remove(name);
        }
        let localhost = HeaderValue::from_static("localhost");
        parts.headers.insert(header::HOST, localhost);
        let passage = Passage::new(parts, body, using, link)?;
        proxy::forward(stream, passage).await
    }

    /// Returns the sandbox whose ticket a WebSocket offers, or whose terminal token it has in its query, as those of browsers do, which
    /// cannot set headers. It opens terminals, logs and interpreters, and nothing else.
    async fn token_holder(
        &self,
        parts: &Parts,
        ticket: Option<String>,
        name: &str,
        path: &str,
    ) -> Option<Sandbox> {
        if !proxy::is_websocket(parts) || !path.starts_with("process/") {
            return None;
        }
        if let Some(id) = ticket.and_then(|ticket| self.tickets.redeem(&ticket)) {
            let sandbox = self.find(name).await.ok()?;
            return (sandbox.id == id).then_some(sandbox);
        }
        let token = query_value(parts.uri.query(), QUERY_TOKEN)?;
        let sandbox = self.find(name).await.ok()?;
        let is_its = self.previews.is_terminal_token(&sandbox.id, &token);
        is_its.then_some(sandbox)
    }

    /// Returns the sandbox whose key has signed a URL.
    ///
    /// # Errors
    ///
    /// Returns 401, also for a sandbox that does not exist: the client may not learn that.
    async fn signer(&self, signed: &SignedUrl, name: &str) -> Result<Sandbox, ApiError> {
        let found = self.find(name).await.ok();
        let key = found
            .as_ref()
            .and_then(|found| found.spec.signing_key.as_deref());
        // URLs are signed by the time of day of their clients.
        signed.check(key, SystemTime::now())?;
        found.ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "no such sandbox"))
    }

    /// Begins a use of a sandbox by a request.
    ///
    /// # Errors
    ///
    /// Returns 409 while the sandbox is being stopped because it was idle: the request would be cut.
    pub(crate) fn enter(&self, id: &SandboxId) -> Result<Using, ApiError> {
        self.activity.enter(id).ok_or_else(|| {
            let message = format!("sandbox {id} was idle and is being stopped; start it first");
            ApiError::new(ErrorCode::Conflict, message).of_proxy()
        })
    }

    /// Checks that a request bears the key.
    ///
    /// # Errors
    ///
    /// Returns 401 if it does not.
    pub(crate) fn authorize(&self, parts: &Parts, link: &Link) -> Result<(), ApiError> {
        let message = match bearer(&parts.headers) {
            Some(presented) if self.key.matches(presented) => {
                link.admit();
                return Ok(());
            }
            Some(_) => "the key is not the right one",
            None => "a key is required: Authorization: Bearer KEY",
        };
        Err(ApiError::new(ErrorCode::Unauthorized, message))
    }

    /// Returns when the server began.
    pub(crate) fn began(&self) -> SystemTime {
        self.clock.began()
    }

    /// Returns whether this is the key.
    pub(crate) fn is_key(&self, presented: &str) -> bool {
        self.key.matches(presented)
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
        match self.is_local && !is_loopback(&host) && Place::of_host(&host).is_none() {
            true => Err(ApiError::new(
                ErrorCode::Forbidden,
                "the Host header names another host",
            )),
            false => Ok(host),
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

impl<P> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Removes the token from a query, so that the sandbox does not learn it.
pub(crate) fn without_token(query: &str) -> String {
    let is_token = |pair: &&str| {
        // As its reader decodes it.
        let name = pair.split('=').next().unwrap_or_default();
        decode_segment(&name.replace('+', " ")) == QUERY_TOKEN
    };
    let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    rest.join("&")
}

/// The headers in which browsers describe the page that a request is from.
const FETCH: [HeaderName; 4] = [
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-user"),
];
