//! Why a limit is not applied.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::description::Limit;

/// An error from limiting a run: nothing was started.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Nothing on this system can enforce the limit.
    #[error("the {limit} limit cannot be enforced here: {reason}; help: {HELP}")]
    Unavailable {
        /// The limit.
        limit: Limit,
        /// What was tried, for display.
        reason: String,
    },
    /// The value is too small to run anything with.
    #[error("the {limit} limit must be at least {least}")]
    OutOfRange {
        /// The limit.
        limit: Limit,
        /// The smallest value, in the limit's unit.
        least: u64,
    },
    /// The value is larger than the engine's own limit.
    #[error("the {limit} limit may be at most {most}, which is the limit for every run here")]
    AboveDefault {
        /// The limit.
        limit: Limit,
        /// The engine's limit, in the limit's unit.
        most: u64,
    },
    /// There are too many runs with limits, including those that have left processes in the background.
    #[error("there are too many runs with limits; help: end some of them")]
    TooMany,
    /// The system did not apply the limit.
    #[error("cannot apply the {limit} limit")]
    Os {
        /// The limit.
        limit: Limit,
        /// The error of the system.
        source: Arc<io::Error>,
    },
    /// The process could not be put into the control group of its run.
    #[error("cannot put the process into the control group of its run")]
    Join(#[source] Arc<io::Error>),
}

impl LimitError {
    pub(crate) fn os(limit: Limit, source: io::Error) -> Self {
        let source = Arc::new(source);
        Self::Os { limit, source }
    }
}

#[cfg(test)]
impl LimitError {
    pub(crate) fn limit(&self) -> Limit {
        match self {
            Self::Unavailable { limit, .. }
            | Self::OutOfRange { limit, .. }
            | Self::AboveDefault { limit, .. }
            | Self::Os { limit, .. } => *limit,
            other => panic!("{other}"),
        }
    }
}

#[cfg(test)]
impl PartialEq for LimitError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// What helps where no control group can be made.
const HELP: &str = "run the daemon as root, or in a delegated control group of version 2 (of systemd: `Delegate=yes` with \
                    `DelegateSubgroup=daemon`), or name such a group (`--cgroup`)";
