//! Responses to requests.

use std::error::Error as StdError;
use std::io;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy;
use sandbox_wire::rest::ErrorEnvelope;
use serde::de::DeserializeOwned;

use crate::limits::ERROR_TEXT_CHARACTERS;
use crate::{Delivery, Endpoint, Error, ErrorKind};

/// A successful response of a daemon.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    /// The id under which the daemon's log has the request.
    pub(crate) id: Option<String>,
    body: Bytes,
    /// The connection that became a WebSocket; present if one was requested.
    pub(crate) upgraded: Option<Upgraded>,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = "the daemon's response cannot be read";
            Error::new(ErrorKind::Protocol, Delivery::Uncertain, message).with_source(error)
        })
    }

    /// Checks that the response is empty, or JSON that does not matter: the page of a proxy is not a daemon's success.
    pub(crate) fn nothing(&self) -> Result<(), Error> {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.as_bytes().to_ascii_lowercase());
        let is_json = content_type.is_none_or(|found| found.starts_with(b"application/json"));
        if self.body.is_empty() || is_json {
            Ok(())
        } else {
            let message = "the response is not the daemon's";
            Err(Error::new(
                ErrorKind::Protocol,
                Delivery::Uncertain,
                message,
            ))
        }
    }
}

/// A function that converts the status and body of a refusal to an error.
pub(crate) type Refuse = fn(u16, ErrorEnvelope) -> Error;

/// Reads a response to its end. `is_upgrade`: the response should be a WebSocket.
pub(crate) async fn read(
    response: Response<Incoming>,
    limit: usize,
    is_upgrade: bool,
    refuse: Refuse,
) -> Result<Answer, Error> {
    let id = response.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let result = read_known(response, limit, is_upgrade, refuse, id.clone()).await;
    result.map_err(|error| error.with_request_id(id))
}

async fn read_known(
    response: Response<Incoming>,
    limit: usize,
    is_upgrade: bool,
    refuse: Refuse,
    id: Option<String>,
) -> Result<Answer, Error> {
    let status = response.status();
    let headers = response.headers().clone();
    if status == StatusCode::SWITCHING_PROTOCOLS && is_upgrade {
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| {
            let message = "the connection ended before it was a WebSocket";
            Error::new(ErrorKind::Closed, Delivery::Uncertain, message).with_source(error)
        })?;
        return Ok(Answer {
            headers,
            id,
            body: Bytes::new(),
            upgraded: Some(upgraded),
        });
    }
    // Read for a refusal, too: a connection whose response was not read to its end cannot be
    // reused.
    let body = collect(response.into_body(), limit).await;
    if status.is_success() && !is_upgrade {
        return Ok(Answer {
            headers,
            id,
            body: body?,
            upgraded: None,
        });
    }
    // A server that ignores `Upgrade` responds as to any GET (RFC 9110, section 7.8).
    if status.is_success() || status.is_informational() {
        let message = "the response is no WebSocket";
        return Err(Error::new(
            ErrorKind::Protocol,
            Delivery::Uncertain,
            message,
        ));
    }
    if status.is_redirection() {
        // To follow it would send the token to whichever host a proxy names.
        let to = headers.get(header::LOCATION);
        let to = to.map(|to| String::from_utf8_lossy(to.as_bytes()));
        let to = to.as_deref().unwrap_or("elsewhere");
        let message = format!("the daemon is said to be at {to}; redirects are not followed");
        return Err(Error::answered(status.as_u16(), None, &message));
    }
    // The status is sufficient if the body was lost.
    let envelope = envelope(&body.unwrap_or_default());
    Err(refuse(status.as_u16(), envelope))
}

/// Returns the error that a refusal's envelope describes.
pub(crate) fn refusal(status: u16, envelope: ErrorEnvelope) -> Error {
    // Stock daemons report the files of an upload that were not written in this list alone.
    let errors = envelope.errors.filter(|_| envelope.message.is_empty());
    let message = match errors {
        Some(errors) => errors.join(", "),
        None => envelope.message,
    };
    Error::answered(status, envelope.code, &message)
}

async fn collect(body: Incoming, limit: usize) -> Result<Bytes, Error> {
    let body = Limited::new(body, limit).collect().await;
    let body = body.map_err(|error| {
        let (kind, message) = if error.is::<LengthLimitError>() {
            let message = format!("the response is longer than {limit} bytes");
            (ErrorKind::TooLarge, message)
        } else {
            let message = "the connection ended within the response".to_owned();
            (ErrorKind::Closed, message)
        };
        Error::new(kind, Delivery::Uncertain, message).with_source(error)
    })?;
    Ok(body.to_bytes())
}

/// Reads the envelope of an error. A proxy's error page has none: its text becomes the message.
pub(crate) fn envelope(body: &[u8]) -> ErrorEnvelope {
    serde_json::from_slice(body).unwrap_or_else(|_| ErrorEnvelope {
        message: String::from_utf8_lossy(body)
            .trim()
            .chars()
            .take(ERROR_TEXT_CHARACTERS)
            .collect(),
        ..ErrorEnvelope::default()
    })
}

/// Returns the error of a request without a response.
pub(crate) fn lost(error: legacy::Error, endpoint: &Endpoint) -> Error {
    let below = error.source().and_then(|source| source.downcast_ref());
    let (kind, delivery, message) = if error.is_connect() {
        if has_timed_out(&error) {
            let message = format!("no connection to {endpoint} in time");
            (ErrorKind::Timeout, Delivery::NotSent, message)
        } else {
            let message = format!("cannot connect to {endpoint}");
            (ErrorKind::Connect, Delivery::NotSent, message)
        }
    } else if below.is_some_and(hyper::Error::is_canceled) {
        // hyper reports this only for requests that it had not begun to write.
        let message = "the connection ended before the request".to_owned();
        (ErrorKind::Closed, Delivery::NotSent, message)
    } else if below.is_some_and(|below| below.is_parse()) {
        let message = "the response is no HTTP".to_owned();
        (ErrorKind::Protocol, Delivery::Uncertain, message)
    } else {
        // hyper does not report how much of the request it has written: all of it may have arrived.
        let message = "the connection ended before the response".to_owned();
        (ErrorKind::Closed, Delivery::Uncertain, message)
    };
    Error::new(kind, delivery, message).with_source(error)
}

fn has_timed_out(error: &legacy::Error) -> bool {
    // The connector reports its limit as an `io::Error`, to which hyper adds levels of its own.
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::TimedOut;
        }
        source = error.source();
    }
    false
}
