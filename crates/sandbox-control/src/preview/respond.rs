//! Decides who may see a preview, and passes requests on.

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Uri, header};
use hyper::body::Incoming;
use sandbox_daemon::doors::{bearer, query_value};
use sandbox_provider::{Provider, Sandbox};
use sandbox_wire::ErrorCode;

use super::tokens::{PREVIEW_TOKEN, QUERY_TOKEN, without_token};
use super::{Place, connect};
use crate::body::Body;
use crate::error::ApiError;
use crate::link::Link;
use crate::proxy::{self, Passage};
use crate::shared::Shared;

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
const COOKIE: &str = "sandbox-preview-token";

/// The path that a server in a sandbox may put before its own.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What pages of a preview by path may do: everything but to have an origin.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-downloads allow-forms allow-modals allow-pointer-lock allow-popups allow-scripts",
);
