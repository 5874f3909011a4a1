//! The SSH gateway: shells, commands, files and ports of sandboxes, for SSH clients with the token of an access.
//!
//! A client presents the token as its user name. What it then opens on its connection reaches the sandbox of the token and nothing else:
//! commands run through the sandbox's daemon, and forwarded ports are those of the sandbox's loopback interface.

mod access;
mod command;
mod connection;
mod cut;
mod forward;
mod handler;
mod host_key;
mod session;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::{HashAlg, PrivateKey};
use russh::server::Config as Protocol;
use russh::{MethodKind, MethodSet, SshId};
use sandbox_daemon::doors::{Slots, prepare};
use sandbox_daemon::limits::ACCEPT_PAUSE;
use sandbox_provider::Provider;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use self::access::Accesses;
use self::connection::Connection;
use crate::limits::{
    SSH_ATTEMPTS, SSH_CONNECTIONS, SSH_HANDSHAKE, SSH_KEEPALIVE, SSH_KEEPALIVES, SSH_MESSAGES,
    SSH_REJECTION, SSH_WINDOW,
};
use crate::shared::Shared;

/// The configuration of the SSH gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SshConfig {
    /// The address of its listener.
    pub listen: SocketAddr,
    /// The file with the gateway's private key, in OpenSSH's format. If there is none, an Ed25519 key is generated and stored there
    /// with mode 0600.
    pub host_key: PathBuf,
}

impl SshConfig {
    /// Returns a configuration with these required values.
    pub fn new(listen: SocketAddr, host_key: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            host_key: host_key.into(),
        }
    }
}

/// Where clients reach the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// The fingerprint of its key, as OpenSSH shows it.
    pub(crate) fingerprint: String,
}

/// The gateway, bound to its address.
pub(crate) struct Gateway {
    listener: TcpListener,
    place: Place,
    protocol: Arc<Protocol>,
}

impl Gateway {
    /// Binds the address, and reads the key or generates it.
    pub(crate) async fn bind(config: SshConfig) -> io::Result<Self> {
        let path = config.host_key;
        let key = tokio::task::spawn_blocking(move || host_key::load(&path));
        let key = key.await.map_err(io::Error::other)??;
        let listener = TcpListener::bind(config.listen).await?;
        let place = Place {
            address: listener.local_addr()?,
            fingerprint: key.public_key().fingerprint(HashAlg::Sha256).to_string(),
        };
        Ok(Self {
            listener,
            place,
            protocol: Arc::new(protocol(key)),
        })
    }

    /// Returns where clients reach it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Accepts connections and serves each in a task of its own; never completes.
    pub(crate) async fn accept<P: Provider>(
        &self,
        shared: &Arc<Shared<P>>,
        shutdown: &watch::Sender<bool>,
    ) {
        let slots = Slots::new(SSH_CONNECTIONS, SSH_HANDSHAKE);
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    if let Err(error) = prepare(&stream) {
                        tracing::debug!(%error, "an SSH connection is of no use");
                        continue;
                    }
                    let connection = Connection {
                        shared: Arc::clone(shared),
                        protocol: Arc::clone(&self.protocol),
                        slot: Arc::new(slots.enter(peer.into()).await),
                        shutdown: shutdown.subscribe(),
                    };
                    tokio::spawn(connection.serve(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an SSH connection");
                    slots.evict();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Returns the bounds of the protocol.
fn protocol(key: PrivateKey) -> Protocol {
    Protocol {
        server_id: SshId::Standard("SSH-2.0-sandbox".into()),
        methods: MethodSet::from(&[MethodKind::None][..]),
        auth_rejection_time: SSH_REJECTION,
        max_auth_attempts: SSH_ATTEMPTS,
        keys: vec![key],
        window_size: SSH_WINDOW,
        channel_buffer_size: SSH_MESSAGES,
        // A connection without channels is closed by this server, and a client that is lost by its keepalives.
        inactivity_timeout: None,
        keepalive_interval: Some(SSH_KEEPALIVE),
        keepalive_max: SSH_KEEPALIVES,
        ..Protocol::default()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
