//! Serves one connection: detects its protocol, and decides when it ends.

mod exchange;
mod linger;
mod refusal;
mod socket;
mod stall;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::{
    CLOSE_HANDSHAKE, LINGER, REQUEST_FIELDS, REQUEST_HEAD, REQUEST_HEAD_BYTES, WRITE_STALL,
};
use crate::link::Link;
use crate::router::Router;
use exchange::Exchanges;
use linger::Linger;
use refusal::Refusals;
pub(crate) use socket::Socket;
pub use stall::Stall;

/// A stream that requests are read from, and responses are written to.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A connection that was accepted.
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) router: Arc<Router>,
    pub(crate) link: Link,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::Tls>,
}

impl Connection {
    /// Serves the connection until it ends; one without an admitted request only for a limited time.
    pub(crate) async fn serve(self) {
        let link = self.link.clone();
        tokio::select! {
            () = self.secure() => {}
            () = link.evicted() => tracing::debug!("closed for another connection"),
            () = link.overdue(CLOSE_HANDSHAKE) => {
                tracing::debug!("closed, since no request was admitted");
            }
        }
    }

    /// Performs the TLS handshake if the server uses TLS.
    async fn secure(self) {
        let socket = self.socket.clone();
        let watch = Watch {
            socket: socket.clone(),
            is_plain: true,
            exchanges: Exchanges::default(),
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            let watch = Watch {
                is_plain: false,
                ..watch
            };
            if let Some(stream) = tls.accept(socket).await {
                speak(Box::pin(stream), watch, self.router, self.link).await;
            }
            return;
        }
        speak(Box::pin(socket), watch, self.router, self.link).await;
    }
}

/// Serves the protocol that the client speaks.
async fn speak(stream: Pin<Box<dyn Stream>>, watch: Watch, router: Arc<Router>, link: Link) {
    let stream = Stall::new(stream, WRITE_STALL);
    #[cfg(feature = "grpc")]
    let stream = {
        let mut link = link.clone();
        let opening = tokio::time::timeout(REQUEST_HEAD, crate::grpc::opening(stream));
        let opened = tokio::select! {
            // HTTP/2 without TLS begins with a preface (RFC 9113, section 3.4), by which it is
            // distinguished from HTTP/1.
            opened = opening => opened,
            () = link.shutdown_begun() => return,
        };
        match opened {
            Ok(Ok((stream, false))) => stream,
            Ok(Ok((stream, true))) => {
                let its_link = link.clone();
                let respond = move |request: Request<Incoming>| {
                    let router = Arc::clone(&router);
                    let link = its_link.clone();
                    async move { Ok::<_, Infallible>(router.answer(request, link).await) }
                };
                if let Err(error) = crate::grpc::serve(stream, link, respond).await {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connection ended before its first request");
                return;
            }
            Err(_) => return,
        }
    };
    serve_http1(stream, watch, router, link).await;
}

/// Serves HTTP/1 until the client or the server ends the connection.
async fn serve_http1<S>(stream: S, watch: Watch, router: Arc<Router>, mut link: Link)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Linger::new(stream, LINGER, watch.exchanges.clone());
    let stream = Refusals::new(stream, watch.exchanges.clone());
    let exchanges = watch.exchanges.clone();
    let its_link = link.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let router = Arc::clone(&router);
        let link = its_link.clone();
        let exchange = exchanges.begin();
        let has_body = !request.body().is_end_stream();
        async move {
            let response = router.answer(request, link).await;
            Ok::<_, Infallible>(exchange.until_sent(response, has_body))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_HEAD)
            .max_header_size(REQUEST_HEAD_BYTES)
            .max_headers(REQUEST_FIELDS)
            // A client may close its direction after its request, and wait for the response.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        // In this order, so that a pending request is read before the client is found to have left.
        biased;
        ended = connection.as_mut() => ended,
        () = watch.left() => {
            tracing::debug!("a client left within an exchange");
            return;
        }
        () = link.over() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Detects clients that leave while a response is pending.
struct Watch {
    socket: Socket,
    /// Whether the connection is without TLS. A TLS client closes by an alert, which nothing reads within an exchange.
    is_plain: bool,
    exchanges: Exchanges,
}

impl Watch {
    /// Completes when no response can reach the client any more.
    ///
    /// Between exchanges, and while a request is not fully read, hyper notices by itself; to be
    /// polled after hyper, whose reads decide.
    async fn left(&self) {
        self.socket.left().await;
        poll_fn(|_| {
            let is_read = !self.is_plain || !self.socket.has_unread();
            if self.exchanges.is_open() && is_read {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
