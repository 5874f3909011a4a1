//! The two directions of a call: events to the client, and its further requests.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use sandbox_wire::pb;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::{Response, Status, Streaming};

use super::output::Chunk;
use crate::limits::{EXEC_START, WRITE_STALL};

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
    ($($module:ident => $response:ident $(or $last:ident)?,)*) => {$(
        impl Event for pb::$module::Event {
            type Response = pb::$response;

            fn is_last(&self) -> bool {
                matches!(self, Self::Ended(_) $(| Self::$last(_))?)
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
    exec_response => ExecResponse or StillRunning,
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
        // The source is dropped with the last event and not at the next poll, which may never come
        // from a client that reads no more: a leash is in it.
        Some((response, (!is_last).then_some(source)))
    })))
}

/// Responds with one event.
pub(super) fn respond_once<E: Event>(event: E) -> ResponseOf<E> {
    Response::new(Box::pin(stream::iter([Ok(event.into_response())])))
}

/// Responds with `events`, which are dropped if the client takes none of them for [`WRITE_STALL`]: for events whose source holds
/// something that is scarce. HTTP/2 has no such limit of its own, because its other streams go on.
pub(super) fn unless_unread<T: Send + 'static>(
    events: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Events<T> {
    // One event ahead; more would only be memory for a client that does not read.
    let (sender, receiver) = mpsc::channel(1);
    // A task of its own, since a stream is not polled while its client does not read: a time limit
    // inside it would never pass.
    let task = Reader::spawn(async move {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            let sent = sender.send_timeout(Some(event), WRITE_STALL).await;
            if sent.is_err() {
                return;
            }
        }
        // The end, which distinguishes it from a client that did not read.
        let _ = sender.send_timeout(None, WRITE_STALL).await;
    });
    let receiving = Some((receiver, task));
    Box::pin(stream::unfold(receiving, |receiving| async {
        let (mut receiver, task) = receiving?;
        match receiver.recv().await {
            Some(Some(event)) => Some((event, Some((receiver, task)))),
            Some(None) => None,
            None => {
                let message = "the client did not read the response in time";
                Some((Err(Status::deadline_exceeded(message)), None))
            }
        }
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn events(count: u32, pauses: &[(u32, std::time::Duration)]) -> (Vec<u32>, bool) {
        let source = stream::iter(0..count).map(Ok::<_, Status>);
        let mut events = unless_unread(source);
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => seen.push(event),
                Err(status) => {
                    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
                    return (seen, false);
                }
            }
            for (_, pause) in pauses.iter().filter(|(at, _)| *at as usize == seen.len()) {
                tokio::time::sleep(*pause).await;
            }
        }
        (seen, true)
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_not_read_are_dropped_after_a_while() {
        let short = WRITE_STALL / 2;
        let whole = ((0..9).collect::<Vec<_>>(), true);
        assert_eq!(events(9, &[]).await, whole);
        assert_eq!(events(0, &[]).await, (vec![], true));
        // Pauses do not add up.
        assert_eq!(
            events(9, &[(1, short), (2, short), (3, short)]).await,
            whole
        );
        let (seen, is_whole) = events(9, &[(4, WRITE_STALL * 2)]).await;
        assert!(!is_whole && seen.len() < 9, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_source_holds_is_released() {
        let held = std::sync::Arc::new(());
        let source = stream::repeat(held.clone()).map(Ok::<_, Status>);
        let unread = unless_unread(source);
        tokio::time::sleep(WRITE_STALL * 2).await;
        // One is in the channel.
        assert_eq!(std::sync::Arc::strong_count(&held), 2);
        drop(unread);
        tokio::time::sleep(WRITE_STALL).await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
