//! Passes requests on to a sandbox: bodies as streams in both directions, upgrades as tunnels.

use std::time::Duration;

use http::request::Parts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sandbox_daemon::doors::chain;
use sandbox_provider::{Provider, SandboxId};
use sandbox_wire::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::task::AbortHandle;

use crate::activity::Using;
use crate::body::{Body, Held, passed};
use crate::error::ApiError;
use crate::limits::DIAL;
use crate::link::Link;
use crate::shared::Shared;

/// A request on its way to a sandbox, which is in use as long as it takes.
pub(crate) struct Passage {
    /// The head, whose target is the sandbox's.
    parts: Parts,
    body: Incoming,
    using: Using,
    link: Link,
}

impl Passage {
    /// Returns the passage of a request, whose body is taken.
    ///
    /// # Errors
    ///
    /// Returns 400 if the body was taken before.
    pub(crate) fn new(
        parts: Parts,
        body: &mut Option<Incoming>,
        using: Using,
        link: Link,
    ) -> Result<Self, ApiError> {
        let body = body.take();
        let body = body.ok_or_else(|| ApiError::bad("the request has no body"))?;
        Ok(Self {
            parts,
            body,
            using,
            link,
        })
    }
}

/// The connection to a sandbox, which ends with the response unless that was read to its end.
struct Upstream {
    task: Option<AbortHandle>,
    _using: Using,
    _link: Link,
}

impl Held for Upstream {
    fn complete(mut self: Box<Self>) {
        // The rest of a request that was refused early is still passed on, so that its client can read the reason.
        self.task = None;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Returns whether a request asks for another protocol on its connection.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// Returns whether a request is the handshake of a WebSocket (RFC 6455, section 4.1).
pub(crate) fn is_websocket(parts: &Parts) -> bool {
    let names = |name, word: &str| {
        let values = parts.headers.get_all(name).iter();
        let words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        words
            .map(str::trim)
            .any(|found| found.eq_ignore_ascii_case(word))
    };
    parts.method == Method::GET
        && names(header::CONNECTION, "upgrade")
        && names(header::UPGRADE, "websocket")
        && parts.headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Dials the daemon of a sandbox.
///
/// # Errors
///
/// Returns 404 for an unknown sandbox, 409 for one that does not run, and 503 for one that cannot be reached in time.
pub(crate) async fn dial<P: Provider>(
    shared: &Shared<P>,
    id: &SandboxId,
) -> Result<P::Stream, ApiError> {
    let dialed = within(DIAL, shared.provider.dial(id)).await?;
    dialed.map_err(|error| match error {
        failed @ sandbox_provider::Error::Failed { .. } => {
            let message = format!("the sandbox cannot be reached: {}", chain(&failed));
            ApiError::new(ErrorCode::ServiceUnavailable, message).of_proxy()
        }
        sandbox_provider::Error::WrongState { state } => {
            let message = format!("sandbox {id} is {state}; start it first");
            ApiError::new(ErrorCode::Conflict, message).of_proxy()
        }
        other => ApiError::from(other).of_proxy(),
    })
}

/// Sends a request over a connection to a sandbox, and returns the response as soon as its head is there.
///
/// # Errors
///
/// Returns 503 if the connection ends before that.
pub(crate) async fn forward(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    passage: Passage,
) -> Result<Response<Body>, ApiError> {
    let Passage {
        mut parts,
        body,
        using,
        link,
    } = passage;
    let client = parts.extensions.remove::<OnUpgrade>();
    let is_upgrade = is_upgrade(&parts.headers);
    let is_grpc = is_grpc(&parts);
    clean(&mut parts.headers, is_upgrade, is_grpc);
    parts.version = if is_grpc {
        Version::HTTP_2
    } else {
        Version::HTTP_11
    };
    let request = Request::from_parts(parts, body);
    let (mut upstream, response) = if is_grpc {
        over_http2(stream, request, using, link.clone()).await?
    } else {
        over_http1(stream, request, using, link.clone()).await?
    };
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let daemon = parts.extensions.remove::<OnUpgrade>();
        let (Some(client), Some(daemon)) = (client, daemon) else {
            return Err(broken("an upgrade that was not asked for"));
        };
        upstream.task = None;
        clean(&mut parts.headers, true, false);
        tokio::spawn(tunnel(client, daemon, upstream, link));
        return Ok(Response::from_parts(parts, crate::body::whole("")));
    }
    clean(&mut parts.headers, false, false);
    parts.version = Version::HTTP_11;
    let body = passed(body, Box::new(upstream));
    Ok(Response::from_parts(parts, body))
}

async fn over_http1(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut request: Request<Incoming>,
    using: Using,
    link: Link,
) -> Result<(Upstream, Response<Incoming>), ApiError> {
    let shaken = within(DIAL, http1::handshake(TokioIo::new(stream))).await?;
    let (mut sender, connection) = shaken.map_err(|error| broken(&chain(&error)))?;
    let task = tokio::spawn(connection.with_upgrades()).abort_handle();
    // From here on, a client that leaves ends the connection to the sandbox.
    let upstream = Upstream {
        task: Some(task),
        _using: using,
        _link: link,
    };
    *request.uri_mut() = origin_form(request.uri());
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| broken(&chain(&error)))?;
    Ok((upstream, response))
}

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Incoming>,
    using: Using,
    link: Link,
) -> Result<(Upstream, Response<Incoming>), ApiError> {
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let shaken = within(DIAL, shaken).await?;
    let (mut sender, connection) = shaken.map_err(|error| broken(&chain(&error)))?;
    let task = tokio::spawn(connection).abort_handle();
    let upstream = Upstream {
        task: Some(task),
        _using: using,
        _link: link,
    };
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| broken(&chain(&error)))?;
    Ok((upstream, response))
}

