//! The listener and its life.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbox_daemon::doors::{Slots, prepare};
use sandbox_daemon::limits::{ACCEPT_PAUSE, FIRST_REQUEST};
use sandbox_daemon::{Token, TokenError};
use sandbox_provider::{Error as ProviderError, Provider};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::automatic;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::Connection;
use crate::router::Router;
use crate::shared::Shared;

/// The control plane over a provider, bound to its address.
///
/// Connections are accepted while it is [served](Self::serve); until then they wait.
#[derive(Debug)]
pub struct Server<P> {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<P>>,
    router: Arc<Router<P>>,
    connections: usize,
    shutdown_grace: Duration,
    #[cfg(feature = "ssh")]
    ssh: Option<crate::ssh::Gateway>,
}

/// An error that prevented a server from listening.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The SSH gateway cannot be used: its address or the file of its key.
    #[cfg(feature = "ssh")]
    #[error("cannot serve SSH on {address}")]
    Ssh {
        /// Its address.
        address: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The key cannot be one.
    #[error("the key cannot be used")]
    Key(#[from] TokenError),
    /// The provider does not list its sandboxes.
    #[error("cannot list the sandboxes")]
    Provider(#[from] ProviderError),
}

impl<P: Provider> Server<P> {
    /// Binds the address, and reads which sandboxes there are.
    ///
    /// # Errors
    ///
    /// Returns [`ServeError::Key`] for a key that is empty or that no header could contain, [`ServeError::Listen`] if the address
    /// cannot be bound, and [`ServeError::Provider`] if the provider cannot list its sandboxes.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is bound if the future is dropped.
    pub async fn bind(config: Config, provider: Arc<P>) -> Result<Self, ServeError> {
        let key = Token::new(&config.key)?;
        let address = config.listen;
        let listen = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let listening = listen.await;
        let (listener, address) =
            listening.map_err(|source| ServeError::Listen { address, source })?;
        #[cfg_attr(not(feature = "ssh"), expect(unused_mut, reason = "for the gateway"))]
        let mut shared = Shared::new(config.auto_stop, key, provider, Clock::new());
        #[cfg(feature = "ssh")]
        let ssh = match config.ssh {
            Some(ssh) => {
                let address = ssh.listen;
                let gateway = crate::ssh::Gateway::bind(ssh).await;
                let gateway = gateway.map_err(|source| ServeError::Ssh { address, source })?;
                shared.ssh_place = Some(gateway.place().clone());
                Some(gateway)
            }
            None => None,
        };
        for sandbox in shared.provider.list().await? {
            let last = shared.activity.last(&sandbox.id);
            shared.timers.restore(&sandbox, last, SystemTime::now());
        }
        let shared = Arc::new(shared);
        let is_local = config.listen.ip().is_loopback() && config.public_url.is_none();
        let router = Router::new(Arc::clone(&shared), is_local, config.public_url);
        Ok(Self {
            listener,
            address,
            shared,
            router: Arc::new(router),
            connections: config.connections,
            shutdown_grace: config.shutdown_grace,
            #[cfg(feature = "ssh")]
            ssh,
        })
    }

    /// Returns the address that the server listens on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the SSH gateway, with the port that the system chose, and the fingerprint of its key.
    #[cfg(feature = "ssh")]
    pub fn ssh(&self) -> Option<(SocketAddr, &str)> {
        let place = self.ssh.as_ref()?.place();
        Some((place.address, &place.fingerprint))
    }

    /// Serves until `shutdown` resolves; pending requests then have some time. Sandboxes run on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener immediately. Connections run on to their own ends.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        // Every connection, and every tunnel that one became, holds a receiver.
        let (begun, _) = watch::channel(false);
        let slots = Slots::new(self.connections, FIRST_REQUEST);
        let accept = accept(&self.listener, &self.router, &slots, &begun);
        tokio::select! {
            () = accept => {}
            () = self.accept_ssh(&begun) => {}
            () = automatic::act_when_due(Arc::clone(&self.shared)) => {}
            () = automatic::follow(Arc::clone(&self.shared)) => {}
            () = shutdown => {}
        }
        drop(self.listener);
        #[cfg(feature = "ssh")]
        drop(self.ssh);
        begun.send_replace(true);
        let ended = pin!(begun.closed());
        if tokio::time::timeout(self.shutdown_grace, ended)
            .await
            .is_err()
        {
            tracing::debug!("closing connections that do not end");
        }
    }

    /// Accepts SSH connections, if there is a gateway; never completes.
    async fn accept_ssh(&self, shutdown: &watch::Sender<bool>) {
        #[cfg(feature = "ssh")]
        if let Some(gateway) = &self.ssh {
            gateway.accept(&self.shared, shutdown).await;
        }
        let _ = shutdown;
        std::future::pending().await
    }
}

/// Accepts connections and serves each in a task of its own; never completes.
async fn accept<P: Provider>(
    listener: &TcpListener,
    router: &Arc<Router<P>>,
    slots: &Slots,
    shutdown: &watch::Sender<bool>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%error, "a connection is of no use");
                    continue;
                }
                let slot = slots.enter(peer.into()).await;
                let connection = Connection::new(Arc::clone(router), slot, shutdown.subscribe());
                tokio::spawn(connection.serve(stream));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // A connection without a request holds a descriptor that another could use.
                slots.evict();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
