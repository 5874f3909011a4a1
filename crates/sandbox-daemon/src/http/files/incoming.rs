//! The body of an upload, as it arrives.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{Either, Full};
use sandbox_wire::ErrorCode;
use tokio::time::{Sleep, sleep};

use crate::http::Call;
use crate::http::body::RequestBody;
use crate::limits::{FORM_HEAD_BYTES, UPLOAD_STALL};
use crate::service::Error;
use crate::sync::lock;

/// The body of a request, shared by its readers, which read it in turn.
#[derive(Debug)]
pub(super) struct Shared<B = RequestBody> {
    body: Arc<Mutex<B>>,
    /// Bytes that have arrived since a reader last consumed some of them.
    unclaimed: Arc<AtomicUsize>,
}

impl<B> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            unclaimed: self.unclaimed.clone(),
        }
    }
}

impl Shared {
    /// Takes the body out of a request.
    pub(super) fn take(call: &mut Call) -> Self {
        Self::new(std::mem::replace(&mut call.body, nothing()))
    }

    /// Puts the rest of the body back into its request.
    pub(super) fn put_back(&self, call: &mut Call) {
        let mut body = lock(&self.body);
        call.body = std::mem::replace(&mut *body, nothing());
    }
}

impl<B> Shared<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body: Arc::new(Mutex::new(body)),
            unclaimed: Arc::default(),
        }
    }

    /// Records that the bytes received so far were used.
    pub(super) fn claim(&self) {
        self.unclaimed.store(0, Ordering::Relaxed);
    }

    /// Returns a stream of the bytes as they arrive.
    pub(super) fn frames(&self) -> Frames<B> {
        Frames {
            shared: self.clone(),
            silence: None,
            has_given: false,
        }
    }
}

fn nothing() -> RequestBody {
    Either::Right(Full::new(Bytes::new()))
}

/// A stream of a body's bytes as they arrive.
///
/// The parser of a form buffers all bytes that are available before it looks at them. So there is one piece at a time, and a
/// limit to the bytes that it may take without using any of them.
#[derive(Debug)]
pub(super) struct Frames<B = RequestBody> {
    shared: Shared<B>,
    /// The timer that runs while no bytes arrive.
    silence: Option<Pin<Box<Sleep>>>,
    has_given: bool,
}

/// The reason why a body ends early.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The connection ended, or the body is malformed.
    Lost(Box<dyn StdError + Send + Sync>),
    /// No bytes arrived for too long.
    Silent,
    /// A part of a form does not end within the limit.
    Endless,
}

impl<B> Stream for Frames<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Item = Result<Bytes, Stopped>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Stopped>>> {
        if std::mem::take(&mut self.has_given) {
            // Pending for one poll, so that the parser looks at the piece before it takes another
            // one.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.shared.unclaimed.load(Ordering::Relaxed) > FORM_HEAD_BYTES {
            return Poll::Ready(Some(Err(Stopped::Endless)));
        }
        loop {
            let polled = {
                // Held for one poll only, in which nothing is awaited: the readers take turns, and
                // never wait for it.
                let mut body = lock(&self.shared.body);
                Pin::new(&mut *body).poll_frame(context)
            };
            match polled {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(Stopped::Lost(error.into()))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.silence = None;
                    // Trailers are ignored.
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    let unclaimed = &self.shared.unclaimed;
                    unclaimed.fetch_add(bytes.len(), Ordering::Relaxed);
                    self.has_given = true;
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Pending => {
                    let silence = &mut self.silence;
                    // Created when nothing is there, so that an upload which flows needs no timer
                    // for each piece.
                    let silence = silence.get_or_insert_with(|| Box::pin(sleep(UPLOAD_STALL)));
                    return silence
                        .as_mut()
                        .poll(context)
                        .map(|()| Some(Err(Stopped::Silent)));
                }
            }
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) => write!(f, "the request body did not arrive: {error}"),
            Self::Silent => {
                write!(
                    f,
                    "nothing of the request body came for {} s",
                    UPLOAD_STALL.as_secs()
                )
            }
            Self::Endless => {
                write!(
                    f,
                    "the form has a part whose head is longer than {FORM_HEAD_BYTES} bytes"
                )
            }
        }
    }
}

impl StdError for Stopped {}

impl From<&Stopped> for Error {
    fn from(stopped: &Stopped) -> Self {
        let code = match stopped {
            Stopped::Silent => ErrorCode::RequestTimeout,
            Stopped::Lost(_) | Stopped::Endless => ErrorCode::BadRequest,
        };
        Self::new(code, stopped.to_string())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::time::Instant;

    use super::*;

    fn piece(length: usize) -> Result<Frame<Bytes>, std::io::Error> {
        Ok(Frame::data(vec![b'x'; length].into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_any_more_is_not_waited_for() {
        let slow = stream::iter(0..3).then(async |_| {
            sleep(UPLOAD_STALL - std::time::Duration::from_secs(1)).await;
            piece(1)
        });
        let body = StreamBody::new(Box::pin(slow.chain(stream::pending())));
        let mut frames = Shared::new(body).frames();
        for _ in 0..3 {
            assert_eq!(frames.next().await.unwrap().unwrap(), "x");
        }
        let begun = Instant::now();
        let stopped = frames.next().await.unwrap().unwrap_err();
        assert!(matches!(stopped, Stopped::Silent));
        assert_eq!(begun.elapsed(), UPLOAD_STALL);
        assert_eq!(Error::from(&stopped).code(), ErrorCode::RequestTimeout);
    }

    #[tokio::test]
    async fn an_unread_body_has_an_end() {
        let body = StreamBody::new(stream::iter([piece(FORM_HEAD_BYTES), piece(1), piece(1)]));
        let shared = Shared::new(body);
        let mut frames = shared.frames();
        frames.next().await.unwrap().unwrap();
        shared.claim();
        frames.next().await.unwrap().unwrap();
        frames.next().await.unwrap().unwrap();
        assert!(frames.next().await.is_none());

        let body = StreamBody::new(stream::iter([piece(FORM_HEAD_BYTES), piece(1), piece(1)]));
        let mut frames = Shared::new(body).frames();
        frames.next().await.unwrap().unwrap();
        frames.next().await.unwrap().unwrap();
        assert!(matches!(frames.next().await, Some(Err(Stopped::Endless))));
    }
}
