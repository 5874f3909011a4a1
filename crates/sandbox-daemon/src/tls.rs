//! TLS connections.

use std::error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::connection::Socket;
use crate::limits::TLS_HANDSHAKE;

/// The certificate of a server, and the authorities that certify its clients. Versions 1.2 and 1.3 are supported.
///
/// A client's certificate is required in addition to the access token, not instead of it.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// An error that prevents the use of TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM, or lacks the expected items.
    #[error("cannot read {what} in {}", path.display())]
    Pem {
        /// The items that the file should contain.
        what: &'static str,
        /// The file that cannot be used.
        path: PathBuf,
        /// The error of the parser.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The certificate and the key cannot be used.
    #[error("the certificate and its key cannot be used")]
    Identity(#[source] Box<dyn error::Error + Send + Sync>),
    /// The authority that certifies clients cannot be used.
    #[error("the authority of the clients cannot be used")]
    ClientAuthority(#[source] Box<dyn error::Error + Send + Sync>),
}

impl Tls {
    /// Reads PEM files: the server's certificate followed by its chain, its key, and the authorities, one of which must have
    /// certified each client; without them clients need no certificate.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] if a file cannot be read or used.
    pub fn from_files(
        certificate: &Path,
        key: &Path,
        client_authority: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
            what: "a private key",
            path: key.to_owned(),
            source: source.into(),
        })?;
        let identity = |error: rustls::Error| TlsError::Identity(error.into());
        // Not the default of the process: there may be none, and rustls panics if it finds two.
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(identity)?;
        let config = match client_authority {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(identity)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = verifier.build();
                config.with_client_cert_verifier(
                    verifier.map_err(|error| TlsError::ClientAuthority(error.into()))?,
                )
            }
        };
        let mut config = config.with_single_cert(chain, key).map_err(identity)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if cfg!(feature = "grpc") {
            // The first is preferred. HTTP/2 is there for gRPC.
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Performs the handshake on a connection; `None` if it fails or takes too long.
    pub(crate) async fn accept(&self, socket: Socket) -> Option<TlsStream<Socket>> {
        match timeout(TLS_HANDSHAKE, self.0.accept(socket)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |source: pem::Error| TlsError::Pem {
        what: "a certificate",
        path: path.to_owned(),
        source: source.into(),
    };
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(error)?
        .collect::<Result<_, _>>()
        .map_err(error)?;
    if all.is_empty() {
        Err(error(pem::Error::NoItemsFound))
    } else {
        Ok(all)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
