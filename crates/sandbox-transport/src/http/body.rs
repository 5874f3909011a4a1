//! The bodies of requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use crate::exchange::Upload;

/// The body of a request.
pub(crate) enum Outgoing {
    /// Bytes that are in memory.
    Whole(Full<Bytes>),
    /// An upload, with what stands before it and after it.
    Upload {
        head: Option<Bytes>,
        content: Upload,
        tail: Option<Bytes>,
        /// The length of everything, if it is known.
        length: Option<u64>,
    },
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Upload {
                head,
                content,
                tail,
                ..
            } => {
                if let Some(head) = head.take() {
                    return Poll::Ready(Some(Ok(Frame::data(head))));
                }
                let piece = ready!(content.poll_piece(context));
                // Not after an error: a form without its last boundary is not complete for any
                // daemon.
                let piece = piece.or_else(|| tail.take().map(Ok));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            // The tail, or the content's error, is known only when it is polled.
            Self::Upload { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Upload { length, .. } => length.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
