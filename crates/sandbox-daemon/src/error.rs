//! Failures, as the error envelope.

use std::error::Error;
use std::io;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use rustix::io::Errno;
use sandbox_engine::record::BeyondEnd;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{ErrorEnvelope, SOURCE_DAEMON};

use crate::response::{Body, empty_body};
use crate::texts::{Object, Part};

/// A request that was not carried out.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    envelope: Box<ErrorEnvelope>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Fields that are made while they are sent, by their names.
    parts: Vec<(&'static str, Part)>,
}

impl From<BeyondEnd> for ApiError {
    fn from(error: BeyondEnd) -> Self {
        Self::new(ErrorCode::RangeNotSatisfiable, error.to_string())
    }
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let envelope = ErrorEnvelope {
            message: message.into(),
            ..ErrorEnvelope::default()
        };
        Self::with(code, envelope)
    }

    /// An error that tells more; status, code, source, time, path and method are filled in later.
    pub(crate) fn with(code: ErrorCode, envelope: ErrorEnvelope) -> Self {
        Self {
            code,
            envelope: Box::new(envelope),
            headers: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The error, with further fields.
    pub(crate) fn parts(mut self, parts: Vec<(&'static str, Part)>) -> Self {
        self.parts = parts;
        self
    }

    /// What is wrong.
    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// The same for people.
    pub(crate) fn message(&self) -> &str {
        &self.envelope.message
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(ErrorCode::Unauthorized, message)
    }

    pub(crate) fn method_not_allowed(allow: &[Method]) -> Self {
        let error = Self::new(ErrorCode::MethodNotAllowed, "not with this method");
        let names: Vec<_> = allow.iter().map(Method::as_str).collect();
        match HeaderValue::from_str(&names.join(", ")) {
            Ok(names) => error.header(header::ALLOW, names),
            Err(_) => error,
        }
    }

    /// Nothing has this name, be it a session or a command.
    pub(crate) fn process_not_found(what: &str) -> Self {
        Self::new(ErrorCode::ProcessNotFound, format!("no such {what}"))
    }

    /// The error, with a header more.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A failure of the daemon: logged whole, reported without details. If the system is short of
    /// something, it is one that passes, and the client may try again.
    pub(crate) fn internal(error: impl Error + 'static) -> Self {
        if is_shortage(&error) {
            return Self::short(&error);
        }
        tracing::error!(error = chain(&error), "internal error");
        Self::new(
            ErrorCode::InternalServerError,
            "internal error; the daemon's log has details",
        )
    }

    /// That something was not started or made: nothing was done, and the system will have what it
    /// needs again.
    fn short(error: &(dyn Error + 'static)) -> Self {
        let text = chain(error);
        tracing::warn!(error = text, "the system is short of something");
        let error = Self::new(ErrorCode::ServiceUnavailable, text);
        error.header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// That a process was not started which the request is about: 503 while the system is short of
    /// something, else `code`.
    pub(crate) fn not_started(what: &str, error: &(dyn Error + 'static), code: ErrorCode) -> Self {
        match is_shortage(error) {
            true => Self::short(error),
            false => Self::new(code, format!("{what} was not started: {}", chain(error))),
        }
    }

    /// The error as a response to a request, as far as that could be read.
    pub(crate) fn into_response(self, method: Option<&Method>, path: &str) -> Response<Body> {
        let status = StatusCode::from_u16(self.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let envelope = ErrorEnvelope {
            status_code: status.as_u16(),
            code: Some(self.code.name().to_owned()),
            source: Some(SOURCE_DAEMON.to_owned()),
            timestamp: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            path: path.to_owned(),
            method: method.map(Method::to_string),
            ..*self.envelope
        };
        let mut response = match Object::new(&envelope, self.parts) {
            Ok(object) => {
                let mut response = Response::new(object.body());
                response.extensions_mut().insert(object);
                response
            }
            // It is a map with string keys, which always can be written.
            Err(_) => Response::new(empty_body()),
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(self.headers);
        response
    }
}

/// Whether an error comes from the system having too few processes, descriptors or too little
/// memory for now.
pub(crate) fn is_shortage(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return SHORTAGES.contains(&error.raw_os_error());
        }
        cause = error.source();
    }
    false
}

/// `EAGAIN` is what `fork` reports at the limit of processes.
const SHORTAGES: [Option<i32>; 5] = [
    Some(Errno::MFILE.raw_os_error()),
    Some(Errno::NFILE.raw_os_error()),
    Some(Errno::AGAIN.raw_os_error()),
    Some(Errno::NOMEM.raw_os_error()),
    Some(Errno::NOBUFS.raw_os_error()),
];

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use sandbox_engine::{CreateSessionError, SpawnError};

    use super::*;

    #[test]
    fn shortages_are_found_wherever_they_are() {
        let check = |errno: Errno, expect| {
            let error = CreateSessionError::Spawn(SpawnError::Os(errno.into()));
            assert_eq!(is_shortage(&error), expect, "{errno}");
            let response = ApiError::internal(error).into_response(None, "/");
            let is_503 = response.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(is_503, expect, "{errno}");
            let waits = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(waits, expect, "{errno}");
        };
        check(Errno::MFILE, true);
        check(Errno::AGAIN, true);
        check(Errno::NOMEM, true);
        check(Errno::NOENT, false);
    }
}
