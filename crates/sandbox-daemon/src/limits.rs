//! Every bound of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Bytes of a request's body; more is answered 413. Room for a command of 8 MiB with every byte escaped.
pub const REQUEST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Longest wait for a request's head on an open connection.
pub const REQUEST_HEAD: Duration = Duration::from_secs(30);

/// Longest wait for the whole of a request's body.
pub const REQUEST_BODY: Duration = Duration::from_secs(300);

/// Connections at a time; more wait to be accepted.
pub const CONNECTIONS: usize = 4096;

/// What the answers under way get at shutdown, before the daemon ends what runs.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// What the answers get after that, before their connections are closed.
pub const SHUTDOWN_ANSWERS: Duration = Duration::from_secs(2);

/// Pause after the system refused a connection for want of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
