//! Detects which protocol a connection speaks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A connection whose first bytes were read, and are returned to its reader.
#[derive(Debug)]
pub(crate) struct Opening<S> {
    stream: S,
    read: [u8; PREFACE.len()],
    /// The number of these bytes, and how many of them were returned.
    length: usize,
    given: usize,
}

/// Reads until it is clear whether the client speaks HTTP/2, which begins with a preface that no request of HTTP/1 has.
///
/// # Errors
///
/// Returns the error of the stream if it cannot be read.
pub(crate) async fn opening<S: AsyncRead + Unpin>(stream: S) -> io::Result<(Opening<S>, bool)> {
    let mut opening = Opening {
        stream,
        read: [0; PREFACE.len()],
        length: 0,
        given: 0,
    };
    loop {
        let length = opening.length;
        if length == PREFACE.len() {
            return Ok((opening, true));
        }
        let count = opening.stream.read(&mut opening.read[length..]).await?;
        opening.length += count;
        let read = &opening.read[..opening.length];
        // Decided at the first byte that differs, since a client of HTTP/1 waits after its request:
        // reading on to 24 bytes could wait forever for a short one.
        if count == 0 || !PREFACE.starts_with(read) {
            return Ok((opening, false));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Not filled up from the stream in the same call, which could be pending and has no bytes
        // to wait for.
        if self.given < self.length {
            let some = (self.length - self.given).min(buffer.remaining());
            buffer.put_slice(&self.read[self.given..self.given + some]);
            self.given += some;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

// RFC 9113, section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn both_protocols_are_distinguished_and_nothing_is_lost() {
        for (text, is_h2) in [
            (&b"GET / HTTP/1.1\r\n"[..], false),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", true),
            (b"PRI * HTTP/1.1\r\n\r\n", false),
            (b"PR", false),
            (b"", false),
        ] {
            let (mut client, server) = tokio::io::duplex(4);
            let text = text.to_vec();
            let sent = text.clone();
            let writer = tokio::spawn(async move {
                for byte in sent {
                    client.write_all(&[byte]).await.unwrap();
                }
            });
            let (mut opening, found) = opening(server).await.unwrap();
            assert_eq!(found, is_h2);
            let mut all = Vec::new();
            opening.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, text);
            writer.await.unwrap();
        }
    }
}
