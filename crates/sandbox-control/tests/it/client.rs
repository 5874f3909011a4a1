//! A server of the test's own, and a client of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sandbox_control::{Config, Server};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::daemons::Daemons;

/// The key of all servers here.
pub(crate) const KEY: &str = "key-of-the-test";

/// A server that ends with the test.
pub(crate) struct Control {
    pub(crate) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Control {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), KEY);
        config.shutdown_grace = Duration::ZERO;
        change(&mut config);
        let server = Server::bind(config, Arc::clone(&Daemons::new())).await;
        let server = server.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            _stop: stop,
        }
    }

    /// Sends a request with the key.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let bearer = format!("Bearer {KEY}");
        let headers = [(header::AUTHORIZATION.as_str(), bearer.as_str())];
        self.send_with(method, path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// Sends a request with exactly these headers, and a host unless it is among them.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Sends text as it is, and returns what comes back until the connection ends.
    pub(crate) async fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Creates a sandbox and returns its id.
    pub(crate) async fn create(&self, wanted: &Value) -> String {
        let created = self.post("/api/sandbox", wanted).await;
        assert_eq!(created.status, 200, "{created:?}");
        created.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Holds the envelope of an error.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) {
        let envelope = self.json();
        assert_eq!(self.status, status, "{envelope}");
        assert_eq!(envelope["statusCode"], status, "{envelope}");
        assert_eq!(envelope["code"], code, "{envelope}");
        let found = envelope["message"].as_str().unwrap();
        assert!(found.contains(message), "{envelope}");
        assert!(self.headers.contains_key("x-request-id"));
    }
}
