//! The configuration of a server.

use std::ffi::OsString;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sandbox_engine::Engine;
use sandbox_wire::unix;
use thiserror::Error;

use crate::Token;
use crate::limits::{CONNECTIONS, FIRST_REQUEST, SHUTDOWN_GRACE};

/// The configuration of a server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The address that the server listens on.
    pub listen: Listen,
    /// A Unix socket that listens already, in the place of `listen`, which is then only reported as the address. Default: none.
    ///
    /// Every process that can connect to it is a client: restricting that is up to the owner of the socket's file, whose user may
    /// have no number in this process's user namespace.
    pub inherited: Option<UnixListener>,
    /// The authorization that requests need.
    pub access: Access,
    /// The engine that runs commands and code.
    pub engine: Engine,
    /// The TLS configuration. Default: none, the server speaks plain HTTP.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::Tls>,
    /// A command to start, with its arguments, in a dedicated session; its output is the log of the session `entrypoint`.
    /// Default: none.
    pub entrypoint: Option<Vec<OsString>>,
    /// Time that pending requests have at shutdown before the processes that they run are ended. Default: 5 s.
    pub shutdown_grace: Duration,
    /// Maximum number of open connections; more wait to be accepted. Default: 4096, or half of the
    /// descriptors that the process may have, if that is less.
    pub connections: usize,
    /// Longest time between the acceptance of a connection and its first admitted request.
    /// Default: 30 s.
    pub first_request: Duration,
}

impl Config {
    /// Returns a configuration with these required values and defaults for the rest.
    pub fn new(listen: Listen, access: Access, engine: Engine) -> Self {
        Self {
            listen,
            inherited: None,
            access,
            engine,
            #[cfg(feature = "tls")]
            tls: None,
            entrypoint: None,
            shutdown_grace: SHUTDOWN_GRACE,
            connections: CONNECTIONS,
            first_request: FIRST_REQUEST,
        }
    }
}

/// An address to listen on: `HOST:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address. Port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// A Unix socket, created with mode 0600. A path that begins with a NUL is a name in the abstract
    /// namespace, which is not a file and ends with the daemon.
    Unix(PathBuf),
}

/// The authorization that a server requires.
#[derive(Debug, Clone)]
pub enum Access {
    /// Requests must present this token.
    Token(Token),
    /// Every client that can connect is admitted. Allowed only on a Unix socket or a loopback address.
    Open,
}

/// A listen address that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{text}' is neither HOST:PORT nor unix:PATH")]
pub struct ListenParseError {
    text: String,
}

impl ListenParseError {
    /// Returns whether the text looks like the path of a socket.
    pub fn is_path(&self) -> bool {
        self.text.starts_with(['/', '.'])
    }
}

impl FromStr for Listen {
    type Err = ListenParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ListenParseError {
            text: text.to_owned(),
        };
        if let Some(path) = unix::path(text) {
            return match path {
                "" => Err(error()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        // Resolves `localhost`; a numeric address needs no lookup.
        let mut addresses = text.to_socket_addrs().map_err(|_| error())?;
        addresses.next().map(Self::Tcp).ok_or_else(error)
    }
}

impl fmt::Display for Listen {
    /// Formats the address as a client's base URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => f.write_str(&unix::url(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(
            "127.0.0.1:2280".parse(),
            Ok(Listen::Tcp(([127, 0, 0, 1], 2280).into()))
        );
        assert!(matches!("[::1]:0".parse(), Ok(Listen::Tcp(_))));
        for text in ["unix:/run/x", "unix:///run/x"] {
            assert_eq!(text.parse(), Ok(Listen::Unix("/run/x".into())));
        }
        for bad in [
            "",
            "2280",
            "127.0.0.1",
            "unix:",
            "127.0.0.1:99999",
            "http://x",
        ] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}
