//! The operations over HTTP.

mod body;
mod call;
mod control;
mod convert;
mod files;
mod operations;
mod path;
mod resources;
pub(crate) mod ws;

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use hyper_util::client::legacy::Client;
use tokio::sync::OnceCell;

use self::body::Outgoing;
pub use self::control::ControlPlane;
use crate::connect::Connector;
use crate::token::Tokens;
use crate::{CallOptions, Capabilities, Endpoint, Error, RetryPolicy, TransportBuilder};

/// A transport of the operations over HTTP, and over WebSockets for streams. Cheap to clone; clones share their
/// connections.
///
/// Connections are opened when needed, by HTTP/2 if an `https://` daemon offers it, and retained for reuse for 20 s. A
/// connection whose peer disappears silently is detected within 30 s: by the kernel's probes, and on a WebSocket by
/// pings. Deadlines are those of [`limits`](crate::limits); [`CallOptions`] set others. Redirects are not followed.
///
/// This transport needs a tokio runtime with I/O and time, and uses one task for each WebSocket.
#[derive(Clone)]
pub struct HttpTransport {
    inner: Arc<Inner>,
    options: CallOptions,
}

pub(crate) type Http = Client<Connector, Outgoing>;

/// The state that all clones of a transport share.
pub(crate) struct Inner {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: Http,
    /// The client for WebSockets.
    pub(crate) upgrades: Http,
    /// The headers of every request.
    pub(crate) headers: HeaderMap,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) response_limit: usize,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) capabilities: OnceCell<Capabilities>,
}

impl HttpTransport {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            options: CallOptions::default(),
        }
    }

    pub(crate) fn with_call_options(&self, options: CallOptions) -> Self {
        Self {
            inner: self.inner.clone(),
            options: options.or(&self.options),
        }
    }

    /// Returns a transport to another daemon with the same settings, which shares the connections if both are reached at the
    /// same address.
    pub(crate) fn beside(
        &self,
        endpoint: Endpoint,
        settings: &TransportBuilder,
    ) -> Result<Self, Error> {
        if endpoint.target() != self.inner.endpoint.target() {
            // The pool's connector leads to one address, whatever the URI says.
            return settings.clone().at(endpoint).build_http();
        }
        let inner = &self.inner;
        let inner = Inner {
            endpoint,
            client: inner.client.clone(),
            upgrades: inner.upgrades.clone(),
            headers: inner.headers.clone(),
            tokens: inner.tokens.clone(),
            response_limit: inner.response_limit,
            retry: inner.retry.clone(),
            // Those of another daemon may differ.
            capabilities: OnceCell::new(),
        };
        Ok(Self::new(inner))
    }

    /// Returns the address of the daemon.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("endpoint", &self.inner.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
