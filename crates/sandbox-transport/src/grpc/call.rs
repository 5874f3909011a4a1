//! One operation: a call, its deadline, and its repetition after a failure.

use std::future::Future;
use std::time::Duration;

use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::exec_service_client::ExecServiceClient;
use sandbox_wire::pb::files_service_client::FilesServiceClient;
use sandbox_wire::pb::info_service_client::InfoServiceClient;
use sandbox_wire::pb::interpreter_service_client::InterpreterServiceClient;
use sandbox_wire::pb::pty_service_client::PtyServiceClient;
use sandbox_wire::pb::session_service_client::SessionServiceClient;
use tonic::{Response, Status};

use super::wire::Wire;
use super::{GrpcTransport, status};
use crate::exchange::Attempts;
use crate::limits::{RESPONSE_TIMEOUT, SOCKET_MESSAGE_BYTES};
use crate::{Effect, Error};

/// The properties of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    effect: Effect,
    /// The deadline, unless the caller sets another one.
    deadline: Duration,
    /// Whether the request has a field for an idempotency key.
    takes_key: bool,
}

impl Call {
    pub(super) fn new(effect: Effect) -> Self {
        Self {
            effect,
            deadline: RESPONSE_TIMEOUT,
            takes_key: false,
        }
    }

    pub(super) fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Creates a call that is made once, and whose request has a place for an idempotency key.
    pub(super) fn keyed() -> Self {
        Self {
            takes_key: true,
            ..Self::new(Effect::Once)
        }
    }
}

/// The reason why a call failed.
pub(super) enum Failed {
    /// The status from the daemon or the connection.
    Status(Status),
    /// The response cannot be used.
    Error(Error),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl GrpcTransport {
    /// Makes a call, and repeats it as the policy says, until the deadline, which bounds all of `send`.
    pub(super) async fn call<T, F>(
        &self,
        call: Call,
        send: impl Fn(Wire) -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failed>> + Send,
    {
        let attempts = Attempts {
            tokens: &self.inner.tokens,
            policy: &**self.options.retry.as_ref().unwrap_or(&self.inner.retry),
            effect: call.effect,
            // A key that the request has no field for is not sent, and protects no repetition.
            has_key: call.takes_key && self.options.idempotency_key.is_some(),
            deadline: self.options.deadline.unwrap_or(call.deadline),
        };
        let exchange = |token, progress| {
            // A wire for each attempt, so that none reports the failure of another.
            let wire = Wire::new(self.inner.clone(), token, progress);
            let sending = send(wire.clone());
            async move {
                sending.await.map_err(|failed| match failed {
                    Failed::Error(error) => error,
                    Failed::Status(status) => {
                        // The stubs convert every error to a status, which does not show whether
                        // the request was sent.
                        wire.failure().unwrap_or_else(|| status::error(status))
                    }
                })
            }
        };
        attempts.make(exchange).await
    }

    /// Makes a call of one request and one response.
    pub(super) async fn ask<Q, A, F>(
        &self,
        call: Call,
        request: Q,
        send: impl Fn(Wire, Q) -> F + Send + Sync,
    ) -> Result<A, Error>
    where
        Q: Clone + Send + Sync,
        F: Future<Output = Result<Response<A>, Status>> + Send,
    {
        let send = |wire| {
            let answer = send(wire, request.clone());
            async move { Ok(answer.await?.into_inner()) }
        };
        self.call(call, send).await
    }
}

pub(super) fn code(wire: Wire) -> CodeServiceClient<Wire> {
    // The library's default is 4 MiB, here and below.
    CodeServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn exec(wire: Wire) -> ExecServiceClient<Wire> {
    ExecServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn files(wire: Wire) -> FilesServiceClient<Wire> {
    FilesServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn info(wire: Wire) -> InfoServiceClient<Wire> {
    InfoServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn interpreter(wire: Wire) -> InterpreterServiceClient<Wire> {
    InterpreterServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn pty(wire: Wire) -> PtyServiceClient<Wire> {
    PtyServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}

pub(super) fn session(wire: Wire) -> SessionServiceClient<Wire> {
    SessionServiceClient::new(wire).max_decoding_message_size(SOCKET_MESSAGE_BYTES)
}
