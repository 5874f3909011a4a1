//! What can go wrong with an operation.

use std::error::Error as StdError;
use std::fmt;

use crate::model::Outcome;

/// Why an operation failed.
///
/// `Display` tells this level only; [`source`](StdError::source) has the rest. Neither wording nor sources are stable:
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

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be made.
    Connect,
    /// A deadline passed: the caller's for the answer, or the command's own time limit.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// There is no such thing at the daemon.
    NotFound,
    /// The name is taken, or the state does not allow it, now or any more.
    Conflict,
    /// The request cannot be carried out as it is.
    InvalidInput,
    /// The daemon wants another token, or none helps.
    Unauthorized,
    /// Something is larger than one of the two sides takes.
    TooLarge,
    /// The peer sent what is no answer.
    Protocol,
    /// The daemon failed.
    Server,
    /// The daemon, or what carries the operations, has no such operation.
    Unsupported,
}

/// Whether the daemon may have carried out what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It never left: repeating it is safe.
    NotSent,
    /// The daemon refused it: it was not carried out.
    Rejected,
    /// It may have been carried out.
    Uncertain,
}

impl Error {
    /// An error of a carrier.
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

    /// The same with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same with the id under which the daemon knows the request.
    #[must_use]
    pub(crate) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    /// The same of another kind.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The daemon's refusal, by the status and the code that it has over HTTP.
    pub(crate) fn answered(status: u16, code: Option<String>, message: &str) -> Self {
        let (kind, delivery) = classify(status);
        let mut error = match message {
            "" => {
                let message = format!("the daemon answered with status {status}");
                Self::new(kind, delivery, message)
            }
            message => Self::new(kind, delivery, message),
        };
        error.0.status = Some(status);
        error.0.code = code;
        error
    }

    /// Adds what a command did that the error is about.
    pub(crate) fn with_outcome(mut self, outcome: Option<Outcome>) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Returns what the command did that ran out of its time, if the daemon reported that by this error.
    pub(crate) fn into_outcome(mut self) -> Result<Outcome, Self> {
        self.0.outcome.take().ok_or(self)
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the daemon may have carried out what failed.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// Returns the HTTP status, or over gRPC the one that says the most like it, if the daemon responded.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the daemon's machine-readable reason, if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The id under which the daemon's log knows the request, if it told one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the daemon, or what carries the operations, has no such operation.
    pub fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
    }

    /// Whether no connection could be made.
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Whether there is no such thing at the daemon.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether the name is taken, or the state does not allow it, now or any more.
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// Whether the connection ended before the answer did.
    pub fn is_closed(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Whether the daemon wants another token.
    pub fn is_unauthorized(&self) -> bool {
        self.kind() == ErrorKind::Unauthorized
    }
}

fn classify(status: u16) -> (ErrorKind, Delivery) {
    let kind = match status {
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        409 | 410 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        400..=499 => ErrorKind::InvalidInput,
        501 => ErrorKind::Unsupported,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Protocol,
    };
    let delivery = match status {
        // A command that ran out of its time has run.
        408 => Delivery::Uncertain,
        400..=499 | 501 => Delivery::Rejected,
        // The rest may be a proxy's word about a daemon that it lost.
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
    fn answers_are_classified() {
        let check = |status, kind, delivery| assert_eq!(classify(status), (kind, delivery));
        check(400, ErrorKind::InvalidInput, Delivery::Rejected);
        check(401, ErrorKind::Unauthorized, Delivery::Rejected);
        check(404, ErrorKind::NotFound, Delivery::Rejected);
        check(408, ErrorKind::Timeout, Delivery::Uncertain);
        check(410, ErrorKind::Conflict, Delivery::Rejected);
        check(502, ErrorKind::Server, Delivery::Uncertain);
        check(302, ErrorKind::Protocol, Delivery::Uncertain);
    }
    #[test]
    fn each_predicate_is_for_one_kind() {
        type Predicate = fn(&Error) -> bool;
        let predicates: [(ErrorKind, Predicate); 7] = [
            (ErrorKind::Closed, Error::is_closed),
            (ErrorKind::Conflict, Error::is_conflict),
            (ErrorKind::Connect, Error::is_connect),
            (ErrorKind::NotFound, Error::is_not_found),
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
