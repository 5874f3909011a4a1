//! The operations over gRPC.

mod api;
mod call;
mod code;
mod convert;
mod duplex;
mod exec;
mod follow;
pub(crate) mod fuzzing;
mod info;
mod interpreter;
mod output;
mod pty;
mod session;
mod status;
mod wire;

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use hyper_util::client::legacy::Client;
use tokio::sync::OnceCell;
use tonic::body::Body;

use crate::connect::Connector;
use crate::token::Tokens;
use crate::{CallOptions, Capabilities, Endpoint, RetryPolicy};

/// Carries the operations over gRPC, to daemons of this project. Cheap to clone; clones share their connection.
///
/// What an operation means, fails with and repeats is as with [`HttpTransport`](crate::HttpTransport); what differs is how it
/// travels. All operations share one connection of HTTP/2, by TCP, TLS or a Unix socket, made when it is needed and kept for
/// 20 s without use. Output comes by offset, each call with a flow control of its own: one that is not taken holds at most
/// [`limits::CALL_WINDOW_BYTES`](crate::limits::CALL_WINDOW_BYTES) here, makes the daemon wait and delays no other. A connection
/// whose other side is gone without a word is noticed within 30 s, by pings. A daemon bounds the calls at a time on one
/// connection (this project's: 256); more wait, up to their deadlines.
///
/// Outputs that one answer holds ([`execute`](crate::ProcessApi::execute), [`code_run`](crate::ProcessApi::code_run),
/// [`session_execute`](crate::ProcessApi::session_execute), [`logs`](crate::ProcessApi::logs)) are gathered here, up to
/// [`limits::ANSWER_OUTPUT_BYTES`](crate::limits::ANSWER_OUTPUT_BYTES). An
/// [idempotency key](CallOptions::idempotency_key) travels with commands; other calls have no place for one.
///
/// It needs a tokio runtime with I/O and time.
#[derive(Clone)]
pub struct GrpcTransport {
    inner: Arc<Inner>,
    options: CallOptions,
}

/// What all clones of a transport share.
pub(crate) struct Inner {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: Client<Connector, Body>,
    /// What every call carries.
    pub(crate) headers: HeaderMap,
    pub(crate) tokens: Tokens,
    pub(crate) answer_limit: usize,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) capabilities: OnceCell<Capabilities>,
}

impl GrpcTransport {
    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            options: CallOptions::default(),
        }
    }

    /// The key that a request with a place for one carries.
    fn key(&self) -> String {
        self.options.idempotency_key.clone().unwrap_or_default()
    }
}

impl fmt::Debug for GrpcTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcTransport")
            .field("endpoint", &self.inner.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