/// Passes bytes in both directions until both have ended, or the server shuts down.
async fn tunnel(client: OnUpgrade, daemon: OnUpgrade, upstream: Upstream, mut link: Link) {
    let copied = async {
        let (client, daemon) = tokio::try_join!(client, daemon)?;
        let mut client: TokioIo<Upgraded> = TokioIo::new(client);
        let mut daemon = TokioIo::new(daemon);
        let copied = copy_bidirectional(&mut client, &mut daemon);
        copied
            .await
            .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    };
    tokio::select! {
        copied = copied => {
            if let Err(error) = copied {
                tracing::debug!(%error, "a tunnel ended early");
            }
        }
        () = link.shutdown_begun() => {}
    }
    drop(upstream);
}

/// Returns whether a request is a call of gRPC.
fn is_grpc(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    parts.version == Version::HTTP_2
        && content_type.is_some_and(|found| found.as_bytes().starts_with(b"application/grpc"))
}

/// Removes the headers that are about one connection only (RFC 9110, section 7.6.1).
fn clean(headers: &mut HeaderMap, is_upgrade: bool, is_grpc: bool) {
    let upgrade = headers.get(header::UPGRADE).cloned();
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // Of two lengths that differ, only this one was read (RFC 9112, section 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    if is_grpc {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade.filter(|_| is_upgrade) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
}

/// The target as a request to an origin has it: the path and the query.
fn origin_form(uri: &Uri) -> Uri {
    let target = uri.path_and_query().cloned();
    target.map_or_else(|| Uri::from_static("/"), Uri::from)
}

async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(time, future).await.map_err(|_| {
        let message = "the sandbox did not respond in time";
        ApiError::new(ErrorCode::ServiceUnavailable, message).of_proxy()
    })
}

fn broken(what: &str) -> ApiError {
    let message = format!("the connection to the sandbox ended early: {what}");
    ApiError::new(ErrorCode::ServiceUnavailable, message).of_proxy()
}

/// An `Expect` is met by this server, before a body is passed on.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
