//! The configuration of a server.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{AUTO_STOP, CONNECTIONS, SHUTDOWN_GRACE};

/// The configuration of a server.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The address of its listener.
    pub listen: SocketAddr,
    /// The key that every request must bear.
    pub key: String,
    /// The URL of the server as its clients reach it, if a proxy is between. Default: what the request names as its host.
    pub public_url: Option<String>,
    /// Idle time until a sandbox is stopped whose request has no interval. Default: 15 minutes; `None` is never.
    pub auto_stop: Option<Duration>,
    /// Maximum number of open connections; more wait to be accepted. Default: 4096.
    pub connections: usize,
    /// The SSH gateway. Default: none; requests for an SSH access are then refused.
    #[cfg(feature = "ssh")]
    pub ssh: Option<crate::SshConfig>,
    /// Time that pending requests have at shutdown. Default: 5 s.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Returns a configuration with these required values and defaults for the rest.
    pub fn new(listen: SocketAddr, key: impl Into<String>) -> Self {
        Self {
            listen,
            key: key.into(),
            public_url: None,
            auto_stop: Some(AUTO_STOP),
            connections: CONNECTIONS,
            #[cfg(feature = "ssh")]
            ssh: None,
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}
