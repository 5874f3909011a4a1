//! gRPC to servers that are none, or have ended.

use std::time::Duration;

use sandbox_transport::{
    CallOptions, Delivery, ErrorKind, GrpcTransport, NoRetries, ProcessApi, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, pause};

/// Responds to the beginning of each connection with these bytes, and nothing else.
async fn server(opening: &'static [u8]) -> (GrpcTransport, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut rest = [0; 1024];
                stream.read_exact(&mut rest[..24]).await.unwrap();
                stream.write_all(opening).await.unwrap();
                while let Ok(1..) = stream.read(&mut rest).await {}
            });
        }
    });
    let builder = GrpcTransport::builder(url.parse().unwrap()).retry(NoRetries);
    (builder.build_grpc().unwrap(), task)
}

/// An empty SETTINGS frame, and the response to one.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

#[tokio::test]
async fn a_lost_daemon_is_noticed_by_pings() {
    let (transport, server) = server(SETTINGS).await;
    let patient = CallOptions::new().deadline(Duration::from_secs(3600));
    let api = transport.with_options(patient);
    pause();
    let begin = Instant::now();
    let error = api.create_session("s".into()).await.unwrap_err();
    let expect = (ErrorKind::Closed, Delivery::Uncertain);
    assert_eq!((error.kind(), error.delivery()), expect, "{error:?}");
    let bound = limits::UNACKNOWLEDGED + Duration::from_secs(1);
    assert!(begin.elapsed() <= bound, "{:?}", begin.elapsed());
    server.abort();
}

#[tokio::test]
async fn a_server_of_something_else_is_no_daemon() {
    let (transport, server) =
        server(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    let error = transport.create_session("s".into()).await.unwrap_err();
    let expect = (ErrorKind::Closed, Delivery::Uncertain);
    assert_eq!((error.kind(), error.delivery()), expect, "{error:?}");
    server.abort();
}
