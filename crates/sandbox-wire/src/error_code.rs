//! The table of error codes.

/// A machine-readable reason, as in an error envelope's `code`.
///
/// Official clients map an unknown name to their general error for the HTTP status, so the table may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A value in the request is not acceptable.
    BadRequest,
    /// The request's body cannot be read.
    InvalidRequestBody,
    /// The token is missing or wrong.
    Unauthorized,
    /// The peer may not do this with any token.
    Forbidden,
    /// The named object does not exist.
    NotFound,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The time for an operation ran out.
    RequestTimeout,
    /// The name is in use, or the current state does not allow the operation.
    Conflict,
    /// The object existed and has ended.
    Gone,
    /// The body is longer than the daemon reads.
    PayloadTooLarge,
    /// The request's target is longer than the daemon reads.
    UriTooLong,
    /// The body is encoded in a way that the daemon does not decode.
    UnsupportedMediaType,
    /// An offset is beyond the end.
    RangeNotSatisfiable,
    /// The `Expect` header asks for something that the daemon does not do.
    ExpectationFailed,
    /// The request is well formed and cannot be carried out.
    UnprocessableEntity,
    /// The number of these objects has reached the daemon's limit.
    TooManyRequests,
    /// The header fields are longer, or more, than the daemon reads.
    RequestHeaderFieldsTooLarge,
    /// The daemon failed.
    InternalServerError,
    /// The protocol has this operation, and the daemon does not serve it.
    NotImplemented,
    /// The daemon does not accept requests now.
    ServiceUnavailable,
    /// A command or program exceeded its time limit.
    ProcessExecutionTimeout,
    /// The session or command does not exist.
    ProcessNotFound,
    /// The session's shell has ended.
    SessionEnded,
    /// The command has already ended.
    CommandAlreadyCompleted,
    /// No file or directory has this path.
    FileNotFound,
    /// The daemon's user may not do this with the file.
    FileAccessDenied,
    /// The path is invalid, or the file at it has the wrong type for the operation.
    InvalidFilePath,
    /// The file could not be read or written to its end.
    FileReadFailed,
    /// No space is left for the file.
    InsufficientStorage,
    /// The system does not let processes be isolated as the request asks.
    IsolationUnavailable,
    /// The file is not the one that the request is about, or was modified while it was read.
    FileChanged,
    /// The daemon's system cannot enforce a limit of the request; nothing was started.
    ResourceLimitUnavailable,
}

impl ErrorCode {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 32] = [
        Self::BadRequest,
        Self::InvalidRequestBody,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::Gone,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::RangeNotSatisfiable,
        Self::ExpectationFailed,
        Self::UnprocessableEntity,
        Self::TooManyRequests,
        Self::RequestHeaderFieldsTooLarge,
        Self::InternalServerError,
        Self::NotImplemented,
        Self::ServiceUnavailable,
        Self::ProcessExecutionTimeout,
        Self::ProcessNotFound,
        Self::SessionEnded,
        Self::CommandAlreadyCompleted,
        Self::FileNotFound,
        Self::FileAccessDenied,
        Self::InvalidFilePath,
        Self::FileReadFailed,
        Self::InsufficientStorage,
        Self::IsolationUnavailable,
        Self::FileChanged,
        Self::ResourceLimitUnavailable,
    ];

    /// Returns the name that is sent.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the corresponding HTTP status.
    pub const fn http_status(self) -> u16 {
        self.row().1
    }

    /// Returns the corresponding gRPC status code (numbers of `grpc::StatusCode`).
    pub const fn grpc_code(self) -> i32 {
        self.row().2
    }

    /// Returns the code called `name`, if the table contains it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    const fn row(self) -> (&'static str, u16, i32) {
        match self {
            Self::BadRequest => ("BAD_REQUEST", 400, 3),
            Self::InvalidRequestBody => ("INVALID_REQUEST_BODY", 400, 3),
            Self::Unauthorized => ("UNAUTHORIZED", 401, 16),
            Self::Forbidden => ("FORBIDDEN", 403, 7),
            Self::NotFound => ("NOT_FOUND", 404, 5),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, 12),
            Self::RequestTimeout => ("REQUEST_TIMEOUT", 408, 4),
            Self::Conflict => ("CONFLICT", 409, 6),
            Self::Gone => ("GONE", 410, 9),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", 413, 8),
            Self::UriTooLong => ("URI_TOO_LONG", 414, 3),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", 415, 3),
            Self::RangeNotSatisfiable => ("RANGE_NOT_SATISFIABLE", 416, 11),
            Self::ExpectationFailed => ("EXPECTATION_FAILED", 417, 3),
            Self::UnprocessableEntity => ("UNPROCESSABLE_ENTITY", 422, 9),
            Self::TooManyRequests => ("TOO_MANY_REQUESTS", 429, 8),
            Self::RequestHeaderFieldsTooLarge => ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431, 8),
            Self::InternalServerError => ("INTERNAL_SERVER_ERROR", 500, 13),
            Self::NotImplemented => ("NOT_IMPLEMENTED", 501, 12),
            Self::ServiceUnavailable => ("SERVICE_UNAVAILABLE", 503, 14),
            Self::ProcessExecutionTimeout => ("PROCESS_EXECUTION_TIMEOUT", 408, 4),
            Self::ProcessNotFound => ("PROCESS_NOT_FOUND", 404, 5),
            Self::SessionEnded => ("SESSION_ENDED", 410, 9),
            Self::CommandAlreadyCompleted => ("COMMAND_ALREADY_COMPLETED", 410, 9),
            Self::FileNotFound => ("FILE_NOT_FOUND", 404, 5),
            Self::FileAccessDenied => ("FILE_ACCESS_DENIED", 403, 7),
            Self::InvalidFilePath => ("INVALID_FILE_PATH", 400, 3),
            Self::FileReadFailed => ("FILE_READ_FAILED", 500, 13),
            Self::InsufficientStorage => ("INSUFFICIENT_STORAGE", 507, 8),
            Self::IsolationUnavailable => ("ISOLATION_UNAVAILABLE", 422, 9),
            Self::FileChanged => ("FILE_CHANGED", 412, 9),
            Self::ResourceLimitUnavailable => ("RESOURCE_LIMIT_UNAVAILABLE", 422, 9),
        }
    }
}

/// The key of the trailing metadata in which a gRPC response carries the name of its code. The status code alone
/// does not distinguish all codes.
pub const GRPC_ERROR_CODE_KEY: &str = "sandbox-error-code";
