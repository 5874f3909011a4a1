//! Tracks whether a connection of HTTP/1 is within an exchange.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};

/// The exchanges of one connection, in sequence.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges(Arc<State>);

// Only the task that polls the connection uses it, so that no access needs an order.
#[derive(Debug, Default)]
struct State {
    begun: AtomicUsize,
    is_open: AtomicBool,
    is_unread: AtomicBool,
}

/// An exchange, from the request's head to the last byte of the response's body.
#[derive(Debug)]
pub(super) struct Exchange(Exchanges);

impl Exchanges {
    /// Begins an exchange, which ends when the returned value is dropped.
    pub(super) fn begin(&self) -> Exchange {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.is_open.store(true, Ordering::Relaxed);
        self.0.is_unread.store(false, Ordering::Relaxed);
        Exchange(self.clone())
    }

    /// Returns how many exchanges have begun so far.
    pub(super) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Records that the last request was refused, perhaps before all of it was read.
    pub(super) fn refuse(&self) {
        self.0.is_unread.store(true, Ordering::Relaxed);
    }

    /// Returns whether more of the last request may come.
    pub(super) fn is_unread(&self) -> bool {
        self.0.is_unread.load(Ordering::Relaxed)
    }

    /// Returns whether an exchange has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Relaxed)
    }
}

impl Exchange {
    /// Extends the exchange until the body of its response is dropped.
    pub(super) fn until_sent<B>(
        self,
        response: Response<B>,
        has_request_body: bool,
    ) -> Response<Sending<B>> {
        let status = response.status();
        if has_request_body && (status.is_client_error() || status.is_server_error()) {
            self.0.refuse();
        }
        response.map(|body| Sending {
            body,
            _exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.0.is_open.store(false, Ordering::Relaxed);
    }
}

/// The body of a response, together with the exchange that it ends.
#[derive(Debug)]
pub(super) struct Sending<B> {
    body: B,
    _exchange: Exchange,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
