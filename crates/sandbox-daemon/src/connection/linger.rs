//! Closes a connection without losing the response that precedes the close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::exchange::Exchanges;

/// A stream whose shutdown reads and discards the client's remaining data, for a limited time.
///
/// A socket that is closed while there are unread bytes resets the connection, and a reset discards
/// the response from the client's receive buffer. A client that uploads an unwanted body could not
/// read the reason.
#[derive(Debug)]
pub(super) struct Linger<S> {
    stream: S,
    limit: Duration,
    exchanges: Exchanges,
    is_shut: bool,
    /// The timer that runs while bytes are discarded, or still expected.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Linger<S> {
    pub(super) fn new(stream: S, limit: Duration, exchanges: Exchanges) -> Self {
        Self {
            stream,
            limit,
            exchanges,
            is_shut: false,
            timer: None,
        }
    }
}

impl<S: AsyncRead + Unpin> Linger<S> {
    /// Discards bytes until the stream has ended, or the time is over.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; DISCARDED_AT_ONCE];
        loop {
            if let Some(timer) = &mut self.timer
                && timer.as_mut().poll(context).is_ready()
            {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let limit = self.limit;
                    // Started one time: a client that never stops sending must not hold the
                    // connection open.
                    self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.timer.is_some() => return Poll::Pending,
                // The rest of a request that was refused early may still arrive.
                Poll::Pending if self.exchanges.is_unread() => {
                    self.timer = Some(Box::pin(sleep(self.limit)));
                }
                // Nothing more is expected from the client, so there is no wait.
                Poll::Pending => return Poll::Ready(()),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            // First the end of this direction, so that a client that waits for the end of the
            // response sees it immediately.
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.is_shut = true;
        }
        ready!(self.poll_discard(context));
        Poll::Ready(Ok(()))
    }
}

const DISCARDED_AT_ONCE: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_still_sent_is_discarded_for_a_while() {
        let (mut client, server) = tokio::io::duplex(10);
        client.write_all(b"unwanted").await.unwrap();
        let mut stream = Linger::new(server, Duration::from_secs(5), Exchanges::default());
        let sender = tokio::spawn(async move {
            while client.write_all(b"unwanted").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            client
        });
        let begin = Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 5);
        drop(stream);
        sender.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_early_is_waited_for() {
        let (mut client, server) = tokio::io::duplex(10);
        let exchanges = Exchanges::default();
        exchanges.refuse();
        let mut stream = Linger::new(server, Duration::from_secs(5), exchanges);
        let sender = tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            client.write_all(b"late").await.unwrap();
        });
        let begin = Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 1, "the client has closed");
        sender.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(10);
        let mut stream = Linger::new(server, Duration::from_secs(5), Exchanges::default());
        let begin = Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}
