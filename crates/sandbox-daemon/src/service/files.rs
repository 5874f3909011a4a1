//! Operations on files of `sandbox-files`, and the codes of their errors.

use sandbox_wire::ErrorCode;

use super::{Error, is_shortage};

impl From<sandbox_files::Error> for Error {
    fn from(error: sandbox_files::Error) -> Self {
        use sandbox_files::Error as Files;
        if is_shortage(&error) {
            return Self::new(ErrorCode::ServiceUnavailable, error.to_string());
        }
        let code = match &error {
            Files::NotFound => ErrorCode::FileNotFound,
            Files::AccessDenied => ErrorCode::FileAccessDenied,
            Files::InvalidPath(_)
            | Files::NotADirectory
            | Files::IsADirectory
            | Files::NotRegular => ErrorCode::InvalidFilePath,
            Files::InvalidPattern(_) | Files::InvalidArchive(_) | Files::UnknownOwner(_) => {
                ErrorCode::BadRequest
            }
            Files::NotEmpty | Files::Exists | Files::InUse => ErrorCode::Conflict,
            Files::OtherFileSystem | Files::TooDeep => ErrorCode::UnprocessableEntity,
            Files::DiskFull => ErrorCode::InsufficientStorage,
            Files::TooLarge => ErrorCode::PayloadTooLarge,
            Files::Busy => ErrorCode::ServiceUnavailable,
            Files::Changed => ErrorCode::FileChanged,
            // Disk errors of the system.
            _ => ErrorCode::FileReadFailed,
        };
        Self::new(code, error.to_string())
    }
}

/// Returns an error that names the path which it is about.
pub(crate) fn about(path: &str, error: sandbox_files::Error) -> Error {
    let error = Error::from(error);
    Error::new(error.code(), format!("{path}: {}", error.message()))
}
