//! Who may ask what: the table of routes, and the doors in front of it.

use std::net::IpAddr;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::Access;
use crate::api::{self, ApiError, Body, Call, Door, Route, State};

/// Takes requests to their routes.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
    /// Indices into `routes` by path.
    paths: matchit::Router<Vec<usize>>,
    state: State,
    access: Access,
    /// Whether a page in somebody's browser could reach the listener, with nothing but the browser's manners between.
    browsers_reach_it: bool,
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
            state,
            access,
            browsers_reach_it,
        }
    }

    /// Answers one request. Every answer carries `X-Request-Id`; every failure is an error envelope.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let id = Uuid::new_v4().simple().to_string();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let mut response = match self.dispatch(request).await {
            Ok(response) => response,
            Err(error) => error.into_response(&method, &path),
        };
        let status = response.status().as_u16();
        tracing::debug!(%method, path, status, id, elapsed = ?started.elapsed(), "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn dispatch(&self, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
        let found = self.find(request.method(), request.uri().path());
        let open_to_anybody =
            matches!(&found, Ok(index) if self.routes[*index].door == Door::Anybody);
        // Before a 404 or 405, which would tell a stranger what is here.
        if !open_to_anybody {
            self.admit(request.headers())?;
        }
        let route = &self.routes[found?];
        let (parts, body) = request.into_parts();
        (route.handler)(Call {
            state: self.state.clone(),
            parts,
            body,
        })
        .await
    }

    /// The route of a path, or of the path behind its first segment: the official clients put a sandbox's id there,
    /// for a proxy that removes it.
    fn find(&self, method: &Method, path: &str) -> Result<usize, ApiError> {
        let behind_first = || {
            path.get(1..)?
                .split_once('/')
                .map(|(first, _)| first.len() + 1)
        };
        let indices = match self.paths.at(path) {
            Ok(found) => found.value,
            Err(_) => behind_first()
                .and_then(|start| self.paths.at(&path[start..]).ok())
                .map(|found| found.value)
                .ok_or_else(|| ApiError::new(ErrorCode::NotFound, "no such route"))?,
        };
        let of_method = |index: &&usize| self.routes[**index].method == method;
        indices.iter().find(of_method).copied().ok_or_else(|| {
            let allowed = indices
                .iter()
                .map(|index| self.routes[*index].method.clone())
                .collect();
            ApiError::method_not_allowed(allowed)
        })
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        match &self.access {
            Access::Open if self.browsers_reach_it => refuse_pages(headers),
            Access::Open => Ok(()),
            Access::Token(token) => match bearer(headers) {
                Some(presented) if token.matches(presented) => Ok(()),
                Some(_) => Err(ApiError::unauthorized(
                    "the access token is not the right one",
                )),
                None => Err(ApiError::unauthorized("an access token is required")),
            },
        }
    }
}

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
fn refuse_pages(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(header::ORIGIN) {
        return Err(ApiError::new(
            ErrorCode::Forbidden,
            "requests of web pages are refused",
        ));
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match host {
        Some(host) if !is_loopback(host) => Err(ApiError::new(
            ErrorCode::Forbidden,
            "the Host header names another host",
        )),
        _ => Ok(()),
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
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
