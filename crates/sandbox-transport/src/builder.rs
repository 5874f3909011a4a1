//! The builder of transports.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use hyper::body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;

#[cfg(feature = "tls")]
use crate::Tls;
use crate::connect::{Connector, Proxy, Purpose, Way};
use crate::endpoint::Target;
#[cfg(feature = "grpc")]
use crate::grpc::{self, GrpcTransport};
use crate::http::{self as over_http, ControlPlane, HttpTransport};
#[cfg(feature = "grpc")]
use crate::limits::CALL_WINDOW_BYTES;
use crate::limits::{CONNECT, IDLE_CONNECTION, RESPONSE_BYTES};
#[cfg(any(feature = "grpc", feature = "tls"))]
use crate::limits::{KEEPALIVE_IDLE, UNACKNOWLEDGED};
use crate::token::Tokens;
use crate::{
    Delivery, Endpoint, Error, ErrorKind, ProcessApi, RetryPolicy, SafeRetries, TokenProvider,
};

impl HttpTransport {
    /// Returns a builder of a transport to this daemon; [`build_http`](TransportBuilder::build_http) creates it.
    pub fn builder(endpoint: Endpoint) -> TransportBuilder {
        TransportBuilder::new(endpoint)
    }
}

#[cfg(feature = "grpc")]
impl GrpcTransport {
    /// Returns a builder of a transport to this daemon; [`build_grpc`](TransportBuilder::build_grpc) creates it.
    pub fn builder(endpoint: Endpoint) -> TransportBuilder {
        TransportBuilder::new(endpoint.over_grpc())
    }
}

/// A builder of transports: of the one that the URL names, or of a certain one.
///
/// # Examples
///
/// ```
/// use sandbox_transport::TransportBuilder;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = "http://127.0.0.1:2280".parse()?;
/// let transport = TransportBuilder::new(endpoint).token("secret").build()?;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone)]
#[must_use]
pub struct TransportBuilder {
    endpoint: Endpoint,
    token: Option<String>,
    provider: Option<Arc<dyn TokenProvider>>,
    headers: Vec<(String, String)>,
    response_limit: usize,
    connect_limit: Duration,
    retry: Arc<dyn RetryPolicy>,
    proxy: Proxy,
    #[cfg(feature = "tls")]
    tls: Tls,
}

