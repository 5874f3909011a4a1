//! The handshake of a WebSocket.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::socket::Socket;
use crate::http::HttpTransport;
use crate::http::call::Call;
use crate::{Delivery, Effect, Error, ErrorKind};

/// A WebSocket after its handshake.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    /// The subprotocol that the daemon selected from those that were offered.
    pub(crate) protocol: Option<String>,
}

impl Opened {
    pub(crate) fn speaks(&self, protocol: &str) -> bool {
        self.protocol.as_deref() == Some(protocol)
    }
}

impl HttpTransport {
    /// Opens a WebSocket (RFC 6455, section 4.1), offering these subprotocols.
    pub(crate) async fn open(
        &self,
        path: String,
        effect: Effect,
        protocols: &[&str],
    ) -> Result<Opened, Error> {
        let invalid = |error: header::InvalidHeaderValue| {
            let message = "the request for a WebSocket cannot be written";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        };
        let key = generate_key();
        let fixed = |name: HeaderName, value| (name, HeaderValue::from_static(value));
        let mut call = Call::get(path).effect(effect).upgrade();
        for (name, value) in [
            fixed(header::CONNECTION, "Upgrade"),
            fixed(header::UPGRADE, "websocket"),
            fixed(header::SEC_WEBSOCKET_VERSION, "13"),
            (
                header::SEC_WEBSOCKET_KEY,
                HeaderValue::from_str(&key).map_err(invalid)?,
            ),
        ] {
            call = call.header(name, value);
        }
        if !protocols.is_empty() {
            let mut offer = HeaderValue::try_from(protocols.join(", ")).map_err(invalid)?;
            // The offer may contain variables.
            offer.set_sensitive(true);
            call = call.header(header::SEC_WEBSOCKET_PROTOCOL, offer);
        }
        let answer = self.send(&call).await?;
        let protocol = check(&answer.headers, &key, protocols)?;
        let Some(upgraded) = answer.upgraded else {
            return Err(bad("the response is no WebSocket"));
        };
        Ok(Opened {
            socket: Socket::over(TokioIo::new(upgraded)).await,
            protocol,
        })
    }
}

/// Checks that a response is to this request, and returns the subprotocol that it selects.
pub(crate) fn check(
    headers: &HeaderMap,
    key: &str,
    offered: &[&str],
) -> Result<Option<String>, Error> {
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
    let expect = derive_accept_key(key.as_bytes());
    // RFC 6455, section 4.1, requires this check: it shows that the server speaks the protocol, and
    // that no cache has responded.
    if accept.is_none_or(|accept| accept.as_bytes().trim_ascii() != expect.as_bytes()) {
        return Err(bad("the response is to another request for a WebSocket"));
    }
    // A daemon that supports none of the subprotocols selects none; what that means depends on the
    // route.
    let Some(selected) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) else {
        return Ok(None);
    };
    let selected = selected.to_str().map(str::trim).unwrap_or_default();
    if offered.contains(&selected) {
        Ok(Some(selected.to_owned()))
    } else {
        // RFC 6455, section 4.1, requires that the connection fails.
        Err(bad(
            "the daemon selected a subprotocol that was not offered",
        ))
    }
}

fn bad(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_checked() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let check = |accept: &'static str, protocol: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-websocket-accept", HeaderValue::from_static(accept));
            if !protocol.is_empty() {
                headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
            }
            check(&headers, key, &["a", "b"]).map_err(|error| error.kind())
        };
        let good = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert_eq!(check(good, ""), Ok(None));
        assert_eq!(check(good, "b"), Ok(Some("b".to_owned())));
        assert_eq!(check(good, "c"), Err(ErrorKind::Protocol));
        assert_eq!(check(good, "a, b"), Err(ErrorKind::Protocol));
        assert_eq!(check("", ""), Err(ErrorKind::Protocol));
    }
}
