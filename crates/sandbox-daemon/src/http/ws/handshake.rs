//! The WebSocket handshake.

use std::future::Future;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sandbox_wire::ErrorCode;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Duplex;
use crate::http::error::ApiError;
use crate::http::response::{Body, empty_body};
use crate::limits::{SOCKET_MESSAGE_BYTES, SOCKET_WRITE_BYTES};
use crate::link::Link;

/// A request that may become a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    upgraded: OnUpgrade,
    accept: HeaderValue,
    message_bytes: usize,
}

/// Returns whether a request asks for a WebSocket, validly or not. Case is ignored, as in RFC 6455.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

/// Returns the subprotocols that a request offers, with or without an upgrade.
pub(crate) fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL)
}

impl Upgrade {
    /// Checks a handshake (RFC 6455, section 4.2.1).
    ///
    /// # Errors
    ///
    /// Returns 400 with the supported version, which is the reference's response to all errors.
    pub(crate) fn check(parts: &Parts) -> Result<Self, ApiError> {
        let headers = &parts.headers;
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let version = headers.get(header::SEC_WEBSOCKET_VERSION);
        let problem = if parts.version < Version::HTTP_11 {
            "a WebSocket needs HTTP/1.1"
        } else if !is_upgrade(headers) {
            "a WebSocket needs the header Upgrade: websocket"
        } else if !has_token(headers, &header::CONNECTION, "upgrade") {
            "a WebSocket needs the header Connection: Upgrade"
        } else if version.is_none_or(|version| version.as_bytes() != b"13") {
            "a WebSocket needs the header Sec-WebSocket-Version: 13"
        } else if !key.is_some_and(is_key) {
            "a WebSocket needs the header Sec-WebSocket-Key with 16 bytes in base64"
        } else {
            ""
        };
        let accept = key.map(|key| derive_accept_key(key.as_bytes()));
        let accept = accept.and_then(|accept| HeaderValue::from_str(&accept).ok());
        // hyper adds it only to requests that can be upgraded.
        let upgraded = parts.extensions.get::<OnUpgrade>().cloned();
        match (problem, upgraded, accept) {
            ("", Some(upgraded), Some(accept)) => Ok(Self {
                upgraded,
                accept,
                message_bytes: SOCKET_MESSAGE_BYTES,
            }),
            ("", ..) => Err(refusal("this connection cannot become a WebSocket")),
            (problem, ..) => Err(refusal(problem)),
        }
    }

    /// Accepts messages of this many bytes, instead of [`SOCKET_MESSAGE_BYTES`].
    pub(crate) fn message_bytes(self, message_bytes: usize) -> Self {
        Self {
            message_bytes,
            ..self
        }
    }

    /// Responds with 101 and the selected subprotocol, and passes the socket to `serve`, in a task of its own.
    pub(crate) fn accept<F>(
        self,
        protocol: Option<&str>,
        link: Link,
        serve: impl FnOnce(Duplex) -> F + Send + 'static,
    ) -> Response<Body>
    where
        F: Future<Output = ()> + Send,
    {
        let mut response = Response::new(empty_body());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = protocol.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        // Resolves only after this response was written, so that it is awaited in a task.
        let upgraded = self.upgraded;
        let config = config(self.message_bytes);
        tokio::spawn(async move {
            // An error means that the connection ended before the response was written.
            if let Ok(stream) = upgraded.await {
                let stream = TokioIo::new(stream);
                let socket =
                    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                serve(Duplex::new(socket, link)).await;
            }
        });
        response
    }
}

fn config(message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        // The library's default is 128 KiB, for each of thousands of connections.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(SOCKET_WRITE_BYTES)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes))
}

fn refusal(message: &str) -> ApiError {
    let error = ApiError::new(ErrorCode::BadRequest, message);
    error.header(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    )
}

/// Returns whether this is 16 bytes in base64: 22 characters and two of padding.
pub(crate) fn is_key(key: &HeaderValue) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.as_bytes().split_at_checked(22), Some((digits, b"==")) if digits.iter().all(is_digit))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// Returns the elements of a list that may be split over several headers.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// Returns the message of the refusal of `GOOD` with `changes`; an empty value removes the header.
    fn refused(changes: &[(&str, &str)]) -> String {
        let mut request = Request::new(());
        for (name, value) in GOOD.iter().chain(changes) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            match *value {
                "" => drop(request.headers_mut().remove(name)),
                value => drop(request.headers_mut().insert(name, value.parse().unwrap())),
            }
        }
        format!("{:?}", Upgrade::check(&request.into_parts().0).unwrap_err())
    }

    #[test]
    fn handshakes_are_checked() {
        let check = |change, expect| assert!(refused(&[change]).contains(expect), "{change:?}");
        check(("connection", "keep-alive"), "Connection: Upgrade");
        check(("connection", ""), "Connection: Upgrade");
        check(("upgrade", "h2c"), "Upgrade: websocket");
        check(("sec-websocket-version", "8"), "Version: 13");
        check(("sec-websocket-version", ""), "Version: 13");
        check(("sec-websocket-key", ""), "Sec-WebSocket-Key");
        check(("sec-websocket-key", "short"), "Sec-WebSocket-Key");
        // These are valid; the refusal is only that this request did not arrive on a connection.
        for good in [
            ("connection", "keep-alive, UPGRADE"),
            ("upgrade", "h2c, WebSocket"),
            ("upgrade", "WEBSOCKET"),
        ] {
            check(good, "cannot become a WebSocket");
        }
    }

    #[test]
    fn subprotocols_are_listed() {
        let mut headers = HeaderMap::new();
        headers.append("sec-websocket-protocol", "a, b ,,".parse().unwrap());
        headers.append("sec-websocket-protocol", "c".parse().unwrap());
        assert_eq!(offered(&headers).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
