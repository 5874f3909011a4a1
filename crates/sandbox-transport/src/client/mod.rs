//! The operations over HTTP.

pub(crate) mod answer;
mod attempts;
mod builder;
mod call;
mod code;
mod operations;
mod path;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use tokio::sync::OnceCell;

use crate::connect::Connector;
use crate::token::Tokens;
use crate::{CallOptions, Capabilities, Endpoint, RetryPolicy};
#[cfg(feature = "grpc")]
pub(crate) use answer::{lost, read};
#[cfg(feature = "grpc")]
pub(crate) use attempts::{Attempts, Progress};
pub use builder::{HttpTransportBuilder, SDK_VERSION};
pub(crate) use call::Call;
#[cfg(feature = "grpc")]
pub(crate) use operations::answer_within;
pub(crate) use operations::{is_missing, unsupported};
pub(crate) use path::{add_query, path};

/// Carries the operations over HTTP, and over WebSockets where bytes flow. Cheap to clone; clones share their connections.
///
/// Connections are made when needed, by HTTP/2 where an `https://` daemon offers it, and kept for reuse for 20 s. A
/// connection whose other side is gone without a word is noticed within 30 s: by the kernel's probes, and on a WebSocket by
/// pings. Deadlines are those of [`limits`](crate::limits); [`CallOptions`] set others. Redirects are not followed.
///
/// It needs a tokio runtime with I/O and time, and one task for each WebSocket.
#[derive(Clone)]
pub struct HttpTransport {
    inner: Arc<Inner>,
    options: CallOptions,
}

type Http = Client<Connector, Full<Bytes>>;

struct Inner {
    endpoint: Endpoint,
    client: Http,
    /// For WebSockets.
    upgrades: Http,
    /// What every request carries.
    headers: HeaderMap,
    tokens: Tokens,
    answer_limit: usize,
    retry: Arc<dyn RetryPolicy>,
    capabilities: OnceCell<Capabilities>,
}

impl HttpTransport {
    /// Settings to make a transport from.
    pub fn builder(endpoint: Endpoint) -> HttpTransportBuilder {
        HttpTransportBuilder::new(endpoint)
    }

    /// Where the daemon is.
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
