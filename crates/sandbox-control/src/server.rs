//! The listener and its life.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use sandbox_provider::Provider;

/// What a server listens on and lets in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The address of its listener.
    pub listen: SocketAddr,
    /// The key that every request must bear.
    pub key: String,
}

impl Config {
    /// A server on `listen` with this key.
    pub fn new(listen: SocketAddr, key: impl Into<String>) -> Self {
        Self {
            listen,
            key: key.into(),
        }
    }
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
}

/// The control plane over a provider.
#[derive(Debug)]
pub struct Server<P> {
    provider: Arc<P>,
    listener: tokio::net::TcpListener,
}

impl<P: Provider> Server<P> {
    /// Listens.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`].
    pub async fn bind(config: Config, provider: Arc<P>) -> Result<Self, ServeError> {
        let address = config.listen;
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { provider, listener })
    }

    /// Serves until `shutdown` resolves. Sandboxes run on.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let Self { provider, listener } = self;
        shutdown.await;
        drop((provider, listener));
    }
}
