//! Connections to daemons, by TCP, TLS or a Unix socket.

mod proxy;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;

use crate::endpoint::Target;
pub use proxy::Proxy;
pub(crate) use proxy::Route;
pub(crate) use stream::Stream;
#[cfg(feature = "tls")]
pub(crate) use tls::Client as TlsClient;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// The use of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Requests: HTTP/2 where the daemon offers it.
    Requests,
    /// WebSockets, which need HTTP/1.1.
    Sockets,
    /// Calls of gRPC, which need HTTP/2.
    #[cfg(feature = "grpc")]
    Calls,
}

/// A connector to one daemon, whatever the request's URI says.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Way>);

/// The settings by which a daemon is reached.
pub(crate) struct Way {
    pub(crate) target: Target,
    pub(crate) purpose: Purpose,
    pub(crate) route: Route,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsClient>,
    /// The longest wait for a connection that can be used.
    pub(crate) limit: Duration,
}

impl Connector {
    pub(crate) fn new(way: Way) -> Self {
        Self(Arc::new(way))
    }
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Each request connects by itself; there is nothing to wait for.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let way = self.0.clone();
        Box::pin(async move {
            // Bounds the whole way: the lookup of the name, the proxy and the handshake of TLS.
            match timeout(way.limit, way.connect()).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

impl Way {
    async fn connect(&self) -> io::Result<Stream> {
        let (host, port) = match &self.target {
            // Without a proxy and without TLS, which are for networks.
            Target::Unix(path) => return unix(path).await,
            Target::Tcp { host, port, .. } => (host, *port),
        };
        let stream = match &self.route {
            Route::Direct => tcp::connect(host, port, self.purpose, self.limit).await?,
            Route::Through(tunnel) => {
                let (proxy_host, proxy_port) = tunnel.address();
                let mut stream =
                    tcp::connect(proxy_host, proxy_port, self.purpose, self.limit).await?;
                tunnel.open(&mut stream, host, port).await?;
                stream
            }
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.connect(stream).await;
        }
        Ok(Stream::new(stream))
    }
}

#[cfg(all(unix, not(sandbox_portable)))]
async fn unix(path: &std::path::Path) -> io::Result<Stream> {
    Ok(Stream::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(any(not(unix), sandbox_portable))]
async fn unix(_: &std::path::Path) -> io::Result<Stream> {
    let reason = "this system has no Unix sockets";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("target", &self.0.target)
            .finish_non_exhaustive()
    }
}
