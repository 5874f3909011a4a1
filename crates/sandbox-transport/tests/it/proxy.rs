//! Connections through a proxy.

use std::process::Command;
use std::sync::{Arc, Mutex};

use sandbox_transport::{
    Delivery, ErrorKind, HttpTransport, LogOptions, LogSource, NoRetries, ProcessApi, Proxy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::daemon::{Daemon, read_all};
use crate::fake::{Fake, Script, json, kinds};

/// A proxy that knows one user, and what it was asked for.
pub(crate) struct TestProxy {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    /// Whatever host is asked for, `to` is what is connected to.
    pub(crate) async fn start(to: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(tunnel(stream, to, log.clone()));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://me:s3cret@{}", self.address)
    }
}

async fn tunnel(mut client: TcpStream, to: std::net::SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    // me:s3cret
    if !head.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n") {
        let refusal = b"HTTP/1.1 407 Who are you\r\n\r\n";
        return client.write_all(refusal).await.unwrap();
    }
    asked
        .lock()
        .unwrap()
        .push(head.lines().next().unwrap().to_owned());
    let mut host = TcpStream::connect(to).await.unwrap();
    client
        .write_all(b"HTTP/1.1 200 Here you are\r\nX: y\r\n\r\n")
        .await
        .unwrap();
    let _ = copy_bidirectional(&mut client, &mut host).await;
}

#[tokio::test]
async fn requests_and_sockets_go_through_a_proxy() {
    let daemon = Daemon::start().await;
    let address = daemon.url.strip_prefix("http://").unwrap().parse().unwrap();
    let proxy = TestProxy::start(address).await;
    let builder = HttpTransport::builder("http://sandbox.test:2280/id".parse().unwrap());
    let builder = builder.token("s3cret").retry(NoRetries);
    let client = builder
        .clone()
        .proxy(Proxy::http(&proxy.url()).unwrap())
        .build_http()
        .unwrap();
    client.version().await.unwrap();
    let log = client
        .follow_log(LogSource::Entrypoint, LogOptions::new())
        .await
        .unwrap();
    assert_eq!(read_all(log, 0).await.unwrap()[0], b"from the entrypoint\n");
    let asked = proxy.asked.lock().unwrap().clone();
    assert_eq!(asked, ["CONNECT sandbox.test:2280 HTTP/1.1"; 2]);

    let stranger = format!("http://{}", proxy.address);
    let client = builder
        .clone()
        .proxy(Proxy::http(&stranger).unwrap())
        .build_http()
        .unwrap();
    let error = client.version().await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Connect, Delivery::NotSent));
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        chain.extend([": ", &error.to_string()]);
        source = error.source();
    }
    assert!(chain.contains("the proxy refused: HTTP/1.1 407"), "{chain}");
    // Nothing listens where the proxy should be.
    let nowhere = Proxy::http("http://127.0.0.1:1").unwrap();
    let client = builder.proxy(nowhere).build_http().unwrap();
    let error = client.version().await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Connect, Delivery::NotSent));
}

/// Run by the test below in an environment of its own.
#[tokio::test]
#[ignore = "part of another test"]
async fn with_an_environment() {
    let url = std::env::var("TEST_URL").unwrap();
    let client = HttpTransport::builder(url.parse().unwrap())
        .retry(NoRetries)
        .build_http()
        .unwrap();
    assert_eq!(client.version().await.unwrap(), "v1");
}

#[tokio::test]
async fn the_environment_names_the_proxy() {
    let fake = Fake::start([Script::Answer(json(r#"{"version":"v1"}"#))]).await;
    let proxy = TestProxy::start(fake.address).await;
    let run = async |url: &str, variables: &[(&str, &str)]| {
        #[expect(
            clippy::disallowed_methods,
            reason = "an environment of its own takes a process of its own"
        )]
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "proxy::with_an_environment"]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command
                .env_remove(name)
                .env_remove(name.to_ascii_lowercase());
        }
        command.env("TEST_URL", url).envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let is_good = output.await.unwrap().status.success();
        (
            is_good,
            std::mem::take(&mut *proxy.asked.lock().unwrap()).len(),
        )
    };
    let url = proxy.url();
    let far = "http://sandbox.invalid";
    assert_eq!(run(far, &[("http_proxy", &url)]).await, (true, 1));
    assert_eq!(run(far, &[("ALL_PROXY", &url)]).await, (true, 1));
    assert_eq!(run(far, &[("https_proxy", &url)]).await, (false, 0));
    assert_eq!(
        run(far, &[("http_proxy", &url), ("no_proxy", "invalid")]).await,
        (false, 0)
    );
    assert_eq!(run(far, &[("http_proxy", "socks5://x")]).await, (false, 0));
    // This machine is reached directly.
    assert_eq!(run(&fake.url(), &[("http_proxy", &url)]).await, (true, 0));
}
