//! A daemon that speaks TLS.

use std::sync::Arc;

use sandbox_daemon::{Access, Config, Tls};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::TestServer;

/// A server with a certificate of its own, and a client that trusts it.
pub(crate) async fn server(change: impl FnOnce(&mut Config)) -> (TestServer, TlsConnector) {
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (files.path().join("c"), files.path().join("k"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Tls::from_files(&certificate, &key, None).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(listen, Access::Open, directory, |config| {
        config.tls = Some(tls);
        change(config);
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    (server, TlsConnector::from(Arc::new(config)))
}
