//! How a process ended.

use std::fmt;
use std::time::Duration;

/// How a process that was started ended. A result, not an error, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// It exited by itself.
    Exited {
        /// `0..=255`, as `_exit(2)` keeps it.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
    /// Its time limit ran out, and it was ended with all its processes.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// It never ran.
    NotStarted {
        /// Why, for people.
        reason: String,
    },
    /// Nobody knows how: what watched it was gone.
    Lost {
        /// Why, for people.
        reason: String,
    },
}

impl Termination {
    /// The exit code as a shell tells it: 128 + n after signal n, 137 for want of memory. `None` when the time limit ran
    /// out: whatever the process would have said, it was not allowed to; and when it never ran or is lost.
    pub fn exit_code(&self) -> Option<i32> {
        match *self {
            Self::Exited { code } => Some(code),
            Self::Signaled { signal, .. } => Some(128 + signal),
            Self::OutOfMemory => Some(137),
            Self::TimedOut { .. } | Self::NotStarted { .. } | Self::Lost { .. } => None,
        }
    }

    /// Whether it exited with code 0.
    pub fn success(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

/// A predicate, such as `exited with code 3`.
impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Signaled {
                signal,
                core_dumped,
            } => {
                let core = if *core_dumped { " (core dumped)" } else { "" };
                write!(f, "was ended by signal {signal}{core}")
            }
            Self::TimedOut { limit } => {
                write!(
                    f,
                    "was ended by its time limit of {} s",
                    limit.as_secs_f64()
                )
            }
            Self::OutOfMemory => f.write_str("was ended because the system is out of memory"),
            Self::NotStarted { reason } => write!(f, "was not started: {reason}"),
            Self::Lost { reason } => write!(f, "was lost: {reason}"),
        }
    }
}
