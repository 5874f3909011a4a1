//! Accepts connections, and shuts down gracefully.

use std::future::Future;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sandbox_engine::Engine;
use sandbox_engine::isolation::Network;
use thiserror::Error;
use tokio::sync::watch;

use crate::accept::Accept;
use crate::limits::{DESCRIPTORS_PER_CONNECTION, SHUTDOWN_RESPONSES};
use crate::listener::Listener;
use crate::router::Router;
use crate::service::State;
use crate::slots::Slots;
use crate::{Access, Config, EntrypointError, Listen, entrypoint};

/// A server that is bound to its address.
///
/// Connections are accepted while it is [served](Self::serve); until then they wait. Dropping it closes the socket and
/// removes its file.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    address: Listen,
    router: Arc<Router>,
    engine: Engine,
    shutdown_grace: Duration,
    connections: usize,
    first_request: Duration,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
}

/// An error that prevented a server from listening.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The server would let any host on the network run commands.
    #[error("refusing to listen on {address} without an access token")]
    OpenToNetwork {
        /// The address that was to be listened on.
        address: Listen,
    },
    /// The processes that the server isolates have the machine's network, and so could run commands through the server.
    #[error("refusing to listen on {address} without an access token: isolated processes reach it")]
    OpenToIsolated {
        /// The address that was to be listened on.
        address: Listen,
    },
    /// The socket cannot be created.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was to be listened on.
        address: Listen,
        /// The error of the system.
        source: io::Error,
    },
    /// The entrypoint cannot be started.
    #[error("cannot start the entrypoint")]
    Entrypoint(#[from] EntrypointError),
}

impl Server {
    /// Binds the address, and starts the entrypoint if there is one.
    ///
    /// # Errors
    ///
    /// Returns a [`BindError`] if either fails; nothing is bound then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, nothing is bound. An entrypoint that has started runs on as a session of the engine.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let open = matches!(config.access, Access::Open);
        // What is inherited is a Unix socket, whatever the address says.
        let is_tcp = matches!(config.listen, Listen::Tcp(_)) && config.inherited.is_none();
        // An abstract socket belongs to a network, and admits this user's processes.
        let is_abstract = |path: &Path| path.as_os_str().as_bytes().starts_with(b"\0");
        let is_reachable = open
            && match &config.listen {
                Listen::Tcp(_) => true,
                Listen::Unix(path) => is_abstract(path),
            };
        let isolation = config.engine.isolation();
        if is_reachable && isolation.is_some_and(|it| it.network() == Network::Host) {
            return Err(BindError::OpenToIsolated {
                address: config.listen,
            });
        }
        let browsers_reach_it = is_tcp && open;
        if let Listen::Tcp(address) = &config.listen
            && browsers_reach_it
            && !address.ip().is_loopback()
        {
            return Err(BindError::OpenToNetwork {
                address: config.listen,
            });
        }
        let inherited = config.inherited;
        let listening = async {
            let listener = match inherited {
                Some(socket) => Listener::inherited(socket, &config.listen)?,
                None => Listener::bind(&config.listen).await?,
            };
            let address = listener.address()?;
            Ok((listener, address))
        };
        let (listener, address) = listening.await.map_err(|source| BindError::Listen {
            address: config.listen,
            source,
        })?;
        // After the address is bound: a daemon that cannot listen leaves no entrypoint running.
        if let Some(argv) = &config.entrypoint {
            entrypoint::start(&config.engine, argv).await?;
        }
        let state = State::new(config.engine.clone(), is_reachable);
        Ok(Self {
            listener,
            address,
            router: Arc::new(Router::new(state, config.access, browsers_reach_it)),
            engine: config.engine,
            shutdown_grace: config.shutdown_grace,
            // A connection that is accepted must be able to open what its requests need.
            connections: config.connections.min(spare_descriptors()),
            first_request: config.first_request,
            #[cfg(feature = "tls")]
            tls: config.tls,
        })
    }

    /// Returns the address that the server listens on, with the port that the system chose.
    pub fn address(&self) -> &Listen {
        &self.address
    }

    /// Returns the URL for clients: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`.
    pub fn url(&self) -> String {
        let url = self.address.to_string();
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return url.replacen("http://", "https://", 1);
        }
        url
    }

    /// Serves requests until `shutdown` resolves, and then shuts down gracefully: no new connections, the end of streams that
    /// follow a log, a grace period for pending requests, TERM and KILL for processes that still run, their responses, the end.
    ///
    /// There is no error to return: a connection that cannot be accepted is logged, and the next one is served.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener immediately. Connections and processes run on to their own ends.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        // Every connection, and everything derived from one, holds a receiver.
        let (begun, _) = watch::channel(false);
        let accept = Accept {
            listener: &self.listener,
            router: &self.router,
            slots: Slots::new(self.connections, self.first_request),
            shutdown: &begun,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        };
        tokio::select! {
            () = accept.run() => {}
            () = shutdown => {}
        }
        // It borrows the listener, which is closed next, so that new connections are refused.
        drop(accept);
        tracing::info!("shutting down");
        drop(self.listener);
        begun.send_replace(true);
        // Resolves when the last receiver is dropped: with the last connection, or what it was
        // upgraded to.
        let mut ended = pin!(begun.closed());
        let in_time = tokio::time::timeout(self.shutdown_grace, &mut ended)
            .await
            .is_ok();
        self.engine.shutdown().await;
        if !in_time
            && tokio::time::timeout(SHUTDOWN_RESPONSES, ended)
                .await
                .is_err()
        {
            tracing::warn!("closing connections that do not end");
        }
    }
}

/// Returns how many connections leave enough descriptors for the processes of their clients.
fn spare_descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let descriptors = limit.current.and_then(|current| current.try_into().ok());
    let descriptors = descriptors.unwrap_or(usize::MAX);
    (descriptors / DESCRIPTORS_PER_CONNECTION).max(1)
}
