//! How a process ended, as JSON and as the exit code that the clients know.

use sandbox_engine::resources::{Limit, Usage};
use sandbox_wire::rest::{Termination, TerminationKind};

use super::resources;

/// The exit code of a process that was never started, or whose end is unknown.
const NO_EXIT_CODE: i32 = -1;

/// The exit code of a process that exceeded its time limit, the same as that of timeout(1).
const TIMED_OUT: i32 = 124;

/// Returns the exit code that represents an end where a response has only this field, or where the field's presence
/// reports the end.
pub(super) fn exit_code(ended: &sandbox_engine::Termination) -> i32 {
    match ended {
        sandbox_engine::Termination::TimedOut { .. } => TIMED_OUT,
        ended => ended.exit_code().unwrap_or(NO_EXIT_CODE),
    }
}

pub(super) fn termination(termination: &sandbox_engine::Termination) -> Termination {
    with_usage(termination, None)
}

/// Returns how a run ended, and what it has used.
pub(super) fn with_usage(
    termination: &sandbox_engine::Termination,
    usage: Option<Usage>,
) -> Termination {
    use sandbox_engine::Termination as Engine;
    let (mut exit_code, mut signal, mut reason) = (None, None, None);
    let mut limit = None;
    let kind = match termination {
        Engine::Exited { code } => {
            exit_code = Some(*code);
            TerminationKind::Exited
        }
        Engine::Signaled { signal: by, .. } => {
            signal = Some(*by);
            TerminationKind::Signaled
        }
        Engine::TimedOut { .. } => TerminationKind::TimedOut,
        Engine::OutOfMemory => TerminationKind::OutOfMemory,
        // The kinds are those that clients know which do not know limits.
        Engine::LimitExceeded { limit: by } => {
            limit = Some(resources::limit(*by));
            match by {
                Limit::FileSize => {
                    signal = termination.exit_code().map(|code| code - 128);
                    TerminationKind::Signaled
                }
                _ => TerminationKind::OutOfMemory,
            }
        }
        Engine::NotStarted { reason: why } => {
            reason = Some(why.clone());
            TerminationKind::SpawnFailed
        }
        Engine::Lost { reason: why } => {
            reason = Some(why.clone());
            TerminationKind::Lost
        }
        _ => TerminationKind::Unknown,
    };
    Termination {
        kind,
        exit_code,
        signal,
        reason,
        limit,
        usage: usage.map(resources::usage),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sandbox_engine::Termination;

    use super::*;

    #[test]
    fn every_end_has_an_exit_code() {
        let check = |ended, expect| assert_eq!(exit_code(&ended), expect, "{ended:?}");
        let reason = String::new;
        check(Termination::Exited { code: 7 }, 7);
        check(
            Termination::Signaled {
                signal: 15,
                core_dumped: false,
            },
            143,
        );
        check(Termination::OutOfMemory, 137);
        let limited = |limit| Termination::LimitExceeded { limit };
        check(limited(Limit::Memory), 137);
        check(limited(Limit::FileSize), 153);
        assert_eq!(termination(&limited(Limit::FileSize)).signal, Some(25));
        check(
            Termination::TimedOut {
                limit: Duration::ZERO,
            },
            124,
        );
        check(Termination::NotStarted { reason: reason() }, -1);
        check(Termination::Lost { reason: reason() }, -1);
    }
}
