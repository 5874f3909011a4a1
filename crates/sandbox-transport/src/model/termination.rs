//! How a process ended, and the exit code that stands for it.

use std::fmt;

use super::Limit;

/// How a command, program or shell ended.
///
/// An exit code is derived from this, [here](Self::exit_code) and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// The process exited by itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended the process.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// The time limit ran out, and the daemon ended the process.
    TimedOut,
    /// No process was started.
    NotStarted {
        /// The reason, for people.
        reason: String,
    },
    /// The kernel ended the process because the system or its container was out of memory.
    OutOfMemory,
    /// A [limit](super::ResourceLimits) of the run ended the process.
    LimitExceeded {
        /// The limit: the memory, or the size of a file. A process that reaches another limit goes on.
        limit: Limit,
    },
    /// How the process ended is lost, for example because the daemon was restarted meanwhile.
    Lost {
        /// The daemon's reason, for people; may be empty.
        reason: String,
    },
    /// *Extension*: nothing has ended: the [soft limit](super::ExecRequest::soft_timeout) of a command has passed, and it runs on.
    StillRunning {
        /// The command's id, by which it is found.
        exec_id: String,
    },
    /// The daemon did not report the end, or the process has not ended. A stock daemon reports a death by signal and a
    /// failed start alike.
    #[default]
    Unknown,
}

impl Termination {
    /// Returns the exit code of a command or program: its own, or 128 + n after signal n.
    ///
    /// Returns `None` if there is none: the time limit ran out, nothing was started, it still runs, or the end is not known.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Exited { code } => Some(*code),
            // The number is a daemon's, and may be any.
            Self::Signaled { signal } => signal.checked_add(128),
            Self::OutOfMemory => Some(137),
            // Of the signal by which the limit ends a process.
            Self::LimitExceeded {
                limit: Limit::FileSize,
            } => Some(153),
            Self::LimitExceeded { .. } => Some(137),
            Self::TimedOut
            | Self::NotStarted { .. }
            | Self::Lost { .. }
            | Self::StillRunning { .. }
            | Self::Unknown => None,
        }
    }

    /// Returns the exit code of a session's command: the same as [`exit_code`](Self::exit_code), and 124, as for
    /// `timeout(1)`, if the time limit ran out.
    pub fn session_exit_code(&self) -> Option<i32> {
        match self {
            Self::TimedOut => Some(124),
            other => other.exit_code(),
        }
    }

    /// Returns the termination that an exit code stands for, for daemons that report nothing else. -1 is not an exit
    /// code: stock daemons send it if there is none.
    pub fn from_exit_code(code: Option<i32>) -> Self {
        match code {
            Some(code @ 0..) => Self::Exited { code },
            _ => Self::Unknown,
        }
    }
}

/// Writes words, such as `exit code 3`, `signal 9` and `time limit reached`.
impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exit code {code}"),
            Self::Signaled { signal } => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("time limit reached"),
            Self::NotStarted { reason } => write!(f, "not started: {reason}"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::LimitExceeded { limit } => write!(f, "limit exceeded: {limit}"),
            Self::Lost { reason } if reason.is_empty() => f.write_str("end not known"),
            Self::Lost { reason } => write!(f, "end not known: {reason}"),
            Self::StillRunning { exec_id } => write!(f, "still running: {exec_id}"),
            Self::Unknown => f.write_str("end not reported"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_codes() {
        let reason = String::new;
        for (end, code, in_session) in [
            (Termination::Exited { code: 7 }, Some(7), Some(7)),
            (Termination::Signaled { signal: 15 }, Some(143), Some(143)),
            (Termination::Signaled { signal: i32::MAX }, None, None),
            (Termination::TimedOut, None, Some(124)),
            (Termination::NotStarted { reason: reason() }, None, None),
            (Termination::OutOfMemory, Some(137), Some(137)),
            (
                Termination::LimitExceeded {
                    limit: Limit::Memory,
                },
                Some(137),
                Some(137),
            ),
            (
                Termination::LimitExceeded {
                    limit: Limit::FileSize,
                },
                Some(153),
                Some(153),
            ),
            (Termination::Lost { reason: reason() }, None, None),
            (Termination::Unknown, None, None),
        ] {
            assert_eq!(end.exit_code(), code, "{end:?}");
            assert_eq!(end.session_exit_code(), in_session, "{end:?}");
        }
    }

    #[test]
    fn minus_one_is_no_exit_code() {
        let from = Termination::from_exit_code;
        assert_eq!(from(Some(0)), Termination::Exited { code: 0 });
        assert_eq!(from(Some(137)), Termination::Exited { code: 137 });
        assert_eq!(from(Some(-1)), Termination::Unknown);
        assert_eq!(from(None), Termination::Unknown);
    }

    #[test]
    fn every_end_is_written_in_words() {
        let limit = Limit::FileSize;
        for (end, text) in [
            (Termination::Exited { code: 7 }, "exit code 7"),
            (Termination::Signaled { signal: 15 }, "signal 15"),
            (Termination::TimedOut, "time limit reached"),
            (
                Termination::NotStarted {
                    reason: "no shell".to_owned(),
                },
                "not started: no shell",
            ),
            (
                Termination::LimitExceeded { limit },
                "limit exceeded: file size",
            ),
            (
                Termination::Lost {
                    reason: String::new(),
                },
                "end not known",
            ),
            (
                Termination::StillRunning {
                    exec_id: "e1".to_owned(),
                },
                "still running: e1",
            ),
            (Termination::Unknown, "end not reported"),
        ] {
            assert_eq!(end.to_string(), text);
        }
    }
}
