//! Downloads, which are resumed after a cut.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use crate::exchange::timed_out;
use crate::http::HttpTransport;
use crate::http::call::Call;
use crate::limits::TRANSFER_IDLE;
use crate::resume::{Pieces, Reopen, Resumed};
use crate::source::event_stream;
use crate::{Delivery, Error, ErrorKind, FileReader};

/// Starts a download of what a route sends.
pub(super) async fn start(transport: &HttpTransport, route: String) -> Result<FileReader, Error> {
    let call = Call::get(route);
    let response = transport.open_body(&call).await?;
    let size = response.body().size_hint().exact();
    let tag = strong_tag(response.headers());
    let download = Download {
        idle: transport.options.deadline.unwrap_or(TRANSFER_IDLE),
        transport: transport.clone(),
        call,
        offset: 0,
        size,
        tag,
        body: response.into_body(),
    };
    Ok(FileReader::new(size, event_stream(Resumed::new(download))))
}

struct Download {
    transport: HttpTransport,
    call: Call,
    /// The longest wait for a piece.
    idle: Duration,
    /// The bytes that have arrived.
    offset: u64,
    /// The bytes that the whole of it has, if the daemon reports it.
    size: Option<u64>,
    /// The tag of the content, by which the rest of it is requested.
    tag: Option<HeaderValue>,
    body: Incoming,
}

impl Pieces for Download {
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        match self.received().await? {
            Some(piece) => {
                self.offset += piece.len() as u64;
                Ok(Some(piece))
            }
            None if self.size.is_none_or(|size| size == self.offset) => Ok(None),
            // A range may be shorter than what was requested.
            None => Err(ended_early()),
        }
    }

    fn can_reopen(&self) -> bool {
        // Without a strong tag, the rest could be that of another content.
        self.tag.is_some()
    }
}

impl Reopen for Download {
    async fn reopen(&mut self) -> Result<(), Error> {
        let range = HeaderValue::try_from(format!("bytes={}-", self.offset));
        let (Ok(range), Some(tag)) = (range, self.tag.clone()) else {
            return Err(ended_early());
        };
        let call = self.call.clone().header(header::RANGE, range);
        // If the file has changed, the daemon sends all of it with status 200 (RFC 9110, section
        // 13.1.5), which `check` reports.
        let call = call.header(header::IF_RANGE, tag);
        let response = self.transport.open_body(&call).await?;
        self.check(&response)?;
        self.body = response.into_body();
        Ok(())
    }
}

impl Download {
    /// Returns what arrives next; `None` at the end of the body.
    async fn received(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = timeout(self.idle, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| timed_out(self.idle, Delivery::Uncertain))? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| ended_early().with_source(error))?;
            match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                // Trailers.
                _ => {}
            }
        }
    }

    /// Checks that a response has the rest of the same content.
    fn check(&self, response: &Response<Incoming>) -> Result<(), Error> {
        let is_rest = response.status() == StatusCode::PARTIAL_CONTENT
            && first_byte(response.headers()) == Some(self.offset);
        let tag = strong_tag(response.headers());
        // Without a tag, `If-Range` has compared it already.
        if is_rest && (tag.is_none() || tag == self.tag) {
            return Ok(());
        }
        let (kind, message) = match response.status() {
            StatusCode::OK => (
                ErrorKind::Conflict,
                "the file changed while it was read".to_owned(),
            ),
            _ => {
                let message = format!("the daemon did not send the file from byte {}", self.offset);
                (ErrorKind::Protocol, message)
            }
        };
        Err(Error::new(kind, Delivery::Uncertain, message))
    }
}

fn ended_early() -> Error {
    let message = "the connection ended within the file";
    Error::new(ErrorKind::Closed, Delivery::Uncertain, message)
}

/// Returns the entity tag of a response, unless it is weak: only a strong one stands for the same bytes.
fn strong_tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(header::ETAG)?;
    tag.as_bytes().starts_with(b"\"").then(|| tag.clone())
}

/// Returns the offset of the first byte in a response with a range.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (first, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    first.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let check = |text: &'static str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_static(text));
            assert_eq!(first_byte(&headers), expect, "{text}");
        };
        check("bytes 5-9/10", Some(5));
        check("bytes 0-0/*", Some(0));
        check("bytes */10", None);
        check("items 5-9/10", None);
        check("bytes x-9/10", None);
        assert_eq!(first_byte(&HeaderMap::new()), None);
    }

    #[test]
    fn only_strong_tags_count() {
        let check = |text: &'static str, expect: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, HeaderValue::from_static(text));
            assert_eq!(strong_tag(&headers).is_some(), expect, "{text}");
        };
        check("\"a-1\"", true);
        check("W/\"a-1\"", false);
        check("a", false);
    }
}
