//! The socket of one connection.

use std::future::pending;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket. Clones share it, so that one can watch it while another reads and writes.
#[derive(Debug, Clone)]
pub(crate) struct Socket(Arc<Stream>);

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Evaluates the same expression for a stream of either kind.
macro_rules! either {
    ($socket:expr, $stream:ident => $do:expr) => {
        match &*$socket.0 {
            Stream::Tcp($stream) => $do,
            Stream::Unix($stream) => $do,
        }
    };
}

impl Socket {
    /// Completes when the client has closed both directions, or its host is unreachable: no data
    /// reaches it any more.
    ///
    /// A client that has closed only its own direction (`shutdown(SHUT_WR)`) still waits for a
    /// response. TCP does not distinguish the two until the client's host rejects data, so there
    /// the keepalive probes of the listener decide.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn left(&self) {
        // The socket's own registration reports the end of either direction, and does so only once.
        if either!(self, stream => stream.ready(Interest::PRIORITY).await).is_err() {
            return;
        }
        let Ok(watch) = self.watch() else {
            // Out of descriptors. This is not fatal: a write that fails ends the connection as well.
            return pending().await;
        };
        loop {
            let Ok(mut ready) = watch.ready(Interest::PRIORITY).await else {
                return;
            };
            if ready.ready().is_read_closed() {
                return;
            }
            // Urgent data, which has no meaning in HTTP.
            ready.clear_ready();
        }
    }

    /// Registers the socket a second time, only for the end of both directions, which is always
    /// reported.
    #[expect(
        deprecated,
        reason = "the descriptor is owned, and closed only after its registration; what replaces \
                  this is unsafe"
    )]
    fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let descriptor = self.as_fd().try_clone_to_owned()?;
        AsyncFd::with_interest(descriptor, Interest::PRIORITY)
    }

    /// Returns whether the socket has unread bytes.
    pub(crate) fn has_unread(&self) -> bool {
        let peeked = SockRef::from(self).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_ok_and(|count| count > 0)
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self(Arc::new(Stream::Tcp(stream)))
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self(Arc::new(Stream::Unix(stream)))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(either!(self, stream => stream.poll_read_ready(context)))?;
            match either!(self, stream => stream.try_read_buf(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(either!(self, stream => stream.poll_write_ready(context)))?;
            match either!(self, stream => stream.try_write(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(either!(self, stream => stream.poll_write_ready(context)))?;
            match either!(self, stream => stream.try_write_vectored(slices)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Of one direction only: the other is still read by `Linger`.
        Poll::Ready(SockRef::from(&*self).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::limits::{PROBE_IDLE, PROBE_INTERVAL, PROBE_RETRIES};

    #[tokio::test]
    async fn only_a_client_that_closed_both_directions_has_left() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let socket = Socket::from(server);
        let mut left = Box::pin(socket.left());
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, &mut left).await.is_err(), "it is there");
        client.write_all(b"unread").await.unwrap();
        client.shutdown().await.unwrap();
        assert!(timeout(soon, &mut left).await.is_err(), "it still reads");
        assert!(socket.has_unread());
        drop(client);
        left.await;
    }

    /// Without probes, a connection on which nothing is sent never notices that its client's host is
    /// unreachable, or that the client has closed its socket.
    #[tokio::test]
    async fn connections_are_probed() {
        let listener = crate::listener::Listener::bind(&"127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let crate::Listen::Tcp(address) = listener.address().unwrap() else {
            panic!("not TCP");
        };
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (server, _) = server.unwrap();
        let options = SockRef::from(&server);
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), PROBE_IDLE);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), PROBE_RETRIES);
        drop(client);
    }

    #[tokio::test]
    async fn a_reset_connection_has_been_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let socket = Socket::from(server);
        client.shutdown().await.unwrap();
        let mut left = Box::pin(socket.left());
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, &mut left).await.is_err(), "it still reads");
        // Data that is sent to a closed socket results in a reset.
        drop(client);
        let mut writer = socket.clone();
        writer.write_all(b"late").await.unwrap();
        left.await;
    }
}
