//! The addresses of daemons.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;
use sandbox_wire::unix;
use thiserror::Error;

/// A daemon's address, and the transport to reach it by.
///
/// Over HTTP: `http://HOST[:PORT][/PREFIX]`, the same with `https`, or `unix:PATH`. With the feature `grpc`, over gRPC:
/// `grpc://HOST[:PORT][/PREFIX]` in the clear, `grpcs://` by TLS, or `grpc+unix:PATH`. The default port is 80, and 443
/// with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    target: Target,
    /// The beginning of every request's path; no slash at its end.
    prefix: String,
    is_grpc: bool,
}

/// The peer of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp {
        authority: String,
        host: String,
        port: u16,
        is_tls: bool,
    },
    Unix(PathBuf),
}

/// A base URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The URL has none of the supported forms.
    #[error(
        "'{url}' is neither http[s]:// or grpc[s]://HOST[:PORT][/PREFIX] nor unix: or grpc+unix:PATH"
    )]
    Malformed {
        /// The URL that was given.
        url: String,
    },
    /// The URL needs TLS, which requires the feature `tls`.
    #[error("'{url}' needs TLS, which this build does not speak")]
    Tls {
        /// The URL that was given.
        url: String,
    },
    /// The URL needs gRPC, which requires the feature `grpc`.
    #[error("'{url}' needs gRPC, which this build does not speak")]
    Grpc {
        /// The URL that was given.
        url: String,
    },
}

impl Endpoint {
    /// Returns the endpoint of a daemon that listens on a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            target: Target::Unix(path.into()),
            prefix: String::new(),
            is_grpc: false,
        }
    }

    /// Returns the same address, over gRPC.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn over_grpc(mut self) -> Self {
        self.is_grpc = true;
        self
    }

    /// Returns whether the operations are sent over gRPC.
    pub fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    /// Returns the path of the daemon's Unix socket, or `None` if the daemon is reached by TCP.
    pub fn unix_path(&self) -> Option<&Path> {
        match &self.target {
            Target::Unix(path) => Some(path),
            Target::Tcp { .. } => None,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the URI of a route, as the HTTP library needs it.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        let (scheme, authority) = match &self.target {
            Target::Tcp {
                authority, is_tls, ..
            } => (scheme(*is_tls), authority.as_str()),
            // A request has a host (RFC 9112, section 3.2); the connector does not look at it.
            Target::Unix(_) => ("http", "localhost"),
        };
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let malformed = || EndpointError::Malformed {
            url: url.to_owned(),
        };
        let is_grpc = url.starts_with("grpc");
        // Before anything else is checked, so that the reason is the build, and not the form of the
        // URL.
        if is_grpc && !cfg!(feature = "grpc") {
            return Err(EndpointError::Grpc {
                url: url.to_owned(),
            });
        }
        let plain = url.strip_prefix("grpc+").unwrap_or(url);
        if let Some(path) = unix::path(plain) {
            return if path.is_empty() {
                Err(malformed())
            } else {
                Ok(Self {
                    is_grpc,
                    ..Self::unix(path)
                })
            };
        }
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let is_tls = match uri.scheme_str() {
            Some("http" | "grpc") => false,
            Some("https" | "grpcs") if cfg!(feature = "tls") => true,
            Some("https" | "grpcs") => {
                return Err(EndpointError::Tls {
                    url: url.to_owned(),
                });
            }
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        // Neither a query nor a user and password would be sent, so that they are refused instead
        // of dropped.
        if uri.query().is_some() || authority.as_str().contains('@') || authority.host().is_empty()
        {
            return Err(malformed());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        Ok(Self {
            target: Target::Tcp {
                authority: authority.as_str().to_owned(),
                host: host.to_owned(),
                port: authority
                    .port_u16()
                    .unwrap_or(if is_tls { 443 } else { 80 }),
                is_tls,
            },
            // Every route begins with a slash.
            prefix: uri.path().trim_end_matches('/').to_owned(),
            is_grpc,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Tcp {
                authority, is_tls, ..
            } => {
                let scheme = match (self.is_grpc, is_tls) {
                    (false, is_tls) => scheme(*is_tls),
                    (true, false) => "grpc",
                    (true, true) => "grpcs",
                };
                write!(f, "{scheme}://{authority}{}", self.prefix)
            }
            Target::Unix(path) => {
                let carrier = if self.is_grpc { "grpc+" } else { "" };
                write!(f, "{carrier}{}", unix::url(path))
            }
        }
    }
}

fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, route: &str) {
        let endpoint: Endpoint = url.parse().unwrap();
        assert_eq!(
            endpoint.uri("/version").unwrap().to_string(),
            route,
            "{url}"
        );
    }

    #[test]
    fn base_urls_are_read() {
        check("http://127.0.0.1:2280", "http://127.0.0.1:2280/version");
        check("http://[::1]:2280/", "http://[::1]:2280/version");
        check("http://host/a/b/", "http://host/a/b/version");
        check("unix:/run/x.sock", "http://localhost/version");
        if cfg!(feature = "tls") {
            check("https://host/id", "https://host/id/version");
        } else {
            let refused = "https://host".parse::<Endpoint>();
            assert!(matches!(refused, Err(EndpointError::Tls { .. })));
        }
        assert_eq!("unix:///run/x".parse(), Ok(Endpoint::unix("/run/x")));
        let double = Endpoint::unix("//run/x");
        assert_eq!(double.to_string().parse(), Ok(double));
        assert_eq!(
            "http://h:1/p/".parse::<Endpoint>().unwrap().to_string(),
            "http://h:1/p"
        );
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "",
            "127.0.0.1:2280",
            "ftp://x",
            "http://",
            "unix:",
            "http://h?q",
            "http://u@h",
            #[cfg(feature = "grpc")]
            "grpc://",
            #[cfg(feature = "grpc")]
            "grpc:x",
            #[cfg(feature = "grpc")]
            "grpc+unix:",
            #[cfg(feature = "grpc")]
            "grpc+http://h",
        ] {
            assert!(
                matches!(
                    bad.parse::<Endpoint>(),
                    Err(EndpointError::Malformed { .. })
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_url_names_the_carrier() {
        let read = |url: &str| url.parse::<Endpoint>();
        if !cfg!(feature = "grpc") {
            assert!(matches!(
                read("grpc://h:1"),
                Err(EndpointError::Grpc { .. })
            ));
            return;
        }
        check("grpc://[::1]:2280/id/", "http://[::1]:2280/id/version");
        check("grpc+unix:/run/x.sock", "http://localhost/version");
        for url in ["grpc://h:1/p", "grpc+unix:/run/x"] {
            let endpoint = read(url).unwrap();
            assert!(endpoint.is_grpc(), "{url}");
            assert_eq!(endpoint.to_string(), url);
        }
        if cfg!(feature = "tls") {
            check("grpcs://host", "https://host/version");
            assert_eq!(read("grpcs://host").unwrap().to_string(), "grpcs://host");
        }
        assert!(!read("http://h:1").unwrap().is_grpc());
    }
}
