//! What is limited, and to how much.

use std::fmt;

use super::error::LimitError;
use crate::limits::{LEAST_MEMORY_LIMIT, LEAST_MILLICPUS, LEAST_OPEN_FILES};

/// The limits of a run, each for all its processes together unless it says otherwise. None by default.
///
/// For a session, a terminal or an interpreter context the run is everything that its shell or interpreter starts, until
/// it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of memory, including files that are cached for the run, and swap where the system accounts for it. At least
    /// [`LEAST_MEMORY_LIMIT`]. When there is no more the kernel kills a process of the run.
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time; at least 1. A fork beyond it fails with `EAGAIN`.
    pub processes: Option<u32>,
    /// Processor time, in thousandths of one processor; at least [`LEAST_MILLICPUS`]. The run waits when it has used its
    /// share of a period of 100 ms.
    pub millicpus: Option<u32>,
    /// Bytes of each file that a process writes. A write beyond it sends the signal `XFSZ`, which ends the process, or
    /// fails with `EFBIG` if the process ignores that.
    pub file_bytes: Option<u64>,
    /// Open descriptors of each process; at least [`LEAST_OPEN_FILES`].
    pub open_files: Option<u32>,
}

/// One of the limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::processes`].
    Processes,
    /// [`Limits::millicpus`].
    Cpus,
    /// [`Limits::file_bytes`].
    FileSize,
    /// [`Limits::open_files`].
    OpenFiles,
}

/// What enforces a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// A control group of version 1.
    CgroupV1,
    /// A control group of version 2.
    CgroupV2,
    /// A resource limit of each process (`setrlimit(2)`).
    Rlimit,
}

impl Limits {
    /// Returns whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the value of a limit, in its own unit; `None` if it is not set.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        match limit {
            Limit::Memory => self.memory_bytes,
            Limit::Processes => self.processes.map(u64::from),
            Limit::Cpus => self.millicpus.map(u64::from),
            Limit::FileSize => self.file_bytes,
            Limit::OpenFiles => self.open_files.map(u64::from),
        }
    }

    /// Returns these limits, and those of `most` where none is set.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::OutOfRange`] for a value that is too small, and [`LimitError::AboveDefault`] for one that is
    /// larger than that of `most`.
    pub(crate) fn within(self, most: &Self) -> Result<Self, LimitError> {
        for limit in Limit::ALL {
            let Some(value) = self.get(limit) else {
                continue;
            };
            if value < limit.least() {
                let least = limit.least();
                return Err(LimitError::OutOfRange { limit, least });
            }
            if let Some(most) = most.get(limit).filter(|most| value > *most) {
                return Err(LimitError::AboveDefault { limit, most });
            }
        }
        Ok(Self {
            memory_bytes: self.memory_bytes.or(most.memory_bytes),
            processes: self.processes.or(most.processes),
            millicpus: self.millicpus.or(most.millicpus),
            file_bytes: self.file_bytes.or(most.file_bytes),
            open_files: self.open_files.or(most.open_files),
        })
    }
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::Processes,
        Self::Cpus,
        Self::FileSize,
        Self::OpenFiles,
    ];

    /// Returns the name of the limit in protocols and options, such as `file_size`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Cpus => "cpus",
            Self::FileSize => "file_size",
            Self::OpenFiles => "open_files",
        }
    }

    fn least(self) -> u64 {
        match self {
            Self::Memory => LEAST_MEMORY_LIMIT,
            Self::Processes => 1,
            Self::Cpus => LEAST_MILLICPUS.into(),
            Self::FileSize => 0,
            Self::OpenFiles => LEAST_OPEN_FILES.into(),
        }
    }
}

/// Writes words, such as `file size`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileSize => "file size",
            Self::OpenFiles => "open files",
            other => other.name(),
        })
    }
}

impl Mechanism {
    /// Returns the name in protocols, such as `cgroup-v2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CgroupV1 => "cgroup-v1",
            Self::CgroupV2 => "cgroup-v2",
            Self::Rlimit => "rlimit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_can_be_lowered_and_not_raised() {
        let most = Limits {
            memory_bytes: Some(64 << 20),
            processes: Some(10),
            ..Limits::default()
        };
        let lower = Limits {
            memory_bytes: Some(32 << 20),
            open_files: Some(100),
            ..Limits::default()
        };
        let expect = Limits {
            processes: Some(10),
            ..lower
        };
        assert_eq!(lower.within(&most), Ok(expect));
        let raised = Limits {
            processes: Some(11),
            ..Limits::default()
        };
        let error = raised.within(&most).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the processes limit may be at most 10, which is the limit for every run here"
        );
        assert_eq!(Limits::default().within(&most), Ok(most));
    }

    #[test]
    fn a_value_that_nothing_can_run_with_is_refused() {
        for (limit, limits) in [
            (
                Limit::Memory,
                Limits {
                    memory_bytes: Some(LEAST_MEMORY_LIMIT - 1),
                    ..Limits::default()
                },
            ),
            (
                Limit::Processes,
                Limits {
                    processes: Some(0),
                    ..Limits::default()
                },
            ),
            (
                Limit::Cpus,
                Limits {
                    millicpus: Some(LEAST_MILLICPUS - 1),
                    ..Limits::default()
                },
            ),
            (
                Limit::OpenFiles,
                Limits {
                    open_files: Some(LEAST_OPEN_FILES - 1),
                    ..Limits::default()
                },
            ),
        ] {
            let error = limits.within(&Limits::default()).unwrap_err();
            assert_eq!(error.limit(), limit);
        }
    }
}
