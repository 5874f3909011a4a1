//! Requests that are refused before they reach a route.
//!
//! To a head that cannot be parsed, or is too long, hyper itself responds, with a status and
//! nothing else. Such a response is replaced on its way to the client by one with the error
//! envelope, as in every other failure.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, Method, header};
use http_body_util::Either;
use sandbox_wire::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::exchange::Exchanges;
use crate::limits::REQUEST_TARGET_BYTES;
use crate::service::Error;
use crate::{head, router};

/// A stream that completes the bare responses of hyper.
#[derive(Debug)]
pub(super) struct Refusals<S> {
    stream: S,
    exchanges: Exchanges,
    line: RequestLine,
    /// Whether the last write was taken as a whole, so that the next write begins a message
    /// or a part of one.
    is_whole: bool,
    instead: Option<Instead>,
}

/// The bytes that are written instead of a bare response.
#[derive(Debug)]
struct Instead {
    bytes: Bytes,
    /// Bytes of the bare response, which hyper is to consider written.
    replaced: usize,
}

/// The beginning of the head that is being read: the only information on a malformed request.
#[derive(Debug, Default)]
struct RequestLine {
    /// The number of exchanges that had begun when it was read.
    begun: usize,
    bytes: BytesMut,
    /// Bytes that were read so far, up to the end of the line.
    length: usize,
    is_ended: bool,
}

impl<S> Refusals<S> {
    pub(super) fn new(stream: S, exchanges: Exchanges) -> Self {
        Self {
            stream,
            exchanges,
            line: RequestLine::default(),
            is_whole: true,
            instead: None,
        }
    }

    /// Returns whether hyper wrote `bytes` itself: within an exchange of the daemon nothing is replaced.
    fn is_bare(&self, bytes: &[u8]) -> bool {
        self.is_whole && !self.exchanges.is_open() && status(bytes).is_some()
    }
}

impl<S: AsyncWrite + Unpin> Refusals<S> {
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(instead) = &mut self.instead {
            if instead.bytes.is_empty() {
                let replaced = instead.replaced;
                self.instead = None;
                return Poll::Ready(Ok(replaced));
            }
            let written = Pin::new(&mut self.stream).poll_write(context, &instead.bytes);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => instead.bytes.advance(count),
            }
        }
        Poll::Ready(Ok(0))
    }
}

impl RequestLine {
    /// Scans bytes that are read between exchanges.
    fn take(&mut self, begun: usize, read: &[u8]) {
        if self.begun != begun {
            *self = Self {
                begun,
                ..Self::default()
            };
        }
        if self.is_ended {
            return;
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = &read[..end.unwrap_or(read.len())];
        let room = SHOWN_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
        self.length += part.len();
        // Empty lines may precede a request.
        self.is_ended = end.is_some() && self.length > 1;
    }

    /// Returns the method and the path, if they were read.
    fn parse(&self) -> (Option<Method>, String) {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut words = text.trim_start().split(' ');
        let method = words.next().and_then(|word| word.parse().ok());
        let path = words.next().filter(|target| target.starts_with('/'));
        // Without the query, which may contain the token.
        let path = path.and_then(|target| target.split('?').next());
        match (method, path) {
            (Some(method), Some(path)) => (Some(method), path.trim_end().to_owned()),
            _ => (None, String::new()),
        }
    }

    /// Returns the reason why a request was refused to which hyper responds with `status`.
    fn reason(&self, status: u16) -> Error {
        let is_target_long = self.length > REQUEST_TARGET_BYTES;
        match status {
            414 => head::target_too_long(),
            431 if is_target_long => head::target_too_long(),
            431 => head::fields_too_large(),
            _ => Error::new(ErrorCode::BadRequest, "this is no request of HTTP/1.1"),
        }
    }

    /// Returns the response that replaces a bare one.
    fn respond(&self, bare: &[u8], status: u16) -> Bytes {
        let (method, path) = self.parse();
        let (mut parts, body) = router::refusal(self.reason(status), method.as_ref(), &path);
        let close = HeaderValue::from_static("close");
        parts.headers.insert(header::CONNECTION, close);
        let body = match body {
            Either::Left(whole) => whole.into_inner().unwrap_or_default(),
            // The body of a refusal is never a stream.
            Either::Right(_) => Bytes::new(),
        };
        let reason = parts.status.canonical_reason().unwrap_or_default();
        let first = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_str());
        let length = format!("content-length: {}\r\n", body.len());
        let mut bytes = [first.as_bytes(), length.as_bytes()].concat();
        for line in bare.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"date:") {
                bytes.extend_from_slice(line);
            }
        }
        for (name, value) in &parts.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        // A response to HEAD has no body (RFC 9110, section 9.3.2).
        if method != Some(Method::HEAD) {
            bytes.extend_from_slice(&body);
        }
        bytes.into()
    }
}

