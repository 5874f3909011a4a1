//! Limits of what a run may use, what enforces them, and what a run has used.
//!
//! [`Limits`] describes the limits of a run. Memory, processes and processor time are limited by a control group of the
//! run's own (`cgroup/`), into which its first process is put before it executes its program; so no process of the run is
//! ever outside. The size of files and the number of open files are limits of each process (`setrlimit(2)`).
//!
//! What cannot be enforced is an error ([`LimitError`]) that names the limit and what would help. No resource limit stands in
//! for a control group: `RLIMIT_AS` limits each process and not the run, and `RLIMIT_NPROC` counts all processes of a user
//! and does not hold for root.

mod cgroup;
mod confinement;
mod description;
mod error;
mod lasting;
mod limiter;
mod meter;
mod usage;

pub(crate) use cgroup::Groups;
pub(crate) use confinement::Confinement;
pub use description::{Limit, Limits, Mechanism};
pub use error::LimitError;
pub use lasting::{LastingGroup, LastingGroups, PlannedGroup};
pub(crate) use limiter::Limiter;
pub(crate) use meter::Meter;
pub use usage::{ProcessUsage, Usage};
