//! The exit codes.

use std::process::ExitCode;

use sandbox_process::{Outcome, Termination};

/// Shown by `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  the command's own, 128 + n after signal n; 137 by its memory limit, 153 by its file size limit
  1    what was asked about is not there (but for exec, follow, run and session exec: 125)
  2    the command line is wrong
  123  its soft time limit has passed, and it runs on; `sandbox follow` shows the rest
  124  the time limit ran out
  125  the sandbox failed, or could not be asked
  126  nothing was started; sandboxes cannot be isolated here (up)
  130  interrupted from the keyboard (129 by the terminal's end, 143 by SIGTERM)";

/// The code that this program exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const SUCCESS: Self = Self(0);
    /// What was asked about is not there.
    pub(crate) const NOT_FOUND: Self = Self(1);
    /// The program of an interpreter raised an error.
    pub(crate) const RAISED: Self = Self(1);
    /// The command line is wrong.
    pub(crate) const USAGE: Self = Self(2);
    /// A soft limit has passed.
    pub(crate) const STILL_RUNNING: Self = Self(123);
    pub(crate) const TIMED_OUT: Self = Self(124);
    pub(crate) const FAILED: Self = Self(125);
    pub(crate) const NOT_STARTED: Self = Self(126);
    /// The shell's code for a program that does not exist.
    pub(crate) const NO_PROGRAM: Self = Self(127);

    /// The code of a program that a signal ended.
    pub(crate) fn by_signal(number: i32) -> Self {
        let code = number.checked_add(128).map(u8::try_from);
        code.and_then(Result::ok).map_or(Self::FAILED, Self)
    }

    /// The code for what a run did. A run whose end is unknown has not succeeded.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        Self::by_end(outcome.exit_code(), &outcome.termination)
    }

    /// The code for the end of a run.
    pub(crate) fn by_end(exit_code: Option<i32>, termination: &Termination) -> Self {
        match termination {
            Termination::TimedOut => Self::TIMED_OUT,
            Termination::StillRunning { .. } => Self::STILL_RUNNING,
            Termination::NotStarted { .. } => Self::NOT_STARTED,
            _ => Self::of_code(exit_code),
        }
    }

    /// The code that a daemon reports. One that it does not know is no success.
    pub(crate) fn of_code(code: Option<i32>) -> Self {
        code.and_then(|code| u8::try_from(code).ok())
            .map_or(Self::FAILED, Self)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}
