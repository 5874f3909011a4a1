//! Every bound of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Longest wait for a connection.
pub const CONNECT: Duration = Duration::from_secs(10);

/// Longest wait for an answer that takes no time of its own to make.
pub const ANSWER: Duration = Duration::from_secs(30);

/// What an answer gets beyond the time limit of the command it tells about.
pub const ANSWER_AFTER_LIMIT: Duration = Duration::from_secs(15);

/// Longest wait for the answer about a command without a time limit.
pub const ANSWER_WITHOUT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of an answer's body; more is an error. Room for the longest output that the daemon keeps, escaped.
pub const ANSWER_BYTES: usize = 512 * 1024 * 1024;

/// How long a connection that nobody uses is kept for the next request.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// Bytes of a stream that were read and not taken by its consumer; then the daemon has to wait.
pub const STREAM_BUFFER_BYTES: usize = 4 * 1024 * 1024;
