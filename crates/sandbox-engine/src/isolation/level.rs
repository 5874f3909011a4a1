//! How strongly a process is isolated.

use std::fmt;

use super::Isolation;

/// The mechanism that isolates a process. The one that was asked for is the one in force, or nothing is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Level {
    /// The process has the rights of the engine.
    #[default]
    None,
    /// Landlock: files that were not given are refused, as are sockets, signals to other processes and what the filter of
    /// system calls refuses. Without namespaces: other processes, the names of files and their sizes can be seen, and `/tmp` and
    /// the home directories are out of reach instead of empty. `TMPDIR`, `TMP` and `TEMP` name a directory of the run's own, which is
    /// removed with its contents after the program's end. For machines that allow no namespaces; needs Linux 6.12.
    Landlock,
    /// As [`Namespaces`](Self::Namespaces), made by the system's bubblewrap (`bwrap`) and checked afterwards: for machines that allow user
    /// namespaces to that program alone. Needs bubblewrap 0.8.
    Bwrap,
    /// Namespaces for users, files, processes, network, host name, semaphores and control groups; a filter of system
    /// calls; no capabilities.
    Namespaces,
}

impl Level {
    /// Returns the level of a process that has this isolation, if any.
    pub(crate) fn of(isolation: Option<&Isolation>) -> Self {
        isolation.map_or(Self::None, Isolation::level)
    }

    /// Returns the name, as options and results have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Landlock => "landlock",
            Self::Bwrap => "bwrap",
            Self::Namespaces => "namespaces",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
