//! Codes of the close frames.

/// A normal end: a log that ended or was deleted, a shell that exited with 0, code that ran to its end, also
/// with an error of its own.
pub const NORMAL: u16 = 1000;

/// An interpreter's worker ended, or its context was deleted.
pub const GOING_AWAY: u16 = 1001;

/// The first message of an interpreter's client could not be parsed; the reason is a text.
pub const PROTOCOL_ERROR: u16 = 1002;

/// The client's request is refused, or the client is too slow for the messages sent to it; the reason is a
/// text.
pub const POLICY_VIOLATION: u16 = 1008;

/// A message was longer than the daemon accepts.
pub const MESSAGE_TOO_BIG: u16 = 1009;

/// A shell that did not exit with 0, with a [`PtyCloseReason`](super::PtyCloseReason); or a failure of the
/// daemon, with a text as its reason.
pub const INTERNAL_ERROR: u16 = 1011;

/// The time limit of an interpreter's run was reached. This is the only sign of it that every official client reads.
pub const TIMED_OUT: u16 = 4008;
