//! How a process ended.

use std::fmt;
use std::time::Duration;

use crate::resources::Limit;

/// How a process that was started ended. A result, not an error, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// The process exited by itself.
    Exited {
        /// The exit code, `0..=255`, as `_exit(2)` truncates it.
        code: i32,
    },
    /// A signal ended the process.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the process dumped core.
        core_dumped: bool,
    },
    /// The time limit ran out, and the process was ended with all its processes.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The kernel killed the process because it was out of memory.
    OutOfMemory,
    /// A limit of the run ended the process.
    LimitExceeded {
        /// The limit: [`Memory`](Limit::Memory) or [`FileSize`](Limit::FileSize). A process that reaches another limit goes on.
        limit: Limit,
    },
    /// The process never ran.
    NotStarted {
        /// The reason, for display.
        reason: String,
    },
    /// The end of the process is unknown: its supervisor was lost.
    Lost {
        /// The reason, for display.
        reason: String,
    },
}

impl Termination {
    /// Returns the exit code as a shell reports it: 128 + n after signal n, also of the one by which a limit ends a process (137 for
    /// memory, 153 for the size of a file), and 137 if out of memory. `None` if the time limit ran out, whatever code the process would have exited with, and if it never ran or is lost.
    pub fn exit_code(&self) -> Option<i32> {
        match *self {
            Self::Exited { code } => Some(code),
            Self::Signaled { signal, .. } => Some(128 + signal),
            Self::OutOfMemory => Some(137),
            Self::LimitExceeded { limit } => Some(128 + signal_of(limit)),
            Self::TimedOut { .. } | Self::NotStarted { .. } | Self::Lost { .. } => None,
        }
    }

    /// Returns whether the process exited with code 0.
    pub fn success(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

/// Writes a predicate, such as `exited with code 3`.
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
            Self::LimitExceeded { limit } => write!(f, "was ended by its {limit} limit"),
            Self::NotStarted { reason } => write!(f, "was not started: {reason}"),
            Self::Lost { reason } => write!(f, "was lost: {reason}"),
        }
    }
}

/// Returns the signal by which a limit ends a process.
fn signal_of(limit: Limit) -> i32 {
    match limit {
        Limit::FileSize => libc::SIGXFSZ,
        _ => libc::SIGKILL,
    }
}
