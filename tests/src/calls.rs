//! Calls of the client, and of hyper alone, which benches compare.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sandbox_process::Process;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// Two connections to a server that responds to every command, on a runtime of their own.
#[derive(Debug)]
pub struct Calls {
    runtime: Runtime,
    process: Process,
    hyper: http1::SendRequest<Full<Bytes>>,
}

impl Calls {
    /// Connects to the server at this URL.
    ///
    /// # Panics
    ///
    /// Panics without a server there.
    pub fn connect(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let process = Process::connect(url).expect("a client");
        let address = url.strip_prefix("http://").expect("TCP");
        let hyper = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let handshake = http1::handshake(TokioIo::new(stream)).await;
            let (sender, connection) = handshake.expect("a connection");
            tokio::spawn(connection);
            sender
        });
        Self {
            runtime,
            process,
            hyper,
        }
    }

    /// Runs a command by the client.
    ///
    /// # Panics
    ///
    /// Panics without an outcome.
    pub fn ours(&mut self) {
        let run = async { self.process.exec("true").await };
        self.runtime.block_on(run).expect("an outcome");
    }

    /// Sends the same request by hyper alone.
    ///
    /// # Panics
    ///
    /// Panics without a response.
    pub fn bare(&mut self) {
        self.runtime.block_on(async {
            let request = Request::post("/process/execute")
                .header("host", "localhost")
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from_static(BODY)))
                .expect("a request");
            let response = self.hyper.send_request(request).await;
            let body = response.expect("a response").into_body();
            body.collect().await.expect("a body");
        });
    }
}

const BODY: &[u8] = br#"{"command":"true","splitOutput":true}"#;
