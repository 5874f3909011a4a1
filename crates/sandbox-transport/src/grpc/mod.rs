//! The operations over gRPC.

mod api;
mod call;
mod code;
mod convert;
mod duplex;
mod exec;
mod files;
mod follow;
pub(crate) mod fuzzing;
mod info;
mod interpreter;
mod output;
mod pty;
mod resources;
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

/// A transport of the operations over gRPC, to daemons of this project. Cheap to clone; clones share their connection.
///
/// The operations, their errors and their repetition are the same as with [`HttpTransport`](crate::HttpTransport); what
/// differs is the encoding. All operations share one connection of HTTP/2, by TCP, TLS or a Unix socket, which is
/// opened when needed and closed after 20 s without use. Output comes by offset, each call with its own flow control:
/// one that is not taken holds at most [`limits::CALL_WINDOW_BYTES`](crate::limits::CALL_WINDOW_BYTES) here, makes the
/// daemon wait and delays no other. A connection whose peer disappears silently is detected within 30 s, by pings. A
/// daemon limits the concurrent calls on one connection (this project's: 256); more wait, up to their deadlines.
///
/// Outputs that are part of one response ([`execute`](crate::ProcessApi::execute),
/// [`code_run`](crate::ProcessApi::code_run), [`session_execute`](crate::ProcessApi::session_execute),
/// [`logs`](crate::ProcessApi::logs)) are collected here, up to
/// [`limits::RESPONSE_OUTPUT_BYTES`](crate::limits::RESPONSE_OUTPUT_BYTES). An
/// [idempotency key](CallOptions::idempotency_key) is sent with commands; other calls have no field for one.
///
/// This transport needs a tokio runtime with I/O and time.
#[derive(Clone)]
pub struct GrpcTransport {
    inner: Arc<Inner>,
    options: CallOptions,
}

/// The state that all clones of a transport share.
pub(crate) struct Inner {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: Client<Connector, Body>,
    /// The headers of every call.
    pub(crate) headers: HeaderMap,
    pub(crate) tokens: Tokens,
    pub(crate) response_limit: usize,
    pub(crate) retry: Arc<dyn RetryPolicy>,
    pub(crate) capabilities: OnceCell<Capabilities>,
}

impl GrpcTransport {
    /// Returns the address of the daemon.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            options: CallOptions::default(),
        }
    }

    /// Returns the idempotency key, for requests that have a field for one.
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
