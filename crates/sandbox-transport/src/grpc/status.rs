//! Conversion of a call's status to an error.

use std::error::Error as _;

use sandbox_wire::{ErrorCode, GRPC_ERROR_CODE_KEY};
use tonic::{Code, Status};

use crate::{Delivery, Error, ErrorKind};

/// Returns the error of a status, as HTTP would have reported it.
pub(super) fn error(status: Status) -> Error {
    let text = |key| status.metadata().get(key)?.to_str().ok().map(str::to_owned);
    let request_id = text("x-request-id");
    let name = text(GRPC_ERROR_CODE_KEY);
    let error = match name {
        Some(name) => answered(&status, Some(name)),
        None => unnamed(status),
    };
    error.with_request_id(request_id)
}

/// Returns the error of a stream that ended without its last message, so that the result is not known.
pub(super) fn cut() -> Error {
    let message = "the call ended before it was over";
    Error::new(ErrorKind::Closed, Delivery::Uncertain, message)
}

/// Returns the error of a message without a part that is required.
pub(super) fn incomplete(part: &str) -> Error {
    let message = format!("the daemon's message has no {part}");
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}

fn answered(status: &Status, name: Option<String>) -> Error {
    // The name is more exact than the code of gRPC, which several of the daemon's errors share.
    let known = name.as_deref().and_then(ErrorCode::from_name);
    let by_name = known.map(ErrorCode::http_status);
    let status_of = by_name.unwrap_or_else(|| http_status(status.code()));
    let error = Error::answered(status_of, name, status.message());
    match status.code() {
        // The nearest status of HTTP is 405, which by itself would be an invalid request.
        Code::Unimplemented => error.with_kind(ErrorKind::Unsupported),
        _ => error,
    }
}

/// Returns the error of a status that is not in the daemon's table: from the libraries, a proxy, or a daemon that ends
/// its streams.
fn unnamed(status: Status) -> Error {
    let (kind, message) = match status.code() {
        // tonic sets a source for what the connection reported, never for a status that the daemon
        // sent.
        _ if status.source().is_some() => (
            ErrorKind::Closed,
            "the connection ended within the response",
        ),
        Code::Cancelled | Code::Unavailable => (ErrorKind::Closed, "the daemon ended the call"),
        // The libraries report this for a message that is too long, in either direction.
        Code::OutOfRange => (ErrorKind::TooLarge, "a message is too long"),
        _ => return answered(&status, None),
    };
    Error::new(kind, Delivery::Uncertain, message).with_source(status)
}

/// Returns the HTTP status that is nearest to a code.
fn http_status(code: Code) -> u16 {
    match code {
        Code::InvalidArgument => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::Unimplemented => 405,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => 409,
        Code::OutOfRange => 416,
        Code::ResourceExhausted => 429,
        Code::DeadlineExceeded => 504,
        Code::Unavailable => 503,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    fn named(code: ErrorCode) -> Status {
        let mut status = Status::new(Code::from(code.grpc_code()), "why");
        let name = MetadataValue::from_static(code.name());
        status.metadata_mut().insert(GRPC_ERROR_CODE_KEY, name);
        status
    }

    #[test]
    fn a_named_status_is_that_of_http() {
        for code in ErrorCode::ALL {
            let error = error(named(code));
            assert_eq!(error.code(), Some(code.name()));
            assert_eq!(error.status(), Some(code.http_status()));
            assert_eq!(error.to_string(), "why");
            let name = Some(code.name().to_owned());
            let over_http = Error::answered(code.http_status(), name, "");
            assert_eq!(error.delivery(), over_http.delivery(), "{code:?}");
            if code != ErrorCode::MethodNotAllowed {
                assert_eq!(error.kind(), over_http.kind(), "{code:?}");
            }
        }
    }

    #[test]
    fn other_statuses_are_classified() {
        use Delivery::{Rejected, Uncertain};
        let check = |code, kind, delivery| {
            let error = error(Status::new(code, "why"));
            assert_eq!((error.kind(), error.delivery()), (kind, delivery), "{code}");
        };
        check(Code::Unauthenticated, ErrorKind::Unauthorized, Rejected);
        check(Code::NotFound, ErrorKind::NotFound, Rejected);
        check(Code::Unimplemented, ErrorKind::Unsupported, Rejected);
        check(Code::Aborted, ErrorKind::Conflict, Rejected);
        check(Code::ResourceExhausted, ErrorKind::InvalidInput, Rejected);
        check(Code::DeadlineExceeded, ErrorKind::Timeout, Uncertain);
        check(Code::Unavailable, ErrorKind::Closed, Uncertain);
        check(Code::Cancelled, ErrorKind::Closed, Uncertain);
        check(Code::OutOfRange, ErrorKind::TooLarge, Uncertain);
        check(Code::Internal, ErrorKind::Server, Uncertain);
        check(Code::Unknown, ErrorKind::Server, Uncertain);
        let broken = Status::from_error(Box::new(std::io::Error::other("reset")));
        assert_eq!(error(broken).kind(), ErrorKind::Closed);
        let mut newer = Status::not_found("why");
        let name = MetadataValue::from_static("OF_TOMORROW");
        newer.metadata_mut().insert(GRPC_ERROR_CODE_KEY, name);
        let newer = error(newer);
        assert_eq!(newer.kind(), ErrorKind::NotFound);
        assert_eq!(newer.code(), Some("OF_TOMORROW"));
    }
}
