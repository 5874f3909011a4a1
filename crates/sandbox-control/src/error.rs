//! Refusals, and their form in a response.

use std::time::SystemTime;

use http::{HeaderValue, Method, Response, StatusCode, header};
use sandbox_provider::Error as ProviderError;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::ErrorEnvelope;

use crate::body::{Body, whole};

/// Why a request was refused.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    message: String,
    source: &'static str,
}

/// The `source` of the API's own errors, as the official clients know it.
const SOURCE_API: &str = "DAYTONA_API";

/// The `source` of errors on the way to a sandbox.
const SOURCE_PROXY: &str = "DAYTONA_PROXY";

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            source: SOURCE_API,
        }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotImplemented, message)
    }

    /// Marks the error as one of the way to a sandbox.
    pub(crate) fn of_proxy(self) -> Self {
        Self {
            source: SOURCE_PROXY,
            ..self
        }
    }

    /// Turns what a provider does not support into a bad request: the description asks for it.
    pub(crate) fn of_description(error: ProviderError) -> Self {
        match error {
            ProviderError::Unsupported { what } => Self::bad(what),
            other => other.into(),
        }
    }

    /// Returns the message, for people.
    #[cfg(feature = "ssh")]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the response to a request.
    pub(crate) fn into_response(self, method: &Method, path: &str) -> Response<Body> {
        let status = StatusCode::from_u16(self.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let envelope = ErrorEnvelope {
            status_code: status.as_u16(),
            message: self.message,
            code: Some(self.code.name().to_owned()),
            source: Some(self.source.to_owned()),
            timestamp: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            path: path.to_owned(),
            method: Some(method.to_string()),
            ..ErrorEnvelope::default()
        };
        // It is a map with string keys, which can always be serialized.
        let bytes = serde_json::to_vec(&envelope).unwrap_or_default();
        let mut response = Response::new(whole(bytes));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<ProviderError> for ApiError {
    fn from(error: ProviderError) -> Self {
        let code = match &error {
            ProviderError::NotFound { .. } => ErrorCode::NotFound,
            ProviderError::NameTaken { .. } | ProviderError::WrongState { .. } => {
                ErrorCode::Conflict
            }
            ProviderError::Unsupported { .. } => ErrorCode::NotImplemented,
            ProviderError::Invalid { .. } => ErrorCode::BadRequest,
            ProviderError::Exhausted { .. } => ErrorCode::InsufficientStorage,
            failed => {
                tracing::warn!(
                    error = failed as &dyn std::error::Error,
                    "a provider failed"
                );
                ErrorCode::InternalServerError
            }
        };
        Self::new(code, error.to_string())
    }
}
