//! Who may ask what: the table of routes, and the doors in front of it.

use std::net::IpAddr;
use std::time::Instant;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Either;
use hyper::body::Incoming;
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::api::{self, ApiError, Body, Call, Door, Route, State};
use crate::link::Link;
use crate::once::Once;
use crate::{Access, uri, ws};

/// Takes requests to their routes.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
    /// Indices into `routes` by path.
    paths: matchit::Router<Vec<usize>>,
    state: State,
    once: Once,
    #[cfg(feature = "grpc")]
    grpc: crate::grpc::Grpc,
    access: Access,
    /// Whether a page in somebody's browser could reach the listener, with nothing but the browser's manners between.
    browsers_reach_it: bool,
}

/// What an answer has to read.
#[cfg(feature = "grpc")]
pub(crate) type WireBody = Either<Body, crate::grpc::GrpcBody>;

/// What an answer has to read.
#[cfg(not(feature = "grpc"))]
pub(crate) type WireBody = Body;

/// A route, and what its path left open, without escapes.
struct Found {
    index: usize,
    parameters: Vec<(String, String)>,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Router {
    pub(crate) fn new(state: State, access: Access, browsers_reach_it: bool) -> Self {
        let routes = api::routes();
        let mut paths = matchit::Router::<Vec<usize>>::new();
        for (index, route) in routes.iter().enumerate() {
            match paths.at_mut(route.path) {
                Ok(found) => found.value.push(index),
                Err(_) => {
                    let inserted: Result<(), _> = paths.insert(route.path, vec![index]);
                    inserted.expect("the table's paths do not conflict; a test builds it");
                }
            }
        }
        Self {
            routes,
            paths,
            #[cfg(feature = "grpc")]
            grpc: crate::grpc::Grpc::new(state.engine()),
            state,
            once: Once::default(),
            access,
            browsers_reach_it,
        }
    }

    /// Answers one request or call.
    #[cfg(feature = "grpc")]
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        link: Link,
    ) -> Response<WireBody> {
        if !crate::grpc::is_call(&request) {
            return self.answer_request(request, link).await.map(Either::Left);
        }
        let path = request.uri().path().to_owned();
        let is_open = crate::grpc::is_open(request.uri());
        let admitted = match is_open {
            true => Ok(()),
            false => self.admit(&request),
        };
        let mut response = match admitted {
            Ok(()) => self.grpc.answer(request, link).await,
            Err(error) => crate::grpc::refused(error),
        };
        let id = Uuid::new_v4().simple().to_string();
        tracing::debug!(path, id, "answered a call");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response.map(Either::Right)
    }

