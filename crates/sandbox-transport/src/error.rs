//! Errors of operations.

use std::error::Error as StdError;
use std::fmt;

use sandbox_wire::ErrorCode;

use crate::model::Outcome;

/// The error of an operation that failed.
///
/// `Display` writes this level only; [`source`](StdError::source) has the rest. Neither wording nor sources are stable:
/// branch on [`kind`](Self::kind) and [`delivery`](Self::delivery).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    delivery: Delivery,
    message: String,
    request_id: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    outcome: Option<Outcome>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made.
    Connect,
    /// A deadline passed: the caller's for the response, or the command's own time limit.
    Timeout,
    /// The connection ended before the response did.
    Closed,
    /// The daemon has nothing of this name or id.
    NotFound,
    /// The name is in use, or the current state does not allow the operation.
    Conflict,
    /// The request is not valid.
    InvalidInput,
    /// The daemon requires another token, or none is sufficient.
    Unauthorized,
    /// The daemon's user may not do this with the file.
    PermissionDenied,
    /// A file on this side of the connection cannot be read or written.
    Local,
    /// Something is larger than one of the two sides accepts.
    TooLarge,
    /// The peer sent something that is not a valid response.
    Protocol,
    /// The daemon failed.
    Server,
    /// The daemon, or the transport, does not have the operation.
    Unsupported,
}

/// Whether the daemon may have carried out a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The request was not sent: repeating it is safe.
    NotSent,
    /// The daemon refused the request: it was not carried out.
    Rejected,
    /// The request may have been carried out.
    Uncertain,
}

impl Error {
    /// Creates an error of a transport.
    pub fn new(kind: ErrorKind, delivery: Delivery, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            delivery,
            message: message.into(),
            request_id: None,
            status: None,
            code: None,
            outcome: None,
            source: None,
        }))
    }

    /// Sets the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the id under which the daemon's log has the request.
    #[must_use]
    pub(crate) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    /// Sets the kind.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the error of a refusal by the daemon, from its HTTP status and code.
    pub(crate) fn answered(status: u16, code: Option<String>, message: &str) -> Self {
        let (kind, delivery) = classify(status);
        let kind = match code.as_deref() {
            // Not a matter of the token, unlike the other responses of this status.
            Some(code) if code == ErrorCode::FileAccessDenied.name() => ErrorKind::PermissionDenied,
            _ => kind,
        };
        let mut error = match message {
            "" => {
                let message = format!("the daemon responded with status {status}");
                Self::new(kind, delivery, message)
            }
            message => Self::new(kind, delivery, message),
        };
        error.0.status = Some(status);
        error.0.code = code;
        error
    }

    /// Adds the outcome of the command that the error is about.
    pub(crate) fn with_outcome(mut self, outcome: Option<Outcome>) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Returns the outcome of a command that ran out of time, if the daemon reported it in this error.
    pub(crate) fn into_outcome(mut self) -> Result<Outcome, Self> {
        self.0.outcome.take().ok_or(self)
    }

    /// Returns the kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the daemon may have carried out the request.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// Returns the HTTP status, or over gRPC the nearest equivalent, if the daemon responded.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the daemon's machine-readable reason, if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns the id under which the daemon's log has the request, if the daemon sent one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns whether the daemon, or the transport, does not have the operation.
    pub fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
    }

    /// Returns whether no connection could be made.
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Returns whether the daemon has nothing of this name or id.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Returns whether the daemon's user may not do this with the file.
    pub fn is_permission_denied(&self) -> bool {
        self.kind() == ErrorKind::PermissionDenied
    }

    /// Returns whether the name is in use, or the current state does not allow the operation.
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// Returns whether the connection ended before the response did.
    pub fn is_closed(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Returns whether the daemon requires another token.
    pub fn is_unauthorized(&self) -> bool {
        self.kind() == ErrorKind::Unauthorized
    }
}

fn classify(status: u16) -> (ErrorKind, Delivery) {
    let kind = match status {
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        // 412 is for content that has changed.
        409 | 410 | 412 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        400..=499 => ErrorKind::InvalidInput,
        501 => ErrorKind::Unsupported,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Protocol,
    };
    let delivery = match status {
        // A command that ran out of time has run.
        408 => Delivery::Uncertain,
        400..=499 | 501 => Delivery::Rejected,
        // The rest may come from a proxy that lost the daemon.
        _ => Delivery::Uncertain,
    };
    (kind, delivery)
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("delivery", &self.0.delivery)
            .field("message", &self.0.message)
            .field("status", &self.status())
            .field("code", &self.code())
            .field("request_id", &self.0.request_id)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_classified() {
        let check = |status, kind, delivery| assert_eq!(classify(status), (kind, delivery));
        check(400, ErrorKind::InvalidInput, Delivery::Rejected);
        check(401, ErrorKind::Unauthorized, Delivery::Rejected);
        check(403, ErrorKind::Unauthorized, Delivery::Rejected);
        check(412, ErrorKind::Conflict, Delivery::Rejected);
        let denied = Error::answered(403, Some("FILE_ACCESS_DENIED".to_owned()), "");
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
        check(404, ErrorKind::NotFound, Delivery::Rejected);
        check(408, ErrorKind::Timeout, Delivery::Uncertain);
        check(410, ErrorKind::Conflict, Delivery::Rejected);
        check(502, ErrorKind::Server, Delivery::Uncertain);
        check(302, ErrorKind::Protocol, Delivery::Uncertain);
    }
    #[test]
    fn each_predicate_is_for_one_kind() {
        type Predicate = fn(&Error) -> bool;
        let predicates: [(ErrorKind, Predicate); 8] = [
            (ErrorKind::Closed, Error::is_closed),
            (ErrorKind::Conflict, Error::is_conflict),
            (ErrorKind::Connect, Error::is_connect),
            (ErrorKind::NotFound, Error::is_not_found),
            (ErrorKind::PermissionDenied, Error::is_permission_denied),
            (ErrorKind::Timeout, Error::is_timeout),
            (ErrorKind::Unauthorized, Error::is_unauthorized),
            (ErrorKind::Unsupported, Error::is_unsupported),
        ];
        for (kind, _) in predicates {
            let error = Error::new(kind, Delivery::Uncertain, "it failed");
            for (other, holds) in predicates {
                assert_eq!(holds(&error), kind == other, "{kind:?} {other:?}");
            }
        }
    }
}
