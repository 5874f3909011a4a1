//! Requests for the daemon of a sandbox.

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Response, Uri, header};
use hyper::body::Incoming;
use sandbox_daemon::doors::{decode_segment, query_value};
use sandbox_provider::{Provider, Sandbox};
use sandbox_wire::ErrorCode;

use crate::body::Body;
use crate::error::ApiError;
use crate::link::Link;
use crate::preview::tokens::{PREVIEW_TOKEN, QUERY_TOKEN, without_token};
use crate::proxy::{self, Passage};
use crate::shared::Shared;
use crate::signing::SignedUrl;
use crate::tickets;

/// Passes a request on to the daemon of a sandbox.
pub(crate) async fn respond<P: Provider>(
    shared: &Arc<Shared<P>>,
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
    let sandbox = match (shared.authorize(&parts, &link), signed) {
        (Ok(()), _) => shared.find(&name).await.map_err(ApiError::from)?,
        (Err(_), Some(signed)) => {
            query = Some(signed.query());
            signer(shared, &signed, &name).await?
        }
        (Err(refused), None) => {
            let holder = token_holder(shared, &parts, ticket, &name, rest).await;
            holder.ok_or(refused)?
        }
    };
    link.admit();
    let using = shared.enter(&sandbox.id)?;
    let stream = proxy::dial(shared, &sandbox.id).await?;
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
    // The rights of the client end here; the daemon admits every client that can dial it.
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
async fn token_holder<P: Provider>(
    shared: &Shared<P>,
    parts: &Parts,
    ticket: Option<String>,
    name: &str,
    path: &str,
) -> Option<Sandbox> {
    if !proxy::is_websocket(parts) || !path.starts_with("process/") {
        return None;
    }
    if let Some(id) = ticket.and_then(|ticket| shared.tickets.redeem(&ticket)) {
        let sandbox = shared.find(name).await.ok()?;
        return (sandbox.id == id).then_some(sandbox);
    }
    let token = query_value(parts.uri.query(), QUERY_TOKEN)?;
    let sandbox = shared.find(name).await.ok()?;
    let is_its = shared.previews.is_terminal_token(&sandbox.id, &token);
    is_its.then_some(sandbox)
}

/// Returns the sandbox whose key has signed a URL.
///
/// # Errors
///
/// Returns 401, also for a sandbox that does not exist: the client may not learn that.
async fn signer<P: Provider>(
    shared: &Shared<P>,
    signed: &SignedUrl,
    name: &str,
) -> Result<Sandbox, ApiError> {
    let found = shared.find(name).await.ok();
    let key = found
        .as_ref()
        .and_then(|found| found.spec.signing_key.as_deref());
    // URLs are signed by the time of day of their clients.
    signed.check(key, SystemTime::now())?;
    found.ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "no such sandbox"))
}

/// The headers in which browsers describe the page that a request is from.
const FETCH: [HeaderName; 4] = [
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-user"),
];
