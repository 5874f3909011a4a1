//! A stream that can be ended from outside.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A stream that is at its end when a notice is set. The protocol's task owns the stream, and ends with it.
pub(super) struct Cut<S> {
    stream: S,
    notice: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Cut<S> {
    pub(super) fn new(stream: S, mut notice: watch::Receiver<bool>) -> Self {
        let notice = async move {
            // A sender that was dropped has nothing more to read either.
            let _ = notice.wait_for(|is_set| *is_set).await;
        };
        Self {
            stream,
            notice: Some(Box::pin(notice)),
        }
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(notice) = &mut self.notice
            && notice.as_mut().poll(context).is_ready()
        {
            self.notice = None;
        }
        self.notice.is_none()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            Poll::Ready(Ok(()))
        } else {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        } else {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for Cut<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