/// Returns the status of a response that consists of nothing but a head, as those of hyper do: each
/// response of the daemon has an id.
fn status(bytes: &[u8]) -> Option<u16> {
    let head = bytes.strip_suffix(b"\r\n\r\n")?;
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let is_bare = lines.clone().any(|line| line == "content-length: 0")
        && !lines.any(|line| line.is_empty() || line.starts_with(router::REQUEST_ID.as_str()));
    let status = status.parse().ok()?;
    (is_bare && matches!(status, 400 | 414 | 431)).then_some(status)
}

/// Maximum number of bytes of a request line in a response.
const SHOWN_BYTES: usize = 1024;

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if !self.exchanges.is_open() {
            let begun = self.exchanges.begun();
            self.line.take(begun, &buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && self.is_bare(bytes) {
            // `is_bare` has found one.
            let status = status(bytes).unwrap_or_default();
            self.exchanges.refuse();
            self.instead = Some(Instead {
                bytes: self.line.respond(bytes, status),
                replaced: bytes.len(),
            });
        }
        if self.instead.is_some() {
            return self.poll_instead(context);
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.is_whole = written == bytes.len();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // hyper writes a bare response in one piece; several are a response of the daemon.
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next())
            && (self.instead.is_some() || self.is_bare(only))
        {
            return self.poll_write(context, only);
        }
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.is_whole = written == length;
        Poll::Ready(Ok(written))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_refusals_are_replaced() {
        let check = |text: &str, expect| assert_eq!(status(text.as_bytes()), expect, "{text}");
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n";
        let end = "content-length: 0\r\ndate: x\r\n\r\n";
        check(&format!("{head}{end}"), Some(431));
        check(&format!("{head}x-request-id: 1\r\n{end}"), None);
        check(&format!("{head}content-length: 1\r\n\r\n"), None);
        check(&format!("{head}{end}{head}{end}"), None);
        check(
            "HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            Some(400),
        );
        check("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", None);
        check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None);
        check("", None);
    }

    #[test]
    fn a_request_line_is_read_as_far_as_it_goes() {
        let check = |parts: &[&str], method: Option<&str>, path: &str| {
            let mut line = RequestLine::default();
            for part in parts {
                line.take(0, part.as_bytes());
            }
            let (found, found_path) = line.parse();
            let found = found.map(|method| method.to_string());
            assert_eq!((found.as_deref(), found_path.as_str()), (method, path));
        };
        check(&["GET /a?b HTTP/1.1\r\nX: ", "y"], Some("GET"), "/a");
        check(&["\r", "\n", "PO", "ST /a", "b\nmore"], Some("POST"), "/ab");
        check(&["GET nowhere HTTP/1.1\r\n"], None, "");
        check(&["\u{16}\u{3}\u{1}"], None, "");
        check(&[], None, "");
        let mut line = RequestLine::default();
        line.take(0, b"GET /first HTTP/1.1\r\n");
        line.take(1, b"GET /second HTTP/1.1\r\n");
        assert_eq!(line.parse().1, "/second");
    }
}
