//! The two directions of a call: events to the client, and its further requests.

use std::pin::Pin;

use futures_util::{Stream, stream};
use sandbox_wire::pb;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::{Response, Status, Streaming};

use super::output::Chunk;
use crate::limits::EXEC_START;

/// The body of a response with several messages.
pub(super) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A source of the events of one call.
pub(super) trait Source: Send + 'static {
    type Event: Event;

    /// Returns the next event; `None` at the end. Not called again after that, after an error or after the
    /// [last](Event::is_last) event.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Event>, Status>> + Send;
}

/// The content of one message of a response.
pub(super) trait Event: From<Chunk> + Send + 'static {
    type Response: Send + 'static;

    fn is_last(&self) -> bool;

    fn into_response(self) -> Self::Response;
}

macro_rules! events {
    ($($module:ident => $response:ident,)*) => {$(
        impl Event for pb::$module::Event {
            type Response = pb::$response;

            fn is_last(&self) -> bool {
                matches!(self, Self::Ended(_))
            }

            fn into_response(self) -> pb::$response {
                pb::$response { event: Some(self) }
            }
        }

        impl From<Chunk> for pb::$module::Event {
            fn from(chunk: Chunk) -> Self {
                match chunk {
                    Chunk::Output(output) => Self::Output(output),
                    Chunk::Gap(gap) => Self::Gap(gap),
                }
            }
        }
    )*};
}

events! {
    connect_pty_response => ConnectPtyResponse,
    exec_response => ExecResponse,
    execute_code_response => ExecuteCodeResponse,
    execute_command_response => ExecuteCommandResponse,
    follow_log_response => FollowLogResponse,
    run_code_response => RunCodeResponse,
}

type ResponseOf<E> = Response<Events<<E as Event>::Response>>;

/// Responds with all events of `source`.
pub(super) fn respond<S: Source>(source: S) -> ResponseOf<S::Event> {
    Response::new(Box::pin(stream::unfold(Some(source), |source| async {
        let mut source = source?;
        let event = source.next().await.transpose()?;
        let is_last = event.as_ref().map_or(true, Event::is_last);
        let response = event.map(Event::into_response);
        Some((response, (!is_last).then_some(source)))
    })))
}

/// Responds with one event.
pub(super) fn respond_once<E: Event>(event: E) -> ResponseOf<E> {
    Response::new(Box::pin(stream::iter([Ok(event.into_response())])))
}

/// Reads the first request of a call with several; `None` if the client sends none.
pub(super) async fn first_request<T>(requests: &mut Streaming<T>) -> Result<Option<T>, Status> {
    let first = timeout(EXEC_START, requests.message()).await;
    first.map_err(|_| Status::deadline_exceeded("no first request came"))?
}

/// A task that reads the requests of a call, and is aborted when this is dropped.
pub(super) struct Reader(JoinHandle<()>);

impl Reader {
    pub(super) fn spawn(read: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(read))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}
