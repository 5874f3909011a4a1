//! Where a daemon is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;
use thiserror::Error;

/// Where a daemon is: `http://HOST[:PORT][/PREFIX]`, the same with `https`, or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    target: Target,
    /// What every request's path begins with; no slash at its end.
    prefix: String,
}

/// What is connected to.
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
    /// None of the forms.
    #[error("'{url}' is neither http[s]://HOST[:PORT][/PREFIX] nor unix:PATH")]
    Malformed {
        /// What was given.
        url: String,
    },
    /// TLS, which is not spoken without the feature `tls`.
    #[error("'{url}' needs TLS, which this build does not speak")]
    Tls {
        /// What was given.
        url: String,
    },
}

impl Endpoint {
    /// The daemon behind a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            target: Target::Unix(path.into()),
            prefix: String::new(),
        }
    }

    /// The socket's path, if that is where the daemon is.
    pub fn unix_path(&self) -> Option<&Path> {
        match &self.target {
            Target::Unix(path) => Some(path),
            Target::Tcp { .. } => None,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The URI of a route, as the HTTP library wants it.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        let (scheme, authority) = match &self.target {
            Target::Tcp {
                authority, is_tls, ..
            } => (scheme(*is_tls), authority.as_str()),
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
        if let Some(path) = url.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(malformed())
            } else {
                Ok(Self::unix(path))
            };
        }
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if cfg!(feature = "tls") => true,
            Some("https") => {
                return Err(EndpointError::Tls {
                    url: url.to_owned(),
                });
            }
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
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
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Tcp {
                authority, is_tls, ..
            } => write!(f, "{}://{authority}{}", scheme(*is_tls), self.prefix),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
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
}
