//! Calls as requests of HTTP/2.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, header};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use tonic::body::Body;
use tower_service::Service;

use super::Inner;
use crate::exchange::answer::{lost, read, refusal};
use crate::exchange::{Progress, Upload};
use crate::token::Presented;
use crate::{Delivery, Error, ErrorKind};

/// The service by which the stubs send the calls of one attempt: the pooled client of HTTP, which distinguishes
/// requests that were sent from those that were not. (The channel of the gRPC library has one status for both.)
#[derive(Clone)]
pub(super) struct Wire {
    inner: Arc<Inner>,
    token: Option<Presented>,
    progress: Progress,
    /// The error that the stubs would convert to a status.
    failure: Arc<Mutex<Option<Error>>>,
    /// The content that the call sends.
    upload: Option<Upload>,
}

impl Wire {
    pub(super) fn new(inner: Arc<Inner>, token: Option<Presented>, progress: Progress) -> Self {
        Self {
            inner,
            token,
            progress,
            failure: Arc::default(),
            upload: None,
        }
    }

    /// Cuts the call off where its content fails, since the stubs cannot end it but as if it were complete.
    pub(super) fn with_upload(self, upload: Upload) -> Self {
        Self {
            upload: Some(upload),
            ..self
        }
    }

    /// Returns the reason why there was no response of gRPC, if there was none.
    pub(super) fn failure(&self) -> Option<Error> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        // The stubs know the path of the method alone; the endpoint adds the host and the prefix.
        let path = request.uri().path();
        let uri = self.inner.endpoint.uri(path).map_err(|error| {
            let message = "the base URL cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        })?;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        // `extend` replaces, so that a configured header wins over the stub's; the token is set
        // last.
        headers.extend(self.inner.headers.clone());
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.header.clone());
        }
        if let Some(upload) = self.upload.clone() {
            request = request.map(|body| Body::new(Cut { body, upload }));
        }
        // Must come before the request is passed on, since it is an extension of it.
        self.progress.begin(capture_connection(&mut request));
        let response = self.inner.client.request(request).await;
        let response = response.map_err(|error| lost(error, &self.inner.endpoint))?;
        let content_type = response.headers().get(header::CONTENT_TYPE);
        // By its beginning: the type may name the encoding, as `application/grpc+proto` does.
        if content_type.is_some_and(|found| found.as_bytes().starts_with(GRPC)) {
            return Ok(response);
        }
        // The page of a proxy, or the envelope of a server that supports only HTTP.
        match read(response, self.inner.response_limit, false, refusal).await {
            Err(error) => Err(error),
            Ok(_) => Err(Error::new(
                ErrorKind::Protocol,
                Delivery::Uncertain,
                "the response is not one of gRPC",
            )),
        }
    }
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, NoAnswer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAnswer>> {
        // The pool makes connections as they are needed; there is nothing to wait for.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wire = self.clone();
        Box::pin(async move {
            wire.exchange(request).await.map_err(|error| {
                *wire.slot() = Some(error);
                NoAnswer
            })
        })
    }
}

/// The body of a call that ends with an error where its content does.
struct Cut {
    body: Body,
    upload: Upload,
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match frame {
            // The messages of a failed upload stay pending for ever, so that this is reached.
            Poll::Pending if self.upload.is_cut() => {
                let cut = io::Error::other("the content has ended before its end");
                Poll::Ready(Some(Err(cut.into())))
            }
            frame => frame.map_err(Into::into),
        }
    }
}

/// A placeholder for the error that [`Wire::failure`] returns.
#[derive(Debug)]
pub(super) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no response")
    }
}

impl std::error::Error for NoAnswer {}

const GRPC: &[u8] = b"application/grpc";
