//! TLS configuration and connections.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Purpose, Stream};
use crate::{Delivery, Error, ErrorKind};

/// The TLS configuration for an `https://` daemon: the trusted authorities, and this client's certificate. The versions
/// are 1.2 and 1.3.
///
/// Default: the authorities that the platform trusts, and no certificate for the client.
#[derive(Clone)]
pub struct Tls {
    trusts_platform: bool,
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
}

struct Identity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            trusts_platform: true,
            roots: Vec::new(),
            identity: None,
        }
    }
}

impl Tls {
    /// Creates the default configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does not trust the platform's authorities.
    #[must_use]
    pub fn without_platform_roots(mut self) -> Self {
        self.trusts_platform = false;
        self
    }

    /// Trusts these authorities in addition: one or more certificates as PEM.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::InvalidInput`] if `pem` has no certificate or one cannot be read.
    pub fn root_certificates(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.roots.extend(certificates(pem)?);
        Ok(self)
    }

    /// Presents this certificate, followed by those between it and its authority, and proves it by this key; all as
    /// PEM.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::InvalidInput`] if one of the two cannot be read.
    pub fn identity(mut self, certificates_pem: &[u8], key_pem: &[u8]) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|error| invalid("the client's key cannot be read").with_source(error))?;
        let certificates = certificates(certificates_pem)?;
        self.identity = Some(Arc::new(Identity { certificates, key }));
        Ok(self)
    }

    /// Returns a TLS client for one host.
    pub(crate) fn client(&self, host: &str, purpose: Purpose) -> Result<Client, Error> {
        let unusable = |what: &str, error: tokio_rustls::rustls::Error| {
            invalid(&format!("{what} cannot be used")).with_source(error)
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| invalid("the daemon's host is no name for TLS").with_source(error))?;
        // Not the default of the process: there may be none, and rustls panics if it finds two.
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("TLS", error))?
            .with_root_certificates(self.roots()?);
        let mut config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => config
                .with_client_auth_cert(identity.certificates.clone(), identity.key.clone_key())
                .map_err(|error| unusable("the client's certificate", error))?,
        };
        config.alpn_protocols = match purpose {
            Purpose::Requests => vec![H2.to_vec(), b"http/1.1".to_vec()],
            // Offered alone: over HTTP/2, `Upgrade` does not exist (RFC 9113, section 8.6).
            Purpose::Sockets => vec![b"http/1.1".to_vec()],
            #[cfg(feature = "grpc")]
            Purpose::Calls => vec![H2.to_vec()],
        };
        Ok(Client {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        if self.trusts_platform {
            // Some of a platform's certificates may be malformed; the others are used.
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        for certificate in &self.roots {
            roots.add(certificate.clone()).map_err(|error| {
                invalid("an authority's certificate cannot be used").with_source(error)
            })?;
        }
        if roots.is_empty() {
            Err(invalid("there is no authority to trust"))
        } else {
            Ok(roots)
        }
    }
}

/// A TLS client for one host.
#[derive(Clone)]
pub(crate) struct Client {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<Stream> {
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        // A daemon that negotiates no protocol uses HTTP/1.1.
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        Ok(Stream::new(stream).h2(is_h2))
    }
}

const H2: &[u8] = b"h2";

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates =
        certificates.map_err(|error| invalid("a certificate cannot be read").with_source(error))?;
    // A file without any PEM section is parsed without an error.
    if certificates.is_empty() {
        Err(invalid("there is no certificate in the PEM"))
    } else {
        Ok(certificates)
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("trusts_platform", &self.trusts_platform)
            .field("roots", &self.roots.len())
            .field("has_identity", &self.identity.is_some())
            .finish()
    }
}
