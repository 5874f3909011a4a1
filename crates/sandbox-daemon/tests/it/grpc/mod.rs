//! gRPC, as a client that is not ours sees it: calls over a bare connection of HTTP/2.
//!
//! That its operations give what HTTP's give is another suite's, which runs both through the client.

mod code;
mod doors;
mod exec;
mod files;
mod flow;
mod session;

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sandbox_wire::GRPC_ERROR_CODE_KEY;
use sandbox_wire::pb::exec_service_client::ExecServiceClient;
use sandbox_wire::pb::files_service_client::FilesServiceClient;
use sandbox_wire::pb::info_service_client::InfoServiceClient;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::client::{Stream, TestServer};

/// A connection. Calls of its clones share it.
#[derive(Clone)]
pub(crate) struct Channel {
    sender: http2::SendRequest<Body>,
    /// Stands in front of each path.
    prefix: &'static str,
    token: Option<&'static str>,
}

impl Channel {
    async fn to(server: &TestServer) -> Self {
        Self::over(server.connect().await).await
    }

    pub(crate) async fn over(stream: Box<dyn Stream>) -> Self {
        let handshake = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(1024 * WINDOW)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            prefix: "",
            token: None,
        }
    }

    fn exec(&self) -> ExecServiceClient<Self> {
        ExecServiceClient::new(self.clone())
    }

    fn files(&self) -> FilesServiceClient<Self> {
        FilesServiceClient::new(self.clone())
    }

    fn info(&self) -> InfoServiceClient<Self> {
        InfoServiceClient::new(self.clone())
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let uri = format!("http://localhost{}{}", self.prefix, request.uri().path());
        *request.uri_mut() = uri.parse().unwrap();
        if let Some(token) = self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let mut sender = self.sender.clone();
        Box::pin(async move {
            sender.ready().await?;
            sender.send_request(request).await
        })
    }
}

/// The number of a status, and the name of its error.
fn refusal(status: &Status) -> (i32, &str) {
    let name = status.metadata().get(GRPC_ERROR_CODE_KEY);
    let name = name.map_or("", |name| name.to_str().unwrap());
    (status.code() as i32, name)
}

/// Bytes that the daemon may send on one stream before they are read.
const WINDOW: u32 = 64 * 1024;

/// Requests of a stream that stays open after them.
fn open<T: Send + 'static>(
    first: impl IntoIterator<Item = T>,
) -> (
    tokio::sync::mpsc::Sender<T>,
    impl futures_util::Stream<Item = T> + Send + 'static,
) {
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    for request in first {
        sender.try_send(request).unwrap();
    }
    let requests = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    (sender, requests)
}
