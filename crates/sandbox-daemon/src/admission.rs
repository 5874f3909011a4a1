//! Admission of requests.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, Request, header};
use sandbox_wire::ErrorCode;

use crate::http::ws;
use crate::service::Error;
use crate::{Access, uri};

/// Decides which requests are admitted.
#[derive(Debug)]
pub(crate) struct Admission {
    access: Access,
    /// Whether a page in a browser could reach the listener, restricted only by the rules of the browser.
    browsers_reach_it: bool,
}

impl Admission {
    pub(crate) fn new(access: Access, browsers_reach_it: bool) -> Self {
        Self {
            access,
            browsers_reach_it,
        }
    }

    /// Checks that a request may be carried out.
    ///
    /// # Errors
    ///
    /// Returns 401 without the access token, and 403 for a request of a web page to a listener without one.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<(), Error> {
        let headers = request.headers();
        let token = match &self.access {
            Access::Open if self.browsers_reach_it => {
                return refuse_pages(headers, request.uri().authority());
            }
            Access::Open => return Ok(()),
            Access::Token(token) => token,
        };
        // A cookie is not looked at: a browser would send it for any page.
        let own = headers
            .get(OWN_TOKEN)
            .and_then(|value| value.to_str().ok())
            .map(str::trim);
        // A page's script cannot set headers of a WebSocket. For other requests a token in the query
        // would only leak into logs.
        let query = ws::is_upgrade(headers)
            .then(|| uri::query_value(request.uri().query(), QUERY_TOKEN))
            .flatten();
        let presented = [bearer(headers), own, query.as_deref()];
        let mut presented = presented.into_iter().flatten().peekable();
        if presented.peek().is_none() {
            return Err(Error::new(
                ErrorCode::Unauthorized,
                "an access token is required",
            ));
        }
        // Either one is enough: a proxy may have put a token of its own into one of them.
        if presented.any(|presented| token.matches(presented)) {
            Ok(())
        } else {
            Err(Error::new(
                ErrorCode::Unauthorized,
                "the access token is not the right one",
            ))
        }
    }
}

/// The header for a token behind proxies that consume `Authorization`.
const OWN_TOKEN: HeaderName = HeaderName::from_static("x-sandbox-token");

/// The query parameter that the official SDKs use where they cannot set headers.
const QUERY_TOKEN: &str = "DAYTONA_SANDBOX_AUTH_KEY";

/// Returns the token of an `Authorization` header with the scheme `Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses requests that a browser sends for a page. A page may send requests to this machine
/// without its user's knowledge: either plainly, and the browser then sends its `Origin` or reports
/// another site; or after its own name was made to resolve to this host, which the `Host` shows.
///
/// With HTTP/2 the name is in the `authority`.
fn refuse_pages(headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Error> {
    let is_foreign =
        |site: &http::HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    if headers.contains_key(header::ORIGIN) || headers.get(FETCH_SITE).is_some_and(is_foreign) {
        return Err(Error::new(
            ErrorCode::Forbidden,
            "requests of web pages are refused",
        ));
    }
    let names_another = match (authority, headers.get(header::HOST)) {
        (Some(authority), _) => !is_loopback(authority.as_str()),
        (None, Some(host)) => !host.to_str().is_ok_and(is_loopback),
        // Every browser sends a `Host`: without one, no page has caused this request.
        (None, None) => false,
    };
    if names_another {
        Err(Error::new(
            ErrorCode::Forbidden,
            "the Host header names another host",
        ))
    } else {
        Ok(())
    }
}

/// The header in which browsers classify the site of the page that a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns whether `host[:port]` names this machine: `localhost`, or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    // Exactly `host:port`: no user information, and no invalid port.
    let rest = host
        .strip_prefix(authority.host())
        .map(|rest| rest.strip_prefix(':'));
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    match rest {
        Some(Some(port)) if is_port(port) => {}
        Some(None) if host == authority.host() => {}
        _ => return false,
    }
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    // The brackets around an IPv6 address are not a part of it.
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
            "[::1]",
            "localhost:",
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
            "localhost:evil.com",
            "localhost:99999",
            "localhost:1:2",
            "evil@localhost",
            "localhost@evil.com",
            "[::1]evil.com",
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
