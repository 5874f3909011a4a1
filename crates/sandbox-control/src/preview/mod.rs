//! Previews: servers inside a sandbox, by host or by path.
//!
//! A preview is reached with the key, with the token of its sandbox, by a signed URL, or by anybody if the sandbox is public. By host,
//! `{port}-{id}.localhost`, it has an origin of its own. By path, `/preview/{id}/{port}/`, it shares that of the API, so pages are
//! sandboxed by a policy: their scripts have no origin, and reach nothing that a page of this server keeps; and no cookies pass, which
//! would be those of every server of this host. In the place of the id, both have the token of a signed URL.

pub(crate) mod tokens;

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sandbox_daemon::doors::{bearer, chain, decode_segment, query_value};
use sandbox_provider::{Provider, Sandbox, SandboxId};
use sandbox_wire::ErrorCode;

use crate::body::Body;
use crate::error::ApiError;
use crate::limits::DIAL;
use crate::link::Link;
use crate::proxy::{self, Passage};
use crate::shared::Shared;
use tokens::{PREVIEW_TOKEN, QUERY_TOKEN, without_token};

/// What a request for a preview names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The id or name of a sandbox, or the token of a signed URL.
    pub(crate) by: String,
    pub(crate) port: u16,
    /// The path before that of the server in the sandbox; empty for a preview by host.
    pub(crate) prefix: String,
}

impl Place {
    /// Reads `{port}-{id}.localhost`, or `None` for the name of another host.
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let name = host.split(':').next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let (port, by) = name.strip_suffix(".localhost")?.split_once('-')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let is_name = !by.is_empty() && !by.contains('.');
        is_name.then(|| Self {
            by: by.to_owned(),
            port,
            prefix: String::new(),
        })
    }

    /// Reads `/preview/{id}/{port}/...`.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/preview/")?;
        let (by, rest) = rest.split_once('/')?;
        let port = rest.split('/').next().unwrap_or_default();
        Some(Self {
            by: decode_segment(by),
            port: port.parse().ok().filter(|port| *port > 0)?,
            prefix: format!("/preview/{by}/{port}"),
        })
    }
}

/// How a client may see a preview.
struct Admitted {
    sandbox: Sandbox,
    /// The token, which a browser is to send with the next requests.
    cookie: Option<String>,
}

/// Passes a request on to a server in a sandbox.
///
/// # Errors
///
/// Returns 401 without a right to see it, and 503 if nothing listens on the port.
pub(crate) async fn respond<P: Provider>(
    shared: &Arc<Shared<P>>,
    place: Place,
    mut parts: Parts,
    body: &mut Option<Incoming>,
    link: Link,
) -> Result<Response<Body>, ApiError> {
    let Admitted { sandbox, cookie } = admit(shared, &place, &parts).await?;
    link.admit();
    let using = shared.enter(&sandbox.id)?;
    let tunnel = connect(shared, &sandbox.id, place.port).await?;
    retarget(shared, &place, &mut parts)?;
    let passage = Passage::new(parts, body, using, link)?;
    let mut response = proxy::forward(tunnel, passage).await?;
    let headers = response.headers_mut();
    if !place.prefix.is_empty() {
        // They would be those of every server of this host: cookies know no ports.
        headers.remove(header::SET_COOKIE);
        headers.append(header::CONTENT_SECURITY_POLICY, POLICY);
    }
    if let Some(token) = cookie {
        let path = match place.prefix.as_str() {
            "" => "/",
            prefix => prefix,
        };
        let text = format!("{COOKIE}={token}; Path={path}; HttpOnly; SameSite=Lax");
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

/// Decides whether a client may see a preview. The result is the same for what is not there and what it may not see.
async fn admit<P: Provider>(
    shared: &Arc<Shared<P>>,
    place: &Place,
    parts: &Parts,
) -> Result<Admitted, ApiError> {
    let refused = || {
        let message =
            "a preview needs its token, in the header x-daytona-preview-token or as a signed URL";
        ApiError::new(ErrorCode::Unauthorized, message).of_proxy()
    };
    if let Some(signed) = shared.previews.signed(&place.by) {
        if signed.port != place.port {
            return Err(refused());
        }
        let sandbox = shared.provider.get(&signed.id).await?;
        let cookie = None;
        return Ok(Admitted { sandbox, cookie });
    }
    let sandbox = shared.find(&place.by).await.map_err(|_| refused())?;
    let query = query_value(parts.uri.query(), QUERY_TOKEN);
    let own = parts.headers.get(PREVIEW_TOKEN);
    let own = own.and_then(|value| value.to_str().ok());
    let is_token = |presented: &str| shared.previews.is_token(&sandbox.id, presented);
    let is_admitted = sandbox.spec.public
        || own.is_some_and(is_token)
        || bearer(&parts.headers).is_some_and(|key| shared.is_key(key))
        || cookies(&parts.headers).any(|(name, value)| name == COOKIE && is_token(value));
    // A browser has the token in the query only of the first page.
    let cookie = query.filter(|presented| is_token(presented));
    if is_admitted || cookie.is_some() {
        Ok(Admitted { sandbox, cookie })
    } else {
        Err(refused())
    }
}

/// Connects to a port in a sandbox, through its daemon.
///
/// # Errors
///
/// Returns 503 if nothing listens on the port.
pub(crate) async fn connect<P: Provider>(
    shared: &Shared<P>,
    id: &SandboxId,
    port: u16,
) -> Result<TokioIo<Upgraded>, ApiError> {
    let stream = proxy::dial(shared, id).await?;
    let broken = |what: String| ApiError::new(ErrorCode::ServiceUnavailable, what).of_proxy();
    let tunnel = async {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| broken(chain(&error)))?;
        // It ends with its stream, which the tunnel owns.
        tokio::spawn(connection.with_upgrades());
        let request = Request::get(format!("/port/{port}/connect"))
            .header(header::HOST, "localhost")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp")
            .body(Empty::<Bytes>::new())
            .map_err(|error| broken(error.to_string()))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| broken(chain(&error)))?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                let upgraded = hyper::upgrade::on(response).await;
                upgraded
                    .map(TokioIo::new)
                    .map_err(|error| broken(chain(&error)))
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let message = format!("nothing listens on port {port} of the sandbox");
                Err(broken(message))
            }
            StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => {
                let message = "the daemon of the sandbox is too old for previews";
                Err(ApiError::not_implemented(message).of_proxy())
            }
            status => Err(broken(format!("the sandbox responded with {status}"))),
        }
    };
    match tokio::time::timeout(DIAL, tunnel).await {
        Ok(tunnel) => tunnel,
        Err(_) => Err(broken("the sandbox did not respond in time".to_owned())),
    }
}

