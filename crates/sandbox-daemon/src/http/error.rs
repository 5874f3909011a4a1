//! Errors as the error envelope.

use std::error::Error as StdError;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use sandbox_engine::record::BeyondEnd;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    ErrorEnvelope, IsolationLevel, OutputTruncation, SOURCE_DAEMON, Termination,
};

use super::response::{Body, empty_body};
use super::texts::{Object, Part};
use crate::service::Error;

/// A request that was not carried out.
#[derive(Debug)]
pub(crate) struct ApiError {
    error: Error,
    headers: Vec<(HeaderName, HeaderValue)>,
    partial: Box<Partial>,
}

/// The partial result of a run that failed.
#[derive(Debug, Default)]
pub(super) struct Partial {
    pub(super) termination: Option<Termination>,
    pub(super) truncation: Option<OutputTruncation>,
    pub(super) isolation_level: Option<IsolationLevel>,
    /// The error of each of several files.
    pub(super) errors: Option<Vec<String>>,
    /// Fields that are created while they are sent, by their names.
    pub(super) parts: Vec<(&'static str, Part)>,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self {
            error,
            headers: Vec::new(),
            partial: Box::default(),
        }
    }
}

impl From<BeyondEnd> for ApiError {
    fn from(error: BeyondEnd) -> Self {
        Error::from(error).into()
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error::new(code, message).into()
    }

    /// Returns a failure of the daemon, as [`Error::internal`] does.
    pub(crate) fn internal(error: impl StdError + 'static) -> Self {
        Error::internal(error).into()
    }

    pub(crate) fn method_not_allowed(allow: &[Method]) -> Self {
        let error = Self::new(ErrorCode::MethodNotAllowed, "not with this method");
        let names: Vec<_> = allow.iter().map(Method::as_str).collect();
        match HeaderValue::from_str(&names.join(", ")) {
            Ok(names) => error.header(header::ALLOW, names),
            Err(_) => error,
        }
    }

    /// Returns the error with an additional header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the error with the partial result of a run.
    pub(super) fn partial(self, partial: Partial) -> Self {
        Self {
            partial: Box::new(partial),
            ..self
        }
    }

    /// Returns the error as the response to a request, as far as that could be parsed.
    pub(crate) fn into_response(self, method: Option<&Method>, path: &str) -> Response<Body> {
        let code = self.error.code();
        let status =
            StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let envelope = ErrorEnvelope {
            status_code: status.as_u16(),
            message: self.error.message().to_owned(),
            code: Some(code.name().to_owned()),
            source: Some(SOURCE_DAEMON.to_owned()),
            timestamp: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            path: path.to_owned(),
            method: method.map(Method::to_string),
            termination: self.partial.termination,
            truncation: self.partial.truncation,
            isolation_level: self.partial.isolation_level,
            errors: self.partial.errors,
            ..ErrorEnvelope::default()
        };
        let mut response = match Object::new(&envelope, self.partial.parts) {
            Ok(object) => {
                let mut response = Response::new(object.body());
                response.extensions_mut().insert(object);
                response
            }
            // It is a map with string keys, which can always be serialized.
            Err(_) => Response::new(empty_body()),
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            // A 401 needs a challenge (RFC 9110, section 15.5.2).
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The shortage of the system's resources is temporary.
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        headers.extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_may_try_again_learns_when() {
        for code in ErrorCode::ALL {
            let response = ApiError::new(code, "why").into_response(None, "/");
            let waits = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(waits, code == ErrorCode::ServiceUnavailable, "{code:?}");
        }
    }
}