impl TransportBuilder {
    /// Creates a builder of a transport to the daemon at `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            token: None,
            provider: None,
            headers: Vec::new(),
            response_limit: RESPONSE_BYTES,
            connect_limit: CONNECT,
            retry: Arc::new(SafeRetries::default()),
            proxy: Proxy::default(),
            #[cfg(feature = "tls")]
            tls: Tls::default(),
        }
    }

    pub(crate) fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Sends this token with every request.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends the tokens that `provider` returns, instead of a [fixed one](Self::token).
    pub fn token_provider(mut self, provider: impl TokenProvider + 'static) -> Self {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// Sends a header with every request, replacing a default header of the same name. Like clients of Daytona's cloud,
    /// requests carry `X-Daytona-Source` (`sdk-rust`), `X-Daytona-SDK-Version` ([`SDK_VERSION`]) and a `User-Agent`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends the id of the organization that the token is for, which Daytona's cloud requires with tokens of people
    /// (`X-Daytona-Organization-ID`).
    pub fn organization(self, id: impl Into<String>) -> Self {
        self.header("X-Daytona-Organization-ID", id)
    }

    /// Sets the longest body of a response; a longer one is an error. Default: 512 MiB.
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Sets the longest wait for a connection. Default: 10 s.
    pub fn connect_limit(mut self, limit: Duration) -> Self {
        self.connect_limit = limit;
        self
    }

    /// Sets the policy that decides what is repeated. Default: [`SafeRetries`].
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retry = Arc::new(policy);
        self
    }

    /// Sets the proxy to connect through, if any. Default: as the environment says.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets the TLS configuration for an `https://` daemon. Default: the certificates that the platform trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Uses gRPC, whatever the daemon's URL says; see [`Endpoint::over_grpc`].
    #[cfg(feature = "grpc")]
    pub fn grpc(mut self) -> Self {
        self.endpoint = self.endpoint.over_grpc();
        self
    }

    /// Builds the transport that the URL names, without connecting yet. For a daemon that is reached by TLS, this reads the
    /// platform's certificates.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::InvalidInput`] for a token or header that a request cannot carry, and for
    /// a proxy or certificates that cannot be used.
    pub fn build(self) -> Result<Arc<dyn ProcessApi>, Error> {
        #[cfg(feature = "grpc")]
        if self.endpoint.is_grpc() {
            return Ok(Arc::new(self.build_grpc()?));
        }
        Ok(Arc::new(self.build_http()?))
    }

    /// Builds a transport over HTTP, whatever the URL says; otherwise the same as [`build`](Self::build).
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    pub fn build_http(self) -> Result<HttpTransport, Error> {
        let inner = over_http::Inner {
            client: self.client(Purpose::Requests)?,
            // A pool of its own: the connections of the other one may be HTTP/2, which has no
            // upgrades.
            upgrades: self.client(Purpose::Sockets)?,
            headers: self.header_map()?,
            tokens: Arc::new(Tokens::new(self.token.as_deref(), self.provider)?),
            endpoint: self.endpoint,
            response_limit: self.response_limit,
            retry: self.retry,
            capabilities: OnceCell::new(),
        };
        Ok(HttpTransport::new(inner))
    }

    /// Builds a client of the control plane at the URL, without connecting yet.
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    pub fn build_control(self) -> Result<ControlPlane, Error> {
        ControlPlane::new(self)
    }

    /// Builds a transport over gRPC, whatever the URL says; otherwise the same as [`build`](Self::build).
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    #[cfg(feature = "grpc")]
    pub fn build_grpc(self) -> Result<GrpcTransport, Error> {
        Ok(GrpcTransport::new(grpc::Inner {
            client: self.client(Purpose::Calls)?,
            headers: self.header_map()?,
            tokens: Tokens::new(self.token.as_deref(), self.provider)?,
            endpoint: self.endpoint,
            response_limit: self.response_limit,
            retry: self.retry,
            capabilities: OnceCell::new(),
        }))
    }

    fn client<B>(&self, purpose: Purpose) -> Result<Client<Connector, B>, Error>
    where
        B: Body + Send,
        B::Data: Send,
    {
        let target = self.endpoint.target().clone();
        let route = match &target {
            Target::Tcp { host, is_tls, .. } => self.proxy.route(*is_tls, host)?,
            Target::Unix(_) => Proxy::none().route(false, "")?,
        };
        #[cfg(feature = "tls")]
        let tls = match &target {
            Target::Tcp { host, is_tls, .. } if *is_tls => Some(self.tls.client(host, purpose)?),
            _ => None,
        };
        let connector = Connector::new(Way {
            target,
            purpose,
            route,
            #[cfg(feature = "tls")]
            tls,
            limit: self.connect_limit,
        });
        let mut client = Client::builder(TokioExecutor::new());
        client
            // hyper has no timers of its own: without `pool_timer` idle connections are never
            // closed, and without `timer` there are no pings.
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new());
        #[cfg(any(feature = "grpc", feature = "tls"))]
        client
            .http2_keep_alive_interval(KEEPALIVE_IDLE)
            // After both, a peer that has disappeared is detected as fast as TCP does it for
            // HTTP/1.1.
            .http2_keep_alive_timeout(UNACKNOWLEDGED.saturating_sub(KEEPALIVE_IDLE));
        #[cfg(feature = "tls")]
        // All requests share one connection, whose initial window of 64 KiB (RFC 9113, section
        // 6.9.2) would bound what it carries over a long distance.
        client.http2_adaptive_window(true);
        #[cfg(feature = "grpc")]
        if purpose == Purpose::Calls {
            // Each call has its own bound, and takes no buffer space from another.
            client
                // Without TLS no protocol is negotiated: HTTP/2 begins with the first byte (RFC
                // 9113, section 3.3).
                .http2_only(true)
                .http2_adaptive_window(false)
                .http2_initial_stream_window_size(CALL_WINDOW_BYTES)
                .http2_initial_connection_window_size(LARGEST_WINDOW);
        }
        Ok(client.build(connector))
    }

    fn header_map(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let agent = concat!("sandbox-process/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(SOURCE, HeaderValue::from_static("sdk-rust"));
        headers.insert(VERSION, HeaderValue::from_static(SDK_VERSION));
        for (name, value) in &self.headers {
            let invalid = |_: http::Error| {
                let message = format!("the header '{name}' cannot be sent");
                Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
            };
            let name = HeaderName::try_from(name).map_err(|error| invalid(error.into()))?;
            let value = HeaderValue::try_from(value)
                .map_err(|error: header::InvalidHeaderValue| invalid(error.into()))?;
            // `insert` replaces the defaults above.
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// The version of Daytona's SDKs that requests report, since daemons respond in the form that this version understands.
pub const SDK_VERSION: &str = "0.226.1";

/// The largest window of HTTP/2.
#[cfg(feature = "grpc")]
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

const SOURCE: HeaderName = HeaderName::from_static("x-daytona-source");

const VERSION: HeaderName = HeaderName::from_static("x-daytona-sdk-version");

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
