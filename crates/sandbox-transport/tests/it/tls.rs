//! TLS, and what is agreed upon by it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sandbox_transport::{
    Delivery, ErrorKind, HttpTransport, LogOptions, LogSource, NoRetries, ProcessApi, Proxy, Tls,
    TransportBuilder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::fake::{Fake, Script, accept, kinds, read_request};
use crate::proxy::TestProxy;

/// An authority, and what it certified.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Certified {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Certified { certificate, key }
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, name: &str, protocols: &[&str], asks_clients: bool) -> TlsAcceptor {
        let Certified { certificate, key } = self.certify(name);
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = if asks_clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            config.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = config
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Responds to requests with the version of HTTP that they came by, and makes WebSockets of those that ask for one.
async fn serve(stream: TlsStream<TcpStream>) {
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if is_h2 {
        let service = service_fn(async |request: http::Request<hyper::body::Incoming>| {
            let body = format!(
                r#"{{"version":"{:?} {}"}}"#,
                request.version(),
                request.uri()
            );
            Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(body))))
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
        return;
    }
    let mut stream = stream;
    while let Some(request) = read_request(&mut stream).await {
        if request.header("upgrade").is_some() {
            let mut web = accept(stream, &request, None).await;
            let message = tokio_tungstenite::tungstenite::Message::Binary(Bytes::from_static(
                b"\x01\x01\x01by TLS",
            ));
            futures_util::SinkExt::send(&mut web, message)
                .await
                .unwrap();
            let _ = web.close(None).await;
            while let Some(Ok(_)) = futures_util::StreamExt::next(&mut web).await {}
            return;
        }
        let answer = crate::fake::json(r#"{"version":"HTTP/1.1"}"#);
        tokio::io::AsyncWriteExt::write_all(&mut stream, &answer)
            .await
            .unwrap();
    }
}

/// Where a server is, that goes on for as long as the test.
async fn start(acceptor: TlsAcceptor) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream).await;
                }
            });
        }
    });
    address
}

fn builder(url: &str) -> TransportBuilder {
    HttpTransport::builder(url.parse().unwrap()).retry(NoRetries)
}

fn trusting(authority: &Authority) -> Tls {
    let tls = Tls::new().without_platform_roots();
    tls.root_certificates(authority.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_daemon_is_trusted_by_its_authority() {
    let authority = Authority::new();
    let address = start(authority.acceptor("localhost", &[], false)).await;
    let url = format!("https://localhost:{}", address.port());
    let client = builder(&url)
        .tls(trusting(&authority))
        .build_http()
        .unwrap();
    assert_eq!(client.version().await.unwrap(), "HTTP/1.1");
    let log = client
        .follow_log(LogSource::Entrypoint, LogOptions::new())
        .await
        .unwrap();
    let outputs = crate::daemon::read_all(log, 0).await.unwrap();
    assert_eq!(outputs[0], b"by TLS");

    // Another authority, another name, and a daemon that does not speak TLS.
    let other = builder(&url)
        .tls(trusting(&Authority::new()))
        .build_http()
        .unwrap();
    let by_number = format!("https://127.0.0.1:{}", address.port());
    let misnamed = builder(&by_number)
        .tls(trusting(&authority))
        .build_http()
        .unwrap();
    let plain = Fake::start([Script::ReadThenClose(5)]).await;
    let plain = format!("https://localhost:{}", plain.address.port());
    let plain = builder(&plain)
        .tls(trusting(&authority))
        .build_http()
        .unwrap();
    for client in [other, misnamed, plain] {
        let error = client.version().await.unwrap_err();
        assert_eq!(
            kinds(&error),
            (ErrorKind::Connect, Delivery::NotSent),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let authority = Authority::new();
    let address = start(authority.acceptor("localhost", &["h2", "http/1.1"], false)).await;
    let url = format!("https://localhost:{}/id", address.port());
    let client = builder(&url)
        .tls(trusting(&authority))
        .build_http()
        .unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.version().await.unwrap() })
        })
        .collect();
    for call in calls {
        let expect = format!("HTTP/2.0 {url}/version");
        assert_eq!(call.await.unwrap(), expect);
    }
    // A WebSocket needs HTTP/1.1, which is agreed upon for it alone.
    let log = client
        .follow_log(LogSource::Entrypoint, LogOptions::new())
        .await
        .unwrap();
    let outputs = crate::daemon::read_all(log, 0).await.unwrap();
    assert_eq!(outputs[0], b"by TLS");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    let address = start(authority.acceptor("localhost", &[], true)).await;
    let url = format!("https://localhost:{}", address.port());
    let known = authority.certify("a client");
    let pem = known.certificate.pem();
    let identified = trusting(&authority)
        .identity(pem.as_bytes(), known.key.serialize_pem().as_bytes())
        .unwrap();
    let client = builder(&url).tls(identified).build_http().unwrap();
    client.version().await.unwrap();
    let stranger = builder(&url)
        .tls(trusting(&authority))
        .build_http()
        .unwrap();
    let error = stranger.version().await.unwrap_err();
    // With TLS 1.3 the refusal comes after the client's first request.
    assert!(
        matches!(error.kind(), ErrorKind::Closed | ErrorKind::Connect),
        "{error:?}"
    );

    let other = Authority::new().certify("another");
    let key = other.key.serialize_pem();
    let mismatched = trusting(&authority)
        .identity(pem.as_bytes(), key.as_bytes())
        .unwrap();
    let error = builder(&url).tls(mismatched).build_http().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
}

#[tokio::test]
async fn tls_goes_through_a_proxy() {
    let authority = Authority::new();
    let address = start(authority.acceptor("sandbox.test", &["h2"], false)).await;
    let proxy = TestProxy::start(address).await;
    let client = builder("https://sandbox.test")
        .tls(trusting(&authority))
        .proxy(Proxy::http(&proxy.url()).unwrap())
        .build_http()
        .unwrap();
    assert_eq!(
        client.version().await.unwrap(),
        "HTTP/2.0 https://sandbox.test/version"
    );
    assert_eq!(
        *proxy.asked.lock().unwrap(),
        ["CONNECT sandbox.test:443 HTTP/1.1"]
    );
}

#[test]
fn certificates_that_are_none() {
    let pem = Authority::new().pem();
    for bad in [
        "",
        "junk",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        let roots = Tls::new().root_certificates(bad.as_bytes()).unwrap_err();
        let identity = Tls::new()
            .identity(pem.as_bytes(), bad.as_bytes())
            .unwrap_err();
        for error in [roots, identity] {
            assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
        }
    }
    let nobody = Tls::new().without_platform_roots();
    let error = builder("https://localhost")
        .tls(nobody)
        .build_http()
        .unwrap_err();
    assert_eq!(error.to_string(), "there is no authority to trust");
    assert_eq!(
        format!("{:?}", Tls::new()),
        "Tls { trusts_platform: true, roots: 0, has_identity: false }"
    );
}