/// Gives a request the target of the server in the sandbox, and removes the client's rights.
fn retarget<P: Provider>(
    shared: &Shared<P>,
    place: &Place,
    parts: &mut Parts,
) -> Result<(), ApiError> {
    let path = parts.uri.path();
    let path = path.strip_prefix(&*place.prefix).unwrap_or(path);
    let path = if path.is_empty() { "/" } else { path };
    let target = match parts.uri.query().map(without_token) {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    };
    let target = PathAndQuery::try_from(target);
    let target = target.map_err(|error| ApiError::bad(error.to_string()))?;
    let authority = parts.uri.authority().cloned();
    parts.uri = Uri::from(target);
    let headers = &mut parts.headers;
    // A request of HTTP/2 names its host elsewhere.
    if let Some(authority) = authority
        && !headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    headers.remove(PREVIEW_TOKEN);
    // Another one is between the page and the server in the sandbox.
    if bearer(headers).is_some_and(|key| shared.is_key(key)) {
        headers.remove(header::AUTHORIZATION);
    }
    let rest: Vec<_> = cookies(headers)
        // By path, a browser sends the cookies of all servers of this host.
        .filter(|(name, _)| *name != COOKIE && place.prefix.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if headers.remove(header::COOKIE).is_some()
        && !rest.is_empty()
        && let Ok(rest) = HeaderValue::from_str(&rest.join("; "))
    {
        headers.insert(header::COOKIE, rest);
    }
    if let Ok(prefix) = HeaderValue::from_str(&place.prefix)
        && !place.prefix.is_empty()
    {
        headers.insert(FORWARDED_PREFIX, prefix);
    }
    Ok(())
}

/// Returns the names and values of a request's cookies.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// The cookie with the token of a sandbox.
pub(crate) const COOKIE: &str = "sandbox-preview-token";

/// The path that a server in a sandbox may put before its own.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What pages of a preview by path may do: everything but to have an origin.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-downloads allow-forms allow-modals allow-pointer-lock allow-popups allow-scripts",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_previews_are_read() {
        let check = |host: &str, expect: Option<(&str, u16)>| {
            let place = Place::of_host(host);
            let found = place.as_ref().map(|place| (place.by.as_str(), place.port));
            assert_eq!(found, expect, "{host}");
        };
        check("3000-abc.localhost", Some(("abc", 3000)));
        check("3000-ABC-d.LocalHost:3986", Some(("abc-d", 3000)));
        for other in [
            "localhost",
            "3000.localhost",
            "0-abc.localhost",
            "65536-abc.localhost",
            "x-abc.localhost",
            "3000-.localhost",
            "3000-abc.evil.localhost",
            "3000-abc.localhost.evil.com",
            "3000-abc",
            "",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn paths_of_previews_are_read() {
        let check = |path: &str, expect: Option<(&str, u16, &str)>| {
            let place = Place::of_path(path);
            let found = place.as_ref();
            let found = found.map(|place| (&*place.by, place.port, &*place.prefix));
            assert_eq!(found, expect, "{path}");
        };
        check("/preview/abc/80", Some(("abc", 80, "/preview/abc/80")));
        check("/preview/abc/80/", Some(("abc", 80, "/preview/abc/80")));
        check(
            "/preview/a%20c/80/x/y",
            Some(("a c", 80, "/preview/a%20c/80")),
        );
        for other in [
            "/preview/abc",
            "/preview/abc/",
            "/preview/abc/0",
            "/preview/abc/x/80",
            "/previews/a/80",
        ] {
            check(other, None);
        }
    }
}