    /// Answers one request.
    #[cfg(not(feature = "grpc"))]
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        link: Link,
    ) -> Response<WireBody> {
        self.answer_request(request, link).await
    }

    /// Answers one request. Every answer carries `X-Request-Id`; every failure is an error envelope.
    async fn answer_request(&self, request: Request<Incoming>, link: Link) -> Response<Body> {
        let started = Instant::now();
        let id = Uuid::new_v4().simple().to_string();
        let method = request.method().clone();
        // Without the query, which may hold the token: for the log, and for the envelope.
        let path = request.uri().path().to_owned();
        let is_upgrade = ws::is_upgrade(request.headers());
        let mut response = match self.dispatch(request, link).await {
            Ok(response) => response,
            Err(error) => error.into_response(&method, &path),
        };
        let status = response.status();
        let elapsed = started.elapsed();
        tracing::debug!(%method, path, status = status.as_u16(), id, ?elapsed, "answered");
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        // A client that was refused an upgrade may go on with what is no HTTP.
        if is_upgrade && status != StatusCode::SWITCHING_PROTOCOLS {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn dispatch(
        &self,
        request: Request<Incoming>,
        link: Link,
    ) -> Result<Response<Body>, ApiError> {
        let found = self.find(request.method(), request.uri().path());
        let door = found.as_ref().map(|found| self.routes[found.index].door);
        // Before a 404 or 405, which would tell a stranger what is here.
        if !matches!(door, Ok(Door::Anybody)) {
            self.admit(&request)?;
        }
        let Found { index, parameters } = found?;
        let (parts, body) = request.into_parts();
        let call = Call {
            state: self.state.clone(),
            parts,
            body: Either::Left(body),
            parameters,
            link,
        };
        self.once.answer(call, self.routes[index].handler).await
    }

    /// The route of a path; or of the path behind its first segment, since the official clients put a sandbox's id there
    /// for a proxy that removes it; or of the path without a slash at its end.
    fn find(&self, method: &Method, path: &str) -> Result<Found, ApiError> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let found = [path, trimmed].into_iter().find_map(|path| {
            let behind_first = || {
                let (first, _) = path.get(1..)?.split_once('/')?;
                self.paths.at(&path[first.len() + 1..]).ok()
            };
            self.paths.at(path).ok().or_else(behind_first)
        });
        let found = found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "no such route"))?;
        let of_method = |index: &&usize| self.routes[**index].method == method;
        match found.value.iter().find(of_method) {
            Some(index) => Ok(Found {
                index: *index,
                parameters: found
                    .params
                    .iter()
                    .map(|(name, value)| (name.to_owned(), uri::decode_segment(value)))
                    .collect(),
            }),
            None => {
                let methods = found.value.iter().map(|index| &self.routes[*index].method);
                let methods: Vec<_> = methods.cloned().collect();
                Err(ApiError::method_not_allowed(&methods))
            }
        }
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(), ApiError> {
        let headers = request.headers();
        let token = match &self.access {
            Access::Open if self.browsers_reach_it => {
                return refuse_pages(headers, request.uri().authority());
            }
            Access::Open => return Ok(()),
            Access::Token(token) => token,
        };
        let own = headers
            .get(OWN_TOKEN)
            .and_then(|value| value.to_str().ok())
            .map(str::trim);
        // A page's script cannot give headers to a WebSocket. Elsewhere a token in the query would only be a token in
        // somebody's log.
        let query = ws::is_upgrade(headers)
            .then(|| uri::query_value(request.uri().query(), QUERY_TOKEN))
            .flatten();
        let presented = [bearer(headers), own, query.as_deref()];
        let mut presented = presented.into_iter().flatten().peekable();
        if presented.peek().is_none() {
            return Err(ApiError::unauthorized("an access token is required"));
        }
        // Whichever is right: a proxy may have put a token of its own into one of them.
        match presented.any(|presented| token.matches(presented)) {
            true => Ok(()),
            false => Err(ApiError::unauthorized(
                "the access token is not the right one",
            )),
        }
    }
}

/// For proxies that keep `Authorization` to themselves.
const OWN_TOKEN: HeaderName = HeaderName::from_static("x-sandbox-token");

/// What the official SDKs call it where they cannot set headers.
const QUERY_TOKEN: &str = "DAYTONA_SANDBOX_AUTH_KEY";

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A page may send requests to this machine without its user's knowing: plainly, and the browser then tells its
/// `Origin`; or after its own name was made to point here, and the `Host` then tells that name.
///
/// With HTTP/2 the name is the `authority`.
fn refuse_pages(headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), ApiError> {
    if headers.contains_key(header::ORIGIN) {
        return Err(ApiError::new(
            ErrorCode::Forbidden,
            "requests of web pages are refused",
        ));
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match authority.map(Authority::as_str).or(host) {
        Some(host) if !is_loopback(host) => Err(ApiError::new(
            ErrorCode::Forbidden,
            "the Host header names another host",
        )),
        _ => Ok(()),
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:2280",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:2280",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "evil.com",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "0.0.0.0",
            "",
            "a b",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn bearer_tokens_are_read() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("abc"), None);
    }
}
