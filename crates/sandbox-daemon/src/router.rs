//! Dispatches requests to their routes.

use std::time::Instant;

use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Either;
use hyper::body::Incoming;
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::admission::Admission;
use crate::http::{ApiError, Body, Call, Door, Replays, Route, routes, unserved, ws};
use crate::link::Link;
use crate::memory::Holder;
use crate::service::{Error, State};
use crate::{Access, head, uri};

/// The table of routes, and the admission of requests.
#[derive(Debug)]
pub(crate) struct Router {
    /// The routes that are served, followed by those that are not.
    routes: Vec<Route>,
    served: usize,
    /// Indices into `routes` by path.
    paths: matchit::Router<Vec<usize>>,
    state: State,
    replays: Replays,
    #[cfg(feature = "grpc")]
    grpc: crate::grpc::Grpc,
    admission: Admission,
}

/// The body of a response to a request or a call.
#[cfg(feature = "grpc")]
pub(crate) type WireBody = Either<Body, crate::grpc::GrpcBody>;

/// The body of a response to a request.
#[cfg(not(feature = "grpc"))]
pub(crate) type WireBody = Body;

/// A route, and the values of its path's parameters, without escapes.
struct Found {
    index: usize,
    parameters: Vec<(String, String)>,
}

/// The header with the request's id, on every response of the daemon.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Router {
    pub(crate) fn new(state: State, access: Access, browsers_reach_it: bool) -> Self {
        let mut routes = routes();
        let served = routes.len();
        // After the served ones, so that one comparison of the index distinguishes them.
        routes.extend(unserved::routes());
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
            served,
            paths,
            #[cfg(feature = "grpc")]
            grpc: crate::grpc::Grpc::new(&state),
            state,
            replays: Replays::new(),
            admission: Admission::new(access, browsers_reach_it),
        }
    }

    /// Responds to one request or call.
    #[cfg(feature = "grpc")]
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        link: Link,
    ) -> Response<WireBody> {
        if !crate::grpc::is_call(&request) {
            return self.respond_to(request, link).await.map(Either::Left);
        }
        let path = request.uri().path().to_owned();
        let is_open = crate::grpc::is_open(request.uri());
        let admitted = head::check(&request).and_then(|()| self.admit(&request, &link, is_open));
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

    /// Responds to one request.
    #[cfg(not(feature = "grpc"))]
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        link: Link,
    ) -> Response<WireBody> {
        self.respond_to(request, link).await
    }

    /// Responds to one request. Every response has an `X-Request-Id`; every failure is an error envelope.
    async fn respond_to(&self, request: Request<Incoming>, link: Link) -> Response<Body> {
        let started = Instant::now();
        let id = Uuid::new_v4().simple().to_string();
        let method = request.method().clone();
        // Without the query, which may hold the token: for the log, and for the envelope.
        let path = request.uri().path().to_owned();
        let is_upgrade = ws::is_upgrade(request.headers());
        let mut response = match self.dispatch(request, link).await {
            Ok(response) => response,
            Err(error) => error.into_response(Some(&method), &path),
        };
        let status = response.status();
        let elapsed = started.elapsed();
        tracing::debug!(%method, path, status = status.as_u16(), id, ?elapsed, "answered");
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
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
        request: Request<Incoming>,
        link: Link,
    ) -> Result<Response<Body>, ApiError> {
        head::check(&request)?;
        let found = self.find(request.method(), request.uri().path());
        let door = found.as_ref().map(|found| self.routes[found.index].door);
        // Before a 404 or 405, which would show a client without the token which routes exist.
        self.admit(&request, &link, matches!(door, Ok(Door::Anybody)))?;
        // After the admission, since a client without the token need not know what is understood.
        head::check_expectation(request.headers())?;
        let (parts, body) = request.into_parts();
        let mut call = Call {
            state: self.state.clone(),
            parts,
            body: Either::Left(body),
            parameters: Vec::new(),
            link,
            _memory: Holder,
        };
        match found {
            Ok(Found { index, parameters }) => {
                call.parameters = parameters;
                let handler = self.routes[index].handler;
                if index < self.served {
                    self.replays.respond(call, handler).await
                } else {
                    handler(call).await
                }
            }
            Err(error) => {
                // A client that sends its whole body before it reads would not see the response
                // otherwise.
                call.discard_body().await;
                Err(error)
            }
        }
    }

    /// Checks that a request is authorized; `is_open` ones always are. The connection of an
    /// authorized client is marked as admitted.
    fn admit(&self, request: &Request<Incoming>, link: &Link, is_open: bool) -> Result<(), Error> {
        match self.admission.admit(request) {
            Ok(()) => {
                link.admit();
                Ok(())
            }
            Err(_) if is_open => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the route of a path; or of the path after its first segment, since the official
    /// clients put a sandbox's id there for a proxy that removes it; or of the path without its
    /// trailing slash.
    fn find(&self, method: &Method, path: &str) -> Result<Found, ApiError> {
        let path = &*uri::normalize(path)?;
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let found = [path, trimmed].into_iter().find_map(|path| {
            let behind_first = || {
                let (first, _) = path.get(1..)?.split_once('/')?;
                // `//version` has no id as its first segment, and is not a route.
                if first.is_empty() {
                    return None;
                }
                self.paths.at(&path[first.len() + 1..]).ok()
            };
            self.paths.at(path).ok().or_else(behind_first)
        });
        let found = found.ok_or_else(|| no_route(path))?;
        let of_method = |index: &&usize| self.routes[**index].method == method;
        let index = found.value.iter().find(of_method).copied();
        let is_served = |index: &&usize| **index < self.served;
        let served = found.value.iter().filter(is_served);
        let methods: Vec<_> = served
            .map(|index| self.routes[*index].method.clone())
            .collect();
        // A path on which no method is served is not implemented for any method.
        let index = index.or_else(|| found.value.first().copied().filter(|_| methods.is_empty()));
        let Some(index) = index else {
            return Err(ApiError::method_not_allowed(&methods));
        };
        let parameters = found.params.iter();
        let parameters =
            // Decoded only now: a slash that is escaped belongs to an id, and separates nothing.
            parameters.map(|(name, value)| (name.to_owned(), uri::decode_segment(value)));
        Ok(Found {
            index,
            parameters: parameters.collect(),
        })
    }
}

/// Returns the error for a path that is not served; one that names the cause if the path is a control plane's, where SDKs
/// create sandboxes before they speak to the daemon of one.
fn no_route(path: &str) -> ApiError {
    let below = path.strip_prefix("/api").unwrap_or(path);
    let message = match below.split('/').nth(1) {
        Some("sandbox" | "sandboxes" | "snapshots" | "volumes") => {
            "no such route: this is the daemon of one sandbox; a control plane, such as `sandbox up`, creates sandboxes"
        }
        _ => "no such route",
    };
    ApiError::new(ErrorCode::NotFound, message)
}

/// Returns the response to a request that did not reach a router, in two parts.
pub(crate) fn refusal(error: Error, method: Option<&Method>, path: &str) -> (Parts, Body) {
    let id = Uuid::new_v4().simple().to_string();
    let mut response = ApiError::from(error).into_response(method, path);
    tracing::debug!(path, status = response.status().as_u16(), id, "refused");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.into_parts()
}
