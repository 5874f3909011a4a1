//! Serves one connection: its protocol, its bounds, and its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sandbox_daemon::doors::{Holder, Slot, Stall};
use sandbox_daemon::limits::{
    CLOSE_HANDSHAKE, REQUEST_FIELDS, REQUEST_HEAD, REQUEST_HEAD_BYTES, WRITE_STALL,
};
use sandbox_provider::Provider;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::limits::{HEAD_BYTES, STREAM_WINDOW, STREAMS};
use crate::shared::Shared;

/// A connection that was accepted.
pub(crate) struct Connection<P> {
    shared: Arc<Shared<P>>,
    link: Link,
}

/// The slot of a connection and the notice of the shutdown, held by the connection and by every tunnel that it became.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    slot: Arc<Slot>,
    shutdown: watch::Receiver<bool>,
    /// What a client sent may have taken much memory, and so may very many connections.
    _memory: Arc<Holder>,
}

impl Link {
    /// Records that a request of the connection was admitted.
    pub(crate) fn admit(&self) {
        self.slot.admit();
    }

    /// Resolves when a connection on which no request was admitted is to make room for another one.
    ///
    /// Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.slot.evicted().await;
    }

    /// Resolves when the server begins to shut down.
    ///
    /// Cancel safe.
    pub(crate) async fn shutdown_begun(&mut self) {
        // A server that was dropped is no reason to close.
        if self.shutdown.wait_for(|begun| *begun).await.is_err() {
            std::future::pending().await
        }
    }
}

impl<P: Provider> Connection<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>, slot: Slot, shutdown: watch::Receiver<bool>) -> Self {
        let slot = Arc::new(slot);
        let link = Link {
            slot,
            shutdown,
            _memory: Arc::default(),
        };
        Self { shared, link }
    }

    /// Serves the connection until it ends; one without an admitted request only for a limited time.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let slot = Arc::clone(&self.link.slot);
        tokio::select! {
            () = self.speak(stream) => {}
            () = slot.evicted() => tracing::debug!("closed for another connection"),
            () = slot.overdue(CLOSE_HANDSHAKE) => {
                tracing::debug!("closed, since no request was admitted");
            }
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self { shared, mut link } = self;
        let its_link = link.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            let link = its_link.clone();
            async move { Ok::<_, Infallible>(shared.respond(request, link).await) }
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
