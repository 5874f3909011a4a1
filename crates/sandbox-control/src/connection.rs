//! Serves one connection: its protocol, its bounds, and its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sandbox_daemon::doors::{Slot, Stall};
use sandbox_daemon::limits::{
    CLOSE_HANDSHAKE, REQUEST_FIELDS, REQUEST_HEAD, REQUEST_HEAD_BYTES, WRITE_STALL,
};
use sandbox_provider::Provider;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::limits::{HEAD_BYTES, STREAM_WINDOW, STREAMS};
use crate::link::Link;
use crate::router::Router;

/// A connection that was accepted.
pub(crate) struct Connection<P> {
    router: Arc<Router<P>>,
    slot: Arc<Slot>,
    link: Link,
}

impl<P: Provider> Connection<P> {
    pub(crate) fn new(router: Arc<Router<P>>, slot: Slot, shutdown: watch::Receiver<bool>) -> Self {
        let slot = Arc::new(slot);
        let link = Link::new(Arc::clone(&slot), shutdown);
        Self { router, slot, link }
    }

    /// Serves the connection until it ends; one without an admitted request only for a limited time.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let slot = Arc::clone(&self.slot);
        tokio::select! {
            () = self.speak(stream) => {}
            () = slot.evicted() => tracing::debug!("closed for another connection"),
            () = slot.overdue(CLOSE_HANDSHAKE) => {
                tracing::debug!("closed, since no request was admitted");
            }
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self {
            router, mut link, ..
        } = self;
        let its_link = link.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let router = Arc::clone(&router);
            let link = its_link.clone();
            async move { Ok::<_, Infallible>(router.respond(request, link).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_HEAD)
            .max_buf_size(HEAD_BYTES)
            .max_headers(REQUEST_FIELDS)
            .http2()
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .max_header_list_size(HEADER_BYTES);
        let stream = TokioIo::new(Stall::new(stream, WRITE_STALL));
        let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = link.shutdown_begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Bytes of the header of a request of HTTP/2.
#[expect(clippy::cast_possible_truncation, reason = "16 KiB")]
const HEADER_BYTES: u32 = REQUEST_HEAD_BYTES as u32;

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
