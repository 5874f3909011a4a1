//! Proxies.

use std::io;
use std::net::IpAddr;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::PROXY_RESPONSE_BYTES;
use crate::{Delivery, Error, ErrorKind};

/// The proxy that connections use, if any. Default: [`from_environment`](Self::from_environment).
///
/// The proxy is sent a request for a tunnel (`CONNECT`), for `http://` and `https://` alike, so WebSockets pass it as
/// well. The proxy's protocol is HTTP, and its URL may contain a user and a password. A Unix socket is never reached
/// through a proxy.
#[derive(Debug, Clone, Default)]
pub struct Proxy(Choice);

#[derive(Debug, Clone, Default)]
enum Choice {
    #[default]
    Environment,
    None,
    Fixed(Intercept),
}

impl Proxy {
    /// Uses what the environment says when the transport is built: `HTTPS_PROXY` or `HTTP_PROXY` by the daemon's
    /// scheme, then `ALL_PROXY`, unless the host is in `NO_PROXY`; in capitals or not. A daemon on this machine
    /// (`localhost`, `127.0.0.0/8`, `::1`) is reached directly.
    pub fn from_environment() -> Self {
        Self(Choice::Environment)
    }

    /// Connects directly, whatever the environment says.
    pub fn none() -> Self {
        Self(Choice::None)
    }

    /// Uses this proxy, `http://[USER:PASSWORD@]HOST:PORT`, for every host.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::InvalidInput`] for any other URL.
    pub fn http(url: &str) -> Result<Self, Error> {
        let matcher = Matcher::builder().all(url).build();
        match matcher.intercept(&Uri::from_static("http://any/")) {
            // The library accepts `https` and SOCKS as well, which this client cannot use.
            Some(found) if found.uri().scheme_str() == Some("http") => {
                Ok(Self(Choice::Fixed(found)))
            }
            _ => Err(unusable()),
        }
    }

    /// Returns the route to a host.
    pub(crate) fn route(&self, is_tls: bool, host: &str) -> Result<Route, Error> {
        let found = match &self.0 {
            Choice::None => None,
            Choice::Fixed(proxy) => Some(proxy.clone()),
            // A proxy on another machine would take it for its own machine.
            Choice::Environment if is_loopback(host) => None,
            Choice::Environment => {
                let scheme = if is_tls { "https" } else { "http" };
                // A URI has an IPv6 address in brackets (RFC 3986, section 3.2.2).
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host.to_owned()
                };
                let uri = Uri::builder().scheme(scheme).authority(host);
                let uri = uri.path_and_query("/").build();
                uri.ok().and_then(|uri| Matcher::from_env().intercept(&uri))
            }
        };
        match found {
            None => Ok(Route::Direct),
            Some(proxy) => Tunnel::new(&proxy).map(Route::Through),
        }
    }
}

/// The route to a host.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    Direct,
    Through(Tunnel),
}

/// A proxy that is requested to open a tunnel.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

impl Tunnel {
    fn new(proxy: &Intercept) -> Result<Self, Error> {
        let uri = proxy.uri();
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http"));
        let host = host.ok_or_else(unusable)?;
        Ok(Self {
            // The brackets of an IPv6 address belong to the URI; the resolver takes none.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: proxy.basic_auth().cloned(),
        })
    }

    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Requests a tunnel over a connection to the proxy; after that, the connection is one to the host.
    pub(super) async fn open(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &str,
        port: u16,
    ) -> io::Result<()> {
        let authority = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;

        // Byte by byte: what follows the head belongs to the host.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == PROXY_RESPONSE_BYTES {
                return Err(io::Error::other("the proxy's response is too long"));
            }
            head.push(stream.read_u8().await?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some(version), Some(status))
                // Any 2xx opens the tunnel (RFC 9110, section 9.3.6).
                if version.starts_with("HTTP/1.") && status.starts_with('2') =>
            {
                Ok(())
            }
            _ => Err(io::Error::other(format!("the proxy refused: {line}"))),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn unusable() -> Error {
    let message = "the proxy cannot be used: only http://[USER:PASSWORD@]HOST:PORT can";
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_proxies_are_read() {
        let address = |url: &str| match Proxy::http(url)?.route(false, "127.0.0.1")? {
            Route::Through(tunnel) => Ok((tunnel.host, tunnel.port, tunnel.authorization)),
            Route::Direct => panic!("direct"),
        };
        let plain: Result<_, Error> = address("http://proxy:3128");
        assert_eq!(plain.unwrap(), ("proxy".to_owned(), 3128, None));
        assert_eq!(address("http://[::1]:1").unwrap().0, "::1");
        let (.., authorization) = address("http://me:p%40ss@proxy").unwrap();
        assert_eq!(authorization.unwrap(), "Basic bWU6cEBzcw==");
        for bad in ["", "socks5://proxy:1", "https://proxy", "http://"] {
            let error = address(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        }
        let direct = Proxy::none().route(true, "host").unwrap();
        assert!(matches!(direct, Route::Direct));
    }

    #[tokio::test]
    async fn only_success_opens_a_tunnel() {
        let open = async |answer: &'static [u8]| {
            let (mut ours, mut theirs) = tokio::io::duplex(20_000);
            theirs.write_all(answer).await.unwrap();
            theirs.write_all(b"host's").await.unwrap();
            theirs.shutdown().await.unwrap();
            let tunnel = Tunnel {
                host: String::new(),
                port: 1,
                authorization: Some(HeaderValue::from_static("Basic abc")),
            };
            let opened = tunnel.open(&mut ours, "::1", 22).await;
            let mut rest = String::new();
            ours.read_to_string(&mut rest).await.unwrap();
            drop(ours);
            let mut request = String::new();
            theirs.read_to_string(&mut request).await.unwrap();
            let expect = "CONNECT [::1]:22 HTTP/1.1\r\nHost: [::1]:22\r\nProxy-Authorization: Basic abc\r\n\r\n";
            assert_eq!(request, expect);
            opened.map(|()| rest)
        };
        let good = open(b"HTTP/1.1 200 Connection established\r\nA: b\r\n\r\n").await;
        assert_eq!(good.unwrap(), "host's");
        let refusal = open(b"HTTP/1.1 407 Who are you\r\n\r\n").await.unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the proxy refused: HTTP/1.1 407 Who are you"
        );
        assert!(open(b"SSH-2.0\r\n\r\n").await.is_err());
        assert!(open(b"HTTP/1.1 200 OK\r\n").await.is_err());
        let long: &'static [u8] =
            Box::leak(vec![b'x'; PROXY_RESPONSE_BYTES + 1].into_boxed_slice());
        let error = open(long).await.unwrap_err();
        assert_eq!(error.to_string(), "the proxy's response is too long");
    }
}
