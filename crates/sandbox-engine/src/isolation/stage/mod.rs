//! The launcher: runs in a process of its own before the host program's `main`, see `sys/before_main.rs`.
//!
//! The process has one thread and fresh memory, so it may allocate and fork. It is not isolated yet and has no secret.

mod bwrap;
mod init;
mod names;
mod outer;
mod restricted;
mod spare;
mod verdict;
mod view;
mod way_out;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;

pub(super) use names::{FILE as NAMES_FILE, is_hidden};
use verdict::{At, Verdict};
pub(super) use verdict::{Failure, Report};

use super::{Level, Plan, Step};

/// How a launcher's descriptors are numbered: those of the program, the plan, the verdict, the launcher's executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Role {
    /// The number of descriptors of the program.
    pub(crate) fds: usize,
}

impl Role {
    /// The variable whose presence makes a process a launcher.
    pub(super) const VARIABLE: &str = "SANDBOX_ENGINE_ISOLATION";

    /// Returns the role of this process, if it is to be a launcher.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::parse(std::env::var_os(Self::VARIABLE)?.to_str()?)
    }

    pub(super) fn to_text(self) -> String {
        self.fds.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        let fds = text.parse().ok()?;
        (fds < MOST_FDS).then_some(Self { fds })
    }

    pub(crate) fn plan(self) -> usize {
        self.fds
    }

    pub(crate) fn verdict(self) -> usize {
        self.fds + 1
    }

    pub(crate) fn executable(self) -> usize {
        self.fds + 2
    }
}

/// More descriptors than any program is started with.
const MOST_FDS: usize = 1024;

/// Does a launcher's work, and returns its exit code. A launcher whose program was ended by a signal is ended by that.
pub(crate) fn run(plan: OwnedFd, verdict: OwnedFd) -> i32 {
    let Ok(verdict) = Verdict::new(verdict) else {
        return FAILED;
    };
    match read(plan).at(Step::Launcher) {
        Ok(plan) => match plan.isolation.level {
            Level::Landlock => restricted::run(&plan, &verdict),
            Level::Bwrap => match &plan.inside {
                Some(inside) => bwrap::inside(&plan, inside, &verdict),
                None => bwrap::run(&plan, verdict),
            },
            Level::None | Level::Namespaces => outer::run(&plan, verdict),
        },
        Err(failure) => {
            verdict.report(&failure);
            FAILED
        }
    }
}

fn read(plan: OwnedFd) -> io::Result<Plan> {
    let mut bytes = Vec::new();
    let mut file = File::from(plan);
    // The position is shared with the engine, which has written it.
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Plan::decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The name of the first process of a launcher whose program outlives the engine.
pub(in crate::isolation) const LASTING_NAME: &std::ffi::CStr = c"sandbox-lasting";

/// The exit code of a launcher that has started no program.
const FAILED: i32 = 125;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_travels_as_text() {
        let role = Role { fds: 5 };
        assert_eq!(Role::parse(&role.to_text()), Some(role));
        for bad in ["", "x", "-1", "1024", "1 2"] {
            assert_eq!(Role::parse(bad), None, "{bad}");
        }
    }
}
