//! HTTP/2 connections.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::{
    H2_CONNECTION_WINDOW, H2_HEADER_BYTES, H2_STREAM_WINDOW, H2_STREAMS, H2_UNSENT_BYTES,
    PING_INTERVAL, WRITE_STALL,
};
use crate::link::Link;
use crate::router::WireBody;

/// Serves the requests of one connection.
///
/// A client that reads nothing from one stream delays that stream only; an unreachable one is detected by pings.
pub(crate) async fn serve<S, F>(
    stream: S,
    mut link: Link,
    answer: impl Fn(Request<Incoming>) -> F + Send + 'static,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<Response<WireBody>, Infallible>> + Send + 'static,
{
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            // hyper has no timers of its own, and panics without this if a keep-alive is set.
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(WRITE_STALL)
            .max_concurrent_streams(H2_STREAMS)
            .max_header_list_size(H2_HEADER_BYTES)
            .max_send_buf_size(H2_UNSENT_BYTES)
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .serve_connection(TokioIo::new(stream), service_fn(answer))
    );
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = link.over() => {
            // Sends GOAWAY: pending calls go on, and each ends by its own context.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
