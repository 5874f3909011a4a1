//! The error of an operation that was not carried out.

use std::error::Error as StdError;
use std::io;

use rustix::io::Errno;
use sandbox_engine::SpawnError;
use sandbox_engine::record::BeyondEnd;
use sandbox_engine::resources::LimitError;
use sandbox_wire::ErrorCode;

use crate::limits::REQUEST_VALUES;

/// An operation that was refused or failed: a code of the table that all protocols share, and a text for people.
#[derive(Debug)]
pub(crate) struct Error {
    code: ErrorCode,
    message: String,
}

impl From<BeyondEnd> for Error {
    fn from(error: BeyondEnd) -> Self {
        Self::new(ErrorCode::RangeNotSatisfiable, error.to_string())
    }
}

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Returns the code of the error.
    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// Returns the message of the error, for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error for an invalid request.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// Returns the error for a request whose body lacks a field.
    pub(crate) fn incomplete(message: &str) -> Self {
        let message = format!("invalid request body: {message}");
        Self::new(ErrorCode::InvalidRequestBody, message)
    }

    /// Returns the error for a request with too many values.
    pub(crate) fn too_many_values() -> Self {
        let message = format!("the request has more than {REQUEST_VALUES} values");
        Self::new(ErrorCode::PayloadTooLarge, message)
    }

    /// Returns the error for a name that nothing has, be it a session or a command.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::ProcessNotFound, format!("no such {what}"))
    }

    /// Returns a failure of the daemon: logged in full, reported without details. If the system is out of
    /// some resource, the failure is temporary, and the client may try again.
    pub(crate) fn internal(error: impl StdError + 'static) -> Self {
        if is_shortage(&error) {
            return Self::short(&error);
        }
        tracing::error!(error = chain(&error), "internal error");
        Self::new(
            ErrorCode::InternalServerError,
            "internal error; the daemon's log has details",
        )
    }

    /// Returns the error for a shortage of the system's resources: nothing was started or created, and
    /// the shortage is temporary.
    fn short(error: &(dyn StdError + 'static)) -> Self {
        let text = chain(error);
        tracing::warn!(error = text, "the system is short of something");
        Self::new(ErrorCode::ServiceUnavailable, text)
    }

    /// Returns the error for a process that was not started: the system is out of some resource, or else `code`.
    pub(crate) fn not_started(
        what: &str,
        error: &(dyn StdError + 'static),
        code: ErrorCode,
    ) -> Self {
        if is_shortage(error) {
            return Self::short(error);
        }
        let mut cause = Some(error);
        while let Some(error) = cause {
            // The isolation may be the cause at any depth.
            if let Some(error) = error.downcast_ref() {
                return super::isolation::refusal(error);
            }
            cause = error.source();
        }
        Self::new(code, format!("{what} was not started: {}", chain(error)))
    }

    /// Returns the error for a limit of a request that was not applied.
    pub(crate) fn of_limit(error: &LimitError) -> Self {
        let code = match error {
            LimitError::Unavailable { .. } => ErrorCode::ResourceLimitUnavailable,
            LimitError::OutOfRange { .. } | LimitError::AboveDefault { .. } => {
                ErrorCode::BadRequest
            }
            LimitError::TooMany => ErrorCode::TooManyRequests,
            error if is_shortage(error) => return Self::short(error),
            error => return Self::internal(error.clone()),
        };
        Self::new(code, chain(error))
    }

    /// Returns the failure to start a process as a result, unless the process could start a moment later, or with
    /// other limits.
    pub(super) fn unless_result(error: SpawnError) -> Result<SpawnError, Self> {
        match error {
            SpawnError::Limit(error) => Err(Self::of_limit(&error)),
            error if is_shortage(&error) => Err(Self::short(&error)),
            // Nothing is isolated less than it was asked for.
            SpawnError::Isolation(error) => Err(super::isolation::refusal(&error)),
            error => Ok(error),
        }
    }
}

/// Returns whether an error is caused by a temporary shortage of processes, descriptors or memory in the
/// system.
pub(crate) fn is_shortage(error: &(dyn StdError + 'static)) -> bool {
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

/// Returns an error and its causes, in one line.
pub fn chain(error: &dyn StdError) -> String {
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
    use sandbox_engine::CreateSessionError;

    use super::*;

    #[test]
    fn shortages_are_found_wherever_they_are() {
        let check = |errno: Errno, expect| {
            let error = CreateSessionError::Spawn(SpawnError::Os(errno.into()));
            assert_eq!(is_shortage(&error), expect, "{errno}");
            let code = Error::internal(error).code();
            assert_eq!(code == ErrorCode::ServiceUnavailable, expect, "{errno}");
        };
        check(Errno::MFILE, true);
        check(Errno::AGAIN, true);
        check(Errno::NOMEM, true);
        check(Errno::NOENT, false);
    }
}
