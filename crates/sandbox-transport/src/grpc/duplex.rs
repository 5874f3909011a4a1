//! Bidirectional streaming calls.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::poll_fn;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Streaming;

use super::status;
use crate::limits::{CLOSE_HANDSHAKE, INPUT_PIECE_BYTES, INPUT_QUEUE};
use crate::{Delivery, Error, ErrorKind};

/// The daemon's side of a call. Dropping it ends the client's side, after what was passed to [`Outgoing`], and then the
/// call.
#[derive(Debug)]
pub(super) struct Incoming<Q: Send + 'static, A: Send + 'static> {
    /// Taken when this is dropped.
    answers: Option<Streaming<A>>,
    /// The sender that keeps the client's side open.
    requests: Option<mpsc::Sender<Q>>,
    /// The runtime that reads the rest of the call.
    runtime: Handle,
}

/// The client's side of a call.
#[derive(Debug)]
pub(super) struct Outgoing<Q>(mpsc::WeakSender<Q>);

/// Returns the client's side of a call that begins with `first`, and a sender of further messages.
pub(super) fn begin<Q: Send + 'static>(
    first: Q,
) -> (mpsc::Sender<Q>, impl Stream<Item = Q> + Send + 'static) {
    let (sender, mut receiver) = mpsc::channel(INPUT_QUEUE);
    // Sent with the call: the daemon reads it before it sends the headers, for which the stub
    // waits.
    let mut first = Some(first);
    let requests = poll_fn(move |context| match first.take() {
        Some(first) => Some(first).into(),
        None => receiver.poll_recv(context),
    });
    (sender, requests)
}

/// Returns both sides of a call after the daemon's response.
pub(super) fn begun<Q: Send + 'static, A: Send + 'static>(
    requests: mpsc::Sender<Q>,
    answers: Streaming<A>,
) -> (Incoming<Q, A>, Outgoing<Q>) {
    // Weak: a caller may hold the control of a call for long after it has dropped the events, which
    // is what ends the call.
    let outgoing = Outgoing(requests.downgrade());
    let incoming = Incoming {
        answers: Some(answers),
        requests: Some(requests),
        // Taken here, since the destructor may run on a thread without a runtime.
        runtime: Handle::current(),
    };
    (incoming, outgoing)
}

impl<Q: Send + 'static, A: Send + 'static> Incoming<Q, A> {
    /// Returns the next message. A call that ends without its last message does so with an error. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<A, Error> {
        let Some(answers) = &mut self.answers else {
            return Err(status::cut());
        };
        match answers.message().await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(status::cut()),
            Err(error) => Err(status::error(error)),
        }
    }

    /// Marks that the last message has come.
    pub(super) fn end(&mut self) {
        self.requests = None;
        self.answers = None;
    }
}

impl<Q: Send + 'static, A: Send + 'static> Drop for Incoming<Q, A> {
    /// Lets the daemon receive the end of this side, not only that of the call.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(mut answers) = self.answers.take() {
            self.runtime.spawn(async move {
                let rest = async { while let Ok(Some(_)) = answers.message().await {} };
                // What arrives after that has no reader.
                let _ = timeout(LAST_WORDS, rest).await;
            });
        }
    }
}

/// How long an unused call stays open for messages that are still on their way to the daemon.
const LAST_WORDS: Duration = CLOSE_HANDSHAKE;

impl<Q: Send> Outgoing<Q> {
    /// Sends bytes in pieces, each as the message that `message` returns.
    pub(super) async fn pieces(
        &self,
        mut bytes: Bytes,
        message: impl Fn(Bytes) -> Q,
    ) -> Result<(), Error> {
        let mut delivery = Delivery::NotSent;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(INPUT_PIECE_BYTES));
            self.give(message(piece), delivery).await?;
            delivery = Delivery::Uncertain;
        }
        Ok(())
    }

    /// Sends one message.
    pub(super) async fn tell(&self, message: Q) -> Result<(), Error> {
        self.give(message, Delivery::NotSent).await
    }

    /// Returns an error if the connection has ended.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match self.0.upgrade() {
            Some(_) => Ok(()),
            None => Err(ended(Delivery::NotSent)),
        }
    }

    async fn give(&self, message: Q, delivery: Delivery) -> Result<(), Error> {
        // Strong only while this waits: between two messages, `Incoming` alone decides when the
        // call ends.
        let sender = self.0.upgrade().ok_or_else(|| ended(delivery))?;
        sender.send(message).await.map_err(|_| ended(delivery))
    }
}

fn ended(delivery: Delivery) -> Error {
    Error::new(ErrorKind::Closed, delivery, "the connection has ended")
}
