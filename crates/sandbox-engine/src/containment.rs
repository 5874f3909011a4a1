//! How the processes of a run are found when it is to end.

use std::fmt;

/// The method by which an engine finds the processes of a run when it is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Containment {
    /// By a [`Tag`](crate::Tag) that each process carries, regardless of its parents, group and session. A process escapes only on
    /// purpose, by resetting that limit of its own, or by becoming another user's, which this process may not signal.
    Tag,
    /// By group, session and living parents, since this system does not let processes be labeled (its hard limit on realtime
    /// CPU time is set, or it does not implement the limit). A process that has left the group and whose parents have ended
    /// escapes.
    Tree,
}

impl Containment {
    /// Returns the name that metrics and daemons report: `rlimit-tag` or `process-tree`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tag => "rlimit-tag",
            Self::Tree => "process-tree",
        }
    }
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
